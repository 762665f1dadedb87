"""The pages themselves, as the embedded renderer makes them: escaping, alt text, marks, structure, bytes."""

import dataclasses
import itertools
import re
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from types import SimpleNamespace

import pandas as pd
import pytest
from by_hand import case_study, code, markdown, shown, wide, write_notebook
from reading import pdf_alts, pdf_text, squeezed, web, word, word_alts, word_text

from evalkit.charts.display import table
from evalkit.errors import PublishError
from evalkit.publish.notebooks import read_page
from evalkit.publish.pages import Link, Surround
from evalkit.publish.pandoc import Pandoc

ATTACK = '<script>alert(1)</script> & "Sons" *Ltd* {{< include x >}} `$x$` @you [l](javascript:alert(1))'
SURROUND = Surround(
    network="Three <Neighborhoods>",
    audience="public",
    synthetic=True,
    nav=(Link("Sites", "index.html"), Link("Comparison", "comparison.html")),
)
ALT = "Graduation rose from 62% before the initiative to 78%; the forecast was 62%."


def study(folder, partner=ATTACK):
    notebook = write_notebook(
        folder / "alder-park" / "notebooks" / "6_case_study.ipynb", case_study(partner=partner)
    )
    page = read_page(notebook, name="alder-park")
    return dataclasses.replace(page, title="Alder *Park* <b>", subtitle=page.title, kicker="Exampleton")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """One case study in every format."""
    folder = tmp_path_factory.mktemp("made")
    page = study(folder)
    return {to: Pandoc().render(page, SURROUND, to=to, folder=folder)[0] for to in ("html", "pdf", "docx")}


def test_text_from_data_arrives_as_text_on_the_web(made):
    page = web(made["html"])
    assert not page.find_all("script")
    assert ATTACK in page.main.get_text()
    assert page.h1.get_text(strip=True) == "Alder *Park* <b>"
    assert page.find(class_="network").get_text() == "Three <Neighborhoods>"


def test_text_from_data_arrives_as_text_in_pdf_and_word(made):
    assert squeezed(ATTACK) in squeezed("".join(pdf_text(made["pdf"])))
    assert ATTACK in word_text(made["docx"])


def test_every_picture_has_its_alt_text_in_every_format(made):
    assert next(image["alt"] for image in web(made["html"]).find_all("img")) == ALT
    assert all(image["alt"] for image in web(made["html"]).find_all("img"))
    assert pdf_alts(made["pdf"])[0] == ALT
    assert len(pdf_alts(made["pdf"])) == 2
    assert word_alts(made["docx"])[0] == ALT
    assert len(word_alts(made["docx"])) == 2


def test_the_synthetic_mark_stands_on_every_page(made):
    assert "Synthetic data" in web(made["html"]).find(class_="mark").get_text()
    texts = pdf_text(made["pdf"])
    assert len(texts) > 1
    assert all("Synthetic data" in text for text in texts)
    header = word(made["docx"]).sections[0].header
    assert "Synthetic data" in "".join(paragraph.text for paragraph in header.paragraphs)


def test_real_data_bear_no_synthetic_mark(tmp_path):
    real = dataclasses.replace(SURROUND, synthetic=False)
    page = study(tmp_path)
    paths = {to: Pandoc().render(page, real, to=to, folder=tmp_path)[0] for to in ("html", "pdf", "docx")}
    assert "ynthetic" not in web(paths["html"]).get_text()
    assert "ynthetic" not in "".join(pdf_text(paths["pdf"]))
    header = word(paths["docx"]).sections[0].header
    assert "ynthetic" not in "".join(paragraph.text for paragraph in header.paragraphs)
    assert "ynthetic" not in word_text(paths["docx"])


def test_the_audience_is_printed_in_every_format(made):
    assert "Prepared for: public" in web(made["html"]).main.get_text()
    assert all("Prepared for: public" in text for text in pdf_text(made["pdf"]))
    footer = word(made["docx"]).sections[0].footer
    assert "Prepared for: public" in "".join(paragraph.text for paragraph in footer.paragraphs)


def test_a_page_asks_nothing_of_any_other_machine(made):
    page = web(made["html"])
    sources = [
        tag.get("src") or tag.get("href") for tag in page.find_all(["img", "script", "link", "source"])
    ]
    assert all(source.startswith("data:") for source in sources)
    assert "url(" not in made["html"].read_text(encoding="utf-8").replace("url(data:", "")
    assert "@import" not in made["html"].read_text(encoding="utf-8")


def test_a_picture_from_elsewhere_is_never_fetched(tmp_path):
    cells = [
        markdown(
            "# T\n\n![A far picture](https://example.org/x.png)\n\n"
            "<img src='//example.org/y.png' alt='Far too'>"
        )
    ]
    page = read_page(write_notebook(tmp_path / "s" / "notebooks" / "n.ipynb", cells), name="p")
    path, _ = Pandoc().render(page, SURROUND, to="html", folder=tmp_path)
    assert not web(path).find_all("img")
    assert "A far picture" in web(path).main.get_text()


def test_a_page_within_a_page_is_refused_and_never_asked_for(tmp_path):
    asked = []

    class Listener(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

    with HTTPServer(("127.0.0.1", 0), Listener) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        frame = f"<iframe src='http://127.0.0.1:{server.server_port}/x.html'></iframe>"
        page = read_page(
            write_notebook(tmp_path / "s" / "notebooks" / "n.ipynb", [markdown(f"# T\n\n{frame}")]), name="p"
        )
        with pytest.raises(PublishError, match=r"x\.html"):
            Pandoc().render(page, SURROUND, to="html", folder=tmp_path)
        server.shutdown()
    assert asked == []


def test_a_missing_picture_is_an_error_not_a_hole(tmp_path):
    page = read_page(
        write_notebook(tmp_path / "s" / "notebooks" / "n.ipynb", [markdown("# T\n\n![A](gone.png)")]),
        name="p",
    )
    for to in ("html", "docx", "pdf"):
        with pytest.raises(PublishError, match=r"gone\.png"):
            Pandoc().render(page, SURROUND, to=to, folder=tmp_path)


def test_the_web_page_has_landmarks_one_title_and_headings_in_order(made):
    page = web(made["html"])
    assert page.html["lang"] == "en"
    assert page.title.get_text().strip()
    assert [len(page.find_all(tag)) for tag in ("header", "main", "footer", "h1")] == [1, 1, 1, 1]
    assert all(nav.get("aria-label") or nav.get("aria-labelledby") for nav in page.find_all("nav"))
    assert page.find("a", class_="skip")["href"] == f"#{page.main['id']}"
    levels = [int(tag.name[1]) for tag in page.find_all(re.compile("^h[1-6]$"))]
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    names = [tag["id"] for tag in page.find_all(id=True)]
    assert len(names) == len(set(names))
    inner = [link["href"][1:] for link in page.find_all("a", href=re.compile("^#"))]
    assert set(inner) - {"working-pages"} <= set(names)


def test_skipped_heading_levels_are_closed(tmp_path):
    cells = [markdown("# T\n\n#### Deep\n\n# Again\n\n###### Deeper\n")]
    page = read_page(write_notebook(tmp_path / "s" / "notebooks" / "n.ipynb", cells), name="p")
    path, _ = Pandoc().render(page, SURROUND, to="html", folder=tmp_path)
    assert [tag.name for tag in web(path).main.find_all(re.compile("^h[1-6]$"))] == ["h1", "h2", "h2", "h3"]


def test_tables_have_captions_header_scopes_and_a_box_to_scroll_in(made):
    for sheet in web(made["html"]).find_all("table"):
        assert sheet.caption.get_text(strip=True)
        assert {cell.get("scope") for cell in sheet.thead.find_all("th")} == {"col"}
        assert {row.find(["th", "td"]).get("scope") for row in sheet.tbody.find_all("tr")} == {"row"}
        box = sheet.parent
        assert (box["role"], box["tabindex"]) == ("region", "0")
        assert box["aria-label"] == sheet.caption.get_text(strip=True)


def test_the_finding_stands_in_a_box_before_all_else(made):
    page = web(made["html"])
    box = page.find(class_="finding")
    assert box.get_text().strip().startswith("Graduation turned: 77.9%")
    assert box.find_previous("h2") is None
    styles = [paragraph.style.name for paragraph in word(made["docx"]).paragraphs]
    assert styles.count("Finding") == 3


def test_numbers_stand_to_the_right_and_words_to_the_left(made):
    sheet = web(made["html"]).find_all("table")[1]
    sides = [cell["style"].split(":")[1].strip(" ;") for cell in sheet.tbody.tr.find_all(["th", "td"])]
    assert sides == ["left", "right", "right", "right", "right", "left"]


def test_word_has_heading_styles_header_rows_and_a_title(made):
    document = word(made["docx"])
    styles = {paragraph.style.name for paragraph in document.paragraphs}
    assert {"Title", "Heading 1", "Heading 2", "Finding", "Table Caption", "Image Caption"} <= styles
    assert document.core_properties.title == "Alder *Park* <b>"
    for sheet in document.tables:
        assert sheet.rows[0]._tr.xpath("./w:trPr/w:tblHeader")


def test_a_wide_table_is_split_on_paper_and_nothing_of_it_is_lost(made):
    text = squeezed("".join(pdf_text(made["pdf"])))
    assert "part1of2" in text
    assert "part2of2" in text
    assert all(squeezed(column) in text for column in wide().columns)
    parts = [sheet for sheet in word(made["docx"]).tables if sheet.rows[0].cells[0].text == "Indicator"][-2:]
    headings = [cell.text for part in parts for cell in part.rows[0].cells]
    assert sorted(set(headings)) == sorted(wide().columns)


@pytest.mark.skipif(
    shutil.which("pdftotext") is None, reason="pdftotext (poppler) measures where words stand"
)
def test_no_word_of_a_pdf_leaves_the_page_or_covers_another(tmp_path):
    frame = wide().rename(
        columns={"Interval": "Ninety-five percent interval", "Population": "Supercalifragilistic population"}
    )
    cells = [
        markdown("# T"),
        code(shown(table(frame, caption="Wide"))),
        code(shown(table(frame.iloc[:, :9], caption="Less wide"))),
    ]
    page = read_page(write_notebook(tmp_path / "s" / "notebooks" / "n.ipynb", cells), name="p")
    path, _ = Pandoc().render(page, SURROUND, to="pdf", folder=tmp_path)
    command = ["pdftotext", "-bbox", str(path), "-"]
    told = subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout
    for sheet in told.split("<page ")[1:]:
        numbers = re.findall(r'<word xMin="(.+?)" yMin="(.+?)" xMax="(.+?)" yMax="(.+?)">', sheet)
        words = sorted((float(top), float(left), float(right)) for left, top, right, _ in numbers)
        # US Letter is 612 points wide; the margins are 72.
        assert min(left for _, left, _ in words) >= 71
        assert max(right for _, _, right in words) <= 541
        for (top, _, right), (next_top, left, _) in pairwise(words):
            assert top != next_top or left > right, "two words stand on one another"


def test_the_pdf_says_that_it_is_accessible(made):
    # A PDF/UA-1 file declares itself in its metadata: ISO 14289-1, section 5.
    assert b"pdfuaid:part" in made["pdf"].read_bytes()


def test_the_same_page_gives_the_same_bytes(made, tmp_path):
    page = study(tmp_path)
    for to, before in made.items():
        after, _ = Pandoc().render(page, SURROUND, to=to, folder=tmp_path)
        assert after.read_bytes() == before.read_bytes(), to


def luminance(colour):
    """Relative luminance of WCAG 2.2."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        ("ink", "tint"),
        ("quiet", "tint"),
        ("accent-dark", "tint"),
        ("accent", "paper"),
        ("warm-ink", "warm"),
        ("quiet", "paper"),
    ],
)
def test_text_stands_out_from_its_ground(made, ink, paper):
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", made["html"].read_text(encoding="utf-8")))
    colours |= {"paper": "#ffffff", "ink": "#222222"}
    lighter, darker = sorted((luminance(colours[ink]), luminance(colours[paper])), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5


def test_the_rows_of_a_split_table_are_numbered_where_their_names_repeat(tmp_path):
    frame = wide().assign(Indicator="Graduation")
    cells = [markdown("# T"), code(shown(table(frame, caption="Wide")))]
    page = read_page(write_notebook(tmp_path / "s" / "notebooks" / "n.ipynb", cells), name="p")
    path, _ = Pandoc().render(page, SURROUND, to="docx", folder=tmp_path)
    for part in word(path).tables:
        assert [row.cells[0].text for row in part.rows] == ["Row", "1", "2", "3", "4"]


def test_an_interval_in_brackets_is_not_broken(tmp_path):
    frame = pd.DataFrame({"Change": ["+18.1 points (10.0 to 25.9)", "−11.3 points (−13.8 to −8.9)"]})
    cells = [markdown("# T"), code(shown(table(frame, caption="Change")))]
    page = read_page(write_notebook(tmp_path / "s" / "notebooks" / "n.ipynb", cells), name="p")
    path, _ = Pandoc().render(page, SURROUND, to="html", folder=tmp_path)
    shown_cells = [cell.get_text() for cell in web(path).find_all("td")]
    assert shown_cells == ["+18.1 points (10.0\xa0to\xa025.9)", "−11.3 points (−13.8\xa0to\xa0−8.9)"]


def strange_tables():
    """Tables of every shape that `evalkit.table` writes, with text that markup and paper could trip over."""
    words = [
        "<b>& 'so' \"on\"",
        "a  b\t c",
        "",
        "–",
        "+18.1 points (10.0 to 25.9)",
        "12 of 40",
        "&amp;lt;",
        "é `x`",
    ]
    yield table(
        pd.DataFrame({"Group": words, "Rate": range(8)}), caption="Words & <numbers>", note="A 'note'."
    )
    yield table(pd.DataFrame({"Number": [1.5, 2.5], "Word": ["x", "y"]}))
    yield table(pd.DataFrame({"Alone": words}), caption="One column")
    yield table(
        pd.DataFrame({"Group": [f"G{n}" for n in range(40)], "Why": ["word " * 12] * 40}), caption="Long"
    )
    yield table(wide(), caption="Wide")
    yield table(wide().assign(Indicator="Graduation"), caption="Wide, with names that repeat")


@pytest.mark.parametrize("to", ["html", "pdf", "docx"])
def test_our_tables_are_set_like_any_other_table(tmp_path, to):
    # A table that is written a little differently is read by pandoc itself, element by element.
    other = [
        SimpleNamespace(_repr_html_=lambda made=made: made._repr_html_().replace("<table>", "<table >"))
        for made in strange_tables()
    ]
    paths = []
    for name, tables in (("ours", strange_tables()), ("others", other)):
        cells = [markdown("# T"), *(code(shown(each)) for each in tables)]
        page = read_page(write_notebook(tmp_path / name / "notebooks" / "n.ipynb", cells), name="p")
        (tmp_path / name / "made").mkdir()
        paths.append(Pandoc().render(page, SURROUND, to=to, folder=tmp_path / name / "made")[0])
    if to == "pdf":
        assert pdf_text(paths[0]) == pdf_text(paths[1])
    else:
        assert paths[0].read_bytes() == paths[1].read_bytes()
