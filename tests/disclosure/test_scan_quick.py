"""The quick scan says what a slow and plain one says of the same words, in every kind of file."""

import base64
import json
import re
import struct
import zlib
from html import escape

import numpy as np
import pandas as pd
import pytest
import typst
from docx import Document
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.checks import KEY
from evalkit.disclosure import Scanner

INDICATORS = {"chronic_absence": "Chronic absence", "graduation_rate": "Graduation"}
SITES = {"oak": "Oak Street", "elm": "Elm Row"}
PERIODS = {"2019": "2018-19", "2020": "2019-20"}
GROUPS = ["Latinx", "Black"]
# Counts and rates that meet in several cells, so that a number alone names none.
COUNTS = [(23, 61), (12, 61), (23, 40), (9, 12)]
HIDDEN = pd.DataFrame(
    [
        dict(zip(KEY, (i, s, "all", "target_school", p, "race_ethnicity", g), strict=True))
        | {"numerator": float(x), "denominator": float(n), "rate": x / n, "lower": np.nan, "upper": np.nan}
        for at, (i, s, p, g) in enumerate(
            (i, s, p, g) for i in INDICATORS for s in SITES for p in PERIODS for g in GROUPS
        )
        for x, n in [COUNTS[at % len(COUNTS)]]
        if at % 3 < 2
    ]
)
NAMES = {name: [label] for name, label in (INDICATORS | SITES).items()}
NUMBERS = [
    "23",
    "61",
    "12",
    "40",
    "9",
    "37.7",
    "19.7",
    "57.5",
    "75.00",
    "0.377",
    "0.5750",
    "1,061",
    "2.3",
    "44",
]
# Mostly the name of a cell, with numbers that may be its own: many of these texts tell, and many do not.
TEXT = st.tuples(
    st.sampled_from([*INDICATORS.values(), "graduation_rate", "Graduations"]),
    st.sampled_from([*SITES.values(), "elm", "notoak"]),
    st.sampled_from([*PERIODS, *PERIODS.values()]),
    st.sampled_from([*GROUPS, "Latinxs"]),
    st.sampled_from(["23 of 61, 12 of 61", "37.7, 19.7", "23 of 40", "57.5 and 75.00", *NUMBERS]),
    st.sampled_from(["rate", "percent", "students", "and 37.7", "n"]),
).map(" ".join)


def says(text, word):
    return re.search(rf"(?<!\w){re.escape(word.lower())}(?!\w)", text.lower()) is not None


def names_cell(around, cell):
    """One name of the indicator, the site, the period and the group each stands in the words around."""
    return (
        any(says(around, name) for name in (cell["indicator"], INDICATORS[cell["indicator"]]))
        and any(says(around, name) for name in (cell["site_id"], SITES[cell["site_id"]]))
        and any(says(around, name) for name in (cell["period"], PERIODS[cell["period"]]))
        and says(around, cell["subgroup"])
    )


def is_told(text, around="", heading=None):
    """Hold every hidden cell against a sentence, or against one cell of a table below its `heading`."""
    whole = f"{text} | {around}"
    numbers = {number.replace(",", "") for number in re.findall(r"(?<![\w.,])\d[\d,]*(?:\.\d+)?(?!\w)", text)}
    about = re.search(r"rate|percent|%|value|share|count|number|\bn\b", whole.lower()) is not None
    alone = heading is not None and re.fullmatch(r"[\d,.]+", text) is not None
    for cell in HIDDEN.to_dict("records"):
        x, n, rate = f"{cell['numerator']:.0f}", f"{cell['denominator']:.0f}", cell["rate"]
        printed = {f"{100 * rate:.1f}", f"{100 * rate:.2f}", f"{rate:.3f}", f"{rate:.4f}"}
        counts = {"n": {n}, "count": {x}}.get(heading, {x, n}) if alone else set()
        tells = (about and numbers & (printed | counts)) or {x, n} <= numbers
        if tells and names_cell(whole, cell):
            return True
    return False


def picture(text, kind):
    body = {
        b"tEXt": b"Description\x00" + text.encode(),
        b"zTXt": b"Description\x00\x00" + zlib.compress(text.encode()),
        b"iTXt": b"Description\x00\x00\x00\x00\x00" + text.encode(),
    }[kind]
    chunks = [(b"IHDR", b"\x00" * 13), (kind, body), (b"IEND", b"")]
    packed = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def notebook(output):
    cell = {"cell_type": "code", "source": [], "metadata": {}, "execution_count": 1, "outputs": [output]}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def shown(data=None, metadata=None):
    return notebook({"output_type": "display_data", "data": data or {}, "metadata": metadata or {}})


def word(path, text):
    document = Document()
    document.add_paragraph(text)
    document.save(path)
    return path.read_bytes()


def uri(text):
    return f"data:image/png;base64,{base64.b64encode(picture(text, b'tEXt')).decode()}"


SENTENCES = {
    "run.log": lambda path, text: f"Begun.\n{text}\nEnded.".encode(),
    "results.json": lambda path, text: json.dumps({"narrative": [text]}).encode(),
    "page.html": lambda path, text: f"<p>Fine.</p><p>{escape(text)}</p>".encode(),
    "alt.html": lambda path, text: f'<img src="a.png" alt="{escape(text)}">'.encode(),
    "comment.html": lambda path, text: f"<!-- {text} -->".encode(),
    "picture.html": lambda path, text: f'<img alt="x" src="{uri(text)}">'.encode(),
    "metadata.ipynb": lambda path, text: shown(metadata={"image/png": {"alt": text}}),
    "html.ipynb": lambda path, text: shown({"text/html": [f"<div>{escape(text)}</div>"]}),
    "picture.ipynb": lambda path, text: shown({"image/png": uri(text).split(",")[1]}),
    "traceback.ipynb": lambda path, text: notebook(
        {"output_type": "error", "ename": "E", "evalue": "x", "traceback": ["\x1b[31mline\x1b[0m", text]}
    ),
    "text.png": lambda path, text: picture(text, b"tEXt"),
    "packed.png": lambda path, text: picture(text, b"zTXt"),
    "unicode.png": lambda path, text: picture(text, b"iTXt"),
    "prose.docx": word,
    "paper.pdf": lambda path, text: typst.compile(
        f"#set page(width: 60cm)\n#{json.dumps(text)}".encode(), format="pdf"
    ),
}


@pytest.fixture(scope="module")
def scanner():
    return Scanner(HIDDEN, names=NAMES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("scan")


def is_found(scanner, path):
    return [leak.what for leak in scanner.scan([path], base=path.parent)] == ["hidden number"]


@pytest.mark.parametrize("name", SENTENCES)
@settings(max_examples=20)
@given(text=TEXT)
def test_a_sentence_tells_in_every_kind_of_file_what_it_tells_in_plain_words(scanner, folder, name, text):
    path = folder / name
    path.write_bytes(SENTENCES[name](path, text))
    assert is_found(scanner, path) == is_told(text, name)


@pytest.mark.parametrize("name", SENTENCES)
@pytest.mark.parametrize("at", [0, 3, 5])
def test_a_planted_cell_is_found_in_every_kind_of_file(scanner, folder, name, at):
    cell = HIDDEN.iloc[at]
    text = (
        f"{INDICATORS[cell['indicator']]} at {SITES[cell['site_id']]}, {cell['subgroup']}, "
        f"{PERIODS[cell['period']]}: {cell['numerator']:.0f} of {cell['denominator']:.0f}"
    )
    path = folder / name
    path.write_bytes(SENTENCES[name](path, text))
    assert is_found(scanner, path)


def table_file(path, *, caption, heading, rows):
    if path.suffix == ".docx":
        document = Document()
        document.add_heading(caption)
        sheet = document.add_table(rows=0, cols=len(heading))
        for row in (heading, *rows):
            for cell, text in zip(sheet.add_row().cells, row, strict=True):
                cell.text = text
        document.save(path)
        return
    lines = "".join(
        "<tr>" + "".join(f'<{tag} style="text-align:left">{escape(text)}</{tag}>' for text in row) + "</tr>"
        for tag, part in (("th", [heading]), ("td", rows))
        for row in part
    )
    # a table with an attribute of its own is read tag by tag
    start = '<table id="x">' if path.stem == "other" else "<table>"
    page = (
        f"<h2>Fine</h2>{start}<caption>{escape(caption)}</caption><tbody>{lines}</tbody></table><p>Fine.</p>"
    )
    path.write_bytes(shown({"text/html": [page]}) if path.suffix == ".ipynb" else page.encode())


CELLS = st.sampled_from(
    [*NUMBERS, *GROUPS, *GROUPS, *GROUPS, "23 of 61", "Chronic absence 2018-19", "Oak Street: Latinx", "rate"]
)


@pytest.mark.parametrize("name", ["page.html", "other.html", "page.ipynb", "page.docx"])
@settings(max_examples=20)
@given(
    caption=st.sampled_from(
        [
            "Chronic absence, Oak Street, 2019",
            "Graduation, elm, rate, 2019-20",
            "Graduation, Oak Street",
            "elm",
        ]
    ),
    heading=st.lists(
        st.sampled_from(["n", "count", "rate", "Group", "2018-19", "Black"]), min_size=3, max_size=3
    ),
    rows=st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=3),
)
def test_a_table_tells_what_its_rows_tell_in_plain_words(scanner, folder, name, caption, heading, rows):
    path = folder / name
    table_file(path, caption=caption, heading=heading, rows=rows)
    expected = any(
        is_told(text, " | ".join([heading[column], *row, caption, "Fine", name]), heading[column])
        for row in rows
        for column, text in enumerate(row)
    )
    assert is_found(scanner, path) == expected


@pytest.mark.parametrize("name", ["cells.csv", "cells.parquet"])
@settings(max_examples=20)
@given(
    cell=st.sampled_from(HIDDEN.to_dict("records")),
    period=st.sampled_from(["2019", "2020"]),
    column=st.sampled_from(["numerator", "n", "rate", "estimate"]),
    number=st.sampled_from([23.0, 61.0, 23 / 61, 2300 / 61, 40.0, 0.575]),
)
def test_a_row_of_a_frame_tells_what_it_tells_in_plain_words(
    scanner, folder, name, cell, period, column, number
):
    row = {key: cell[key] for key in KEY} | {"period": period, column: number}
    frame, path = pd.DataFrame([row]), folder / name
    frame.to_csv(path, index=False) if name.endswith("csv") else frame.to_parquet(path)
    secrets = {"numerator": ["numerator"], "n": ["denominator"], "rate": ["rate"], "estimate": ["rate"]}[
        column
    ]
    expected = any(
        all(row[key] == other[key] for key in KEY)
        and any(
            np.isclose(number, scale * other[s], rtol=0, atol=1e-7) for s in secrets for scale in (1, 100)
        )
        for other in HIDDEN.to_dict("records")
    )
    assert is_found(scanner, path) == expected
