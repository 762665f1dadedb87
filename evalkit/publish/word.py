"""What Word needs beside the text: our styles, a header on every page, and the same bytes on every run."""

import re
import zipfile
from importlib.resources import files
from pathlib import Path
from xml.sax.saxutils import escape

MAIN = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
PART = "application/vnd.openxmlformats-officedocument.wordprocessingml"
DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment a zip file can name
EPOCH_TEXT = "1980-01-01T00:00:00Z"
EPOCH_SECONDS = 315532800  # the same moment, in seconds since 1970

PARTS = {
    "[Content_Types].xml": f"""<Types xmlns="{PACKAGE}/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Default Extension="xml" ContentType="application/xml"/>
<Override PartName="/word/document.xml" ContentType="{PART}.document.main+xml"/>
<Override PartName="/word/styles.xml" ContentType="{PART}.styles+xml"/>
<Override PartName="/word/header1.xml" ContentType="{PART}.header+xml"/>
<Override PartName="/word/footer1.xml" ContentType="{PART}.footer+xml"/>
</Types>""",
    "_rels/.rels": f"""<Relationships xmlns="{PACKAGE}/relationships">
<Relationship Id="rId1" Type="{OFFICE}/officeDocument" Target="word/document.xml"/>
</Relationships>""",
    "word/_rels/document.xml.rels": f"""<Relationships xmlns="{PACKAGE}/relationships">
<Relationship Id="rId1" Type="{OFFICE}/styles" Target="styles.xml"/>
<Relationship Id="rId901" Type="{OFFICE}/header" Target="header1.xml"/>
<Relationship Id="rId902" Type="{OFFICE}/footer" Target="footer1.xml"/>
</Relationships>""",
    "word/document.xml": f"""<w:document xmlns:w="{MAIN}" xmlns:r="{OFFICE}"><w:body><w:p/><w:sectPr>
<w:headerReference w:type="default" r:id="rId901"/><w:footerReference w:type="default" r:id="rId902"/>
<w:pgSz w:w="12240" w:h="15840"/>
<w:pgMar w:top="1440" w:right="1440" w:bottom="1300" w:left="1440"
 w:header="620" w:footer="560" w:gutter="0"/>
</w:sectPr></w:body></w:document>""",
    "word/footer1.xml": f"""<w:ftr xmlns:w="{MAIN}"><w:p><w:pPr><w:pStyle w:val="Footer"/></w:pPr>
<w:r><w:t>{{audience}}</w:t></w:r><w:r><w:tab/></w:r>
<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText xml:space="preserve"> PAGE </w:instrText></w:r>
<w:r><w:fldChar w:fldCharType="separate"/></w:r><w:r><w:t>1</w:t></w:r>
<w:r><w:fldChar w:fldCharType="end"/></w:r>
</w:p></w:ftr>""",
    "word/header1.xml": f"""<w:hdr xmlns:w="{MAIN}"><w:p><w:pPr><w:pStyle w:val="Header"/></w:pPr>
<w:r><w:t>{{network}}</w:t></w:r>{{mark}}</w:p></w:hdr>""",
}
MARK = '<w:r><w:tab/></w:r><w:r><w:rPr><w:b/><w:color w:val="6B3000"/></w:rPr><w:t>Synthetic data</w:t></w:r>'


def reference_document(path: Path, *, network: str, audience: str, synthetic: bool) -> None:
    """Write the document whose styles, header and footer a renderer gives to every Word page."""
    filling = {
        "{network}": escape(network),
        "{audience}": f"Prepared for: {escape(audience)}",
        "{mark}": MARK if synthetic else "",
    }
    styles = (files("evalkit.publish") / "look" / "styles.xml").read_text(encoding="utf-8")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, part in PARTS.items():
            text = DECLARATION + re.sub(r"\{[a-z]+\}", lambda match: filling[match.group()], part)
            package.writestr(zipfile.ZipInfo(name, EPOCH), text)
        package.writestr(zipfile.ZipInfo("word/styles.xml", EPOCH), styles)


def settle(path: Path) -> None:
    """Take the clock out of a Word file, so that the same page gives the same bytes."""
    with zipfile.ZipFile(path) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    core = parts.get("docProps/core.xml", b"").decode("utf-8")
    if core:
        fixed = re.sub(r"(<dcterms:(?:created|modified)[^>]*>)[^<]*", rf"\g<1>{EPOCH_TEXT}", core)
        parts["docProps/core.xml"] = fixed.encode("utf-8")
    with zipfile.ZipFile(path, "w") as package:
        for name in sorted(parts, key=lambda part: (part != "[Content_Types].xml", part)):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            package.writestr(entry, parts[name])
