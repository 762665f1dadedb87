"""The embedded renderer: pandoc as a separate program, and typst for paper."""

import os
import subprocess
import tempfile
from pathlib import Path

from evalkit.errors import PublishError
from evalkit.publish.alone import check_alone, put_pictures_in
from evalkit.publish.pages import MARKDOWN, Format, Page, Surround, write_source
from evalkit.publish.word import EPOCH_SECONDS, settle

TIME_LIMIT = 120  # seconds for one page; a case study takes well under one
WRITERS: dict[Format, tuple[str, ...]] = {
    "html": ("--to", "html", "--template", "page.html.template", "--mathml"),
    "pdf": ("--to", "typst", "--template", "page.typ"),
    "docx": ("--to", "docx", "--reference-doc", "reference.docx"),
}


class Pandoc:
    """Renders with the pandoc that the wheel pypandoc_binary ships and the typst of the wheel typst."""

    name = "pandoc"

    def render(self, page: Page, surround: Surround, *, to: Format, folder: Path) -> tuple[Path, list[str]]:
        """Render one page into `<folder>/<page.name>.<to>`.

        Raises
        ------
        PublishError : pandoc or typst refused the page, or a picture is missing.
        """
        with tempfile.TemporaryDirectory(prefix="evalkit-page-") as temporary:
            here = Path(temporary)
            write_source(page, surround, here)
            made = here / ("made.typ" if to == "pdf" else f"made.{to}")
            warnings = self._pandoc(page, to, here, made)
            target = folder / f"{page.name}.{to}"
            if to == "pdf":
                paper, complaints = _paper(page, made, here)
                target.write_bytes(paper)
                warnings += complaints
            elif to == "html":
                web = put_pictures_in(made.read_text(encoding="utf-8"), page.pictures, name=page.name)
                check_alone(web, name=page.name)
                target.write_text(web, encoding="utf-8")
            else:
                target.write_bytes(made.read_bytes())
        if to == "docx":
            settle(target)
        return target, warnings

    def _pandoc(self, page: Page, to: Format, here: Path, made: Path) -> list[str]:
        command = [
            pandoc_program(),
            "page.qmd",
            *("--from", MARKDOWN),
            *WRITERS[to],
            *("--metadata-file", "metadata.json"),
            *("--lua-filter", "native.lua"),
            "--standalone",
            *("--wrap", "none"),
            *("--output", made.name),
        ]
        environment = {**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH_SECONDS)}
        try:
            done = subprocess.run(
                command,
                cwd=here,
                env=environment,
                capture_output=True,
                encoding="utf-8",
                timeout=TIME_LIMIT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise PublishError(
                f"{page.name}: pandoc took more than {TIME_LIMIT} s for {to}; try again"
            ) from None
        said = [line for line in done.stderr.splitlines() if line.strip()]
        if done.returncode != 0 or not made.is_file():
            raise PublishError(f"{page.name}: pandoc made no {to}: {' '.join(said) or 'it gave no reason'}")
        missing = [line for line in said if "Could not fetch resource" in line]
        if missing:
            raise PublishError(f"{page.name}: a picture is missing: {missing[0]}")
        return [f"{page.name}: {line}" for line in said]


def pandoc_program() -> str:
    """Return the path of the pandoc that the wheel ships."""
    import pypandoc

    return str(pypandoc.get_pandoc_path())


def _paper(page: Page, source: Path, here: Path) -> tuple[bytes, list[str]]:
    """Compile with the type that typst itself carries, so that a page is the same on every machine.

    The paper keeps the accessibility standard PDF/UA-1 wherever the page can; a page that cannot says so.
    """
    import typst

    compiler = typst.Compiler(source, root=here, ignore_system_fonts=True)
    try:
        paper = compiler.compile(format="pdf", timestamp=EPOCH_SECONDS, pdf_standards=["ua-1"])
        warnings = []
    except typst.TypstError as error:
        if not error.message.startswith("PDF/UA-1"):
            raise PublishError(f"{page.name}: typst made no pdf: {error.message}") from None
        paper = compiler.compile(format="pdf", timestamp=EPOCH_SECONDS)
        warnings = [f"{page.name}.pdf is not fully accessible: {error.message}"]
    if not isinstance(paper, bytes):
        raise PublishError(f"{page.name}: typst made no pdf")
    return paper, warnings
