"""The scan of what was written finds each kind of leak in each kind of file, and raises no false alarm."""

import base64
import json
import pickle
import struct
import zlib

import numpy as np
import pandas as pd
import pytest
from docx import Document

from evalkit.checks import KEY
from evalkit.disclosure.hidden import hidden_numbers
from evalkit.disclosure.scan import Scanner, scan_outputs

CELL = {
    "indicator": "chronic_absence",
    "site_id": "oak",
    "unit_id": "all",
    "population": "target_school",
    "period": "2019",
    "dimension": "race_ethnicity",
    "subgroup": "Latinx",
}
HIDDEN = pd.DataFrame(
    [{**CELL, "numerator": 23.0, "denominator": 61.0, "rate": 23 / 61, "lower": np.nan, "upper": np.nan}]
)
NAMES = {"chronic_absence": ["Chronic absence"], "oak": ["Oak Street"]}
STATEMENT = "The principal told us in confidence that the roster was changed in March."


def scan(folder, **more):
    return scan_outputs(folder, HIDDEN, restricted=[STATEMENT], names=NAMES, **more)


def kinds(folder):
    return {leak.what for leak in scan(folder)}


def notebook(output):
    cell = {"cell_type": "code", "source": [], "metadata": {}, "execution_count": 1, "outputs": [output]}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def png(text, kind=b"tEXt"):
    body = b"Description\x00" + (b"\x00\x00\x00\x00" if kind == b"iTXt" else b"") + text.encode()
    chunks = [(b"IHDR", b"\x00" * 13), (kind, body), (b"IEND", b"")]
    packed = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


TOLD = "Chronic absence among Latinx students in 2018-19 was 23 of 61."
IN_WORDS = "Chronic absence, Latinx, 2019: a rate of 37.7 %."  # 23/61 = 0.37705
TABLE = (
    "<h2>Chronic absence</h2><table><tr><th>Group</th><th>Rate in 2019</th></tr>"
    "<tr><th>Latinx</th><td>37.7</td></tr></table>"
)


@pytest.mark.parametrize("text", [TOLD, IN_WORDS, f"Nothing here. {IN_WORDS} Nor here."])
@pytest.mark.parametrize("name", ["run.log", "notes.md", "results.json", "page.html", "unknown.thing"])
def test_a_sentence_that_names_the_cell_and_its_number_is_found(tmp_path, name, text):
    (tmp_path / name).write_text(json.dumps({"narrative": [text]}) if name.endswith("json") else text)
    assert kinds(tmp_path) == {"hidden number"}


def test_a_table_of_a_page_is_read_with_its_heading_row_and_column(tmp_path):
    (tmp_path / "page.html").write_text(TABLE)
    assert kinds(tmp_path) == {"hidden number"}


@pytest.mark.parametrize(
    "output",
    [
        {"output_type": "display_data", "data": {"text/html": [TABLE]}, "metadata": {}},
        {"output_type": "stream", "name": "stderr", "text": [TOLD]},
        {"output_type": "error", "ename": "E", "evalue": "x", "traceback": ["\x1b[31mline\x1b[0m", TOLD]},
        {"output_type": "display_data", "data": {}, "metadata": {"image/png": {"alt": IN_WORDS}}},
        {
            "output_type": "display_data",
            "data": {"image/png": base64.b64encode(png(TOLD)).decode()},
            "metadata": {},
        },
    ],
    ids=["html", "stderr", "traceback", "alt text", "picture"],
)
def test_every_part_of_a_notebook_is_read(tmp_path, output):
    (tmp_path / "page.ipynb").write_text(notebook(output))
    assert kinds(tmp_path) == {"hidden number"}


@pytest.mark.parametrize("kind", [b"tEXt", b"iTXt"])
def test_the_texts_of_a_picture_are_read(tmp_path, kind):
    (tmp_path / "chart.png").write_bytes(png(IN_WORDS, kind))
    assert kinds(tmp_path) == {"hidden number"}


def test_word_is_read_in_prose_and_tables(tmp_path):
    document = Document()
    document.add_paragraph(TOLD)
    document.save(tmp_path / "prose.docx")
    document = Document()
    document.add_heading("Chronic absence")
    table = document.add_table(rows=2, cols=3)
    for cell, text in zip(table.rows[0].cells, ("Group", "2018-19 rate", "of"), strict=True):
        cell.text = text
    for cell, text in zip(table.rows[1].cells, ("Latinx", "37.7", "n"), strict=True):
        cell.text = text
    document.save(tmp_path / "table.docx")
    assert [leak.path.name for leak in scan(tmp_path)] == ["prose.docx", "table.docx"]


@pytest.mark.parametrize("name", ["cells.csv", "cells.parquet"])
@pytest.mark.parametrize(
    ("column", "value"), [("numerator", 23), ("n", 61), ("rate", 23 / 61), ("estimate", 2300 / 61)]
)
def test_a_row_that_names_the_cell_is_found(tmp_path, name, column, value):
    frame = pd.DataFrame([{**CELL, column: value}])
    frame.to_csv(tmp_path / name, index=False) if name.endswith("csv") else frame.to_parquet(tmp_path / name)
    assert kinds(tmp_path) == {"hidden number"}


@pytest.mark.parametrize(
    "text",
    [
        "Chronic absence among Latinx students in 2020 was 23 of 61.",
        "Chronic absence among Black students in 2019 was 23 of 61.",
        "Graduation among Latinx students in 2019 was 23 of 61.",
        "In 2019, 23 Latinx families came to talk about chronic absence.",
        "The share of Latinx students fell by 37.7 percent.",
    ],
)
def test_the_same_number_of_another_cell_is_no_leak(tmp_path, text):
    (tmp_path / "page.html").write_text(f"<p>{text}</p>")
    (tmp_path / "page.md").write_text(text)
    assert scan(tmp_path) == []


def test_rows_of_other_cells_model_estimates_and_ends_of_ranges_are_no_leak(tmp_path):
    rows = [{**CELL, "period": "2020", "rate": 23 / 61}, {**CELL, "rate": np.nan, "level_change": -3.2}]
    pd.DataFrame(rows).to_csv(tmp_path / "cells.csv", index=False)
    (tmp_path / "empty.csv").write_text("\n")
    assert scan(tmp_path) == []
    ranged = HIDDEN.assign(denominator=np.nan, lower=0.3, upper=23 / 61)
    pd.DataFrame([{**CELL, "rate_high": 2300 / 61}]).to_csv(tmp_path / "cells.csv", index=False)
    assert scan_outputs(tmp_path, ranged) == []


@pytest.mark.parametrize("column", ["student_id", "Student ID", "first_name", "date_of_birth", "SSN"])
def test_rows_of_persons_are_found_by_their_columns(tmp_path, column):
    pd.DataFrame({column: ["a"], "absent": [1]}).to_csv(tmp_path / "rows.csv", index=False)
    (tmp_path / "page.html").write_text(f"<table><tr><th>{column}</th></tr><tr><td>a</td></tr></table>")
    assert [leak.what for leak in scan(tmp_path)] == ["person's row", "person's row"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("page.html", f"<p>{STATEMENT.replace('in confidence', '<em>in</em> confidence')}</p>"),
        ("log.txt", "  ".join(STATEMENT.upper().split())),
        ("evidence.csv", f'id,statement\n1,"{STATEMENT}"\n'),
        ("notes.md", STATEMENT.replace("told us ", "told us\n")),
    ],
)
def test_restricted_text_is_found_however_it_is_set(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert kinds(tmp_path) == {"restricted text"}


def test_a_leak_never_repeats_what_leaked(tmp_path):
    (tmp_path / "page.md").write_text(f"{TOLD} {STATEMENT}")
    said = " ".join(map(str, scan(tmp_path)))
    assert "page.md: hidden number (chronic_absence, oak, 2019, Latinx)" in said
    assert "61" not in said
    assert "principal" not in said


def test_a_scanner_finds_in_each_batch_what_is_found_in_all_and_can_be_sent_to_another_process(tmp_path):
    for name, text in (("page.md", TOLD), ("deeper/log.txt", STATEMENT), ("fine.md", "Nothing.")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    scanner = pickle.loads(pickle.dumps(Scanner(HIDDEN, restricted=[STATEMENT], names=NAMES)))
    batches = [scanner.scan([path], base=tmp_path) for path in sorted(tmp_path.rglob("*"))]
    assert [leak for batch in batches for leak in batch] == scan(tmp_path)
    assert len(scan(tmp_path)) == 2


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    (tmp_path / "broken.docx").write_bytes(b"no zip")
    (tmp_path / "broken.parquet").write_bytes(b"no parquet")
    assert {leak.what for leak in scan(tmp_path)} == {"not read"}


def test_hidden_numbers_are_those_that_a_release_keeps_back():
    more = {"value": np.nan, "lower": np.nan, "upper": np.nan}
    full = pd.DataFrame(
        [
            {**CELL, **more, "numerator": 23.0, "denominator": 61.0},
            {**CELL, **more, "period": "2020", "numerator": 3.0, "denominator": 60.0},
            {**CELL, **more, "period": "2021", "numerator": 30.0, "denominator": 60.0},
        ]
    )
    shown = full.copy()
    shown.loc[0, ["numerator", "denominator"]] = np.nan
    shown.loc[1, ["numerator", "lower", "upper"]] = np.nan, 0.0, 0.05
    kept = hidden_numbers(full, shown)
    assert kept["period"].tolist() == ["2019", "2020"]
    assert kept["denominator"].fillna(0).tolist() == [61, 0]
    assert kept["rate"].round(4).tolist() == [round(23 / 61, 4), 0.05]
    assert list(kept.columns[:7]) == list(KEY)


@pytest.mark.parametrize(
    ("text", "leaks"),
    [
        ("Chronic absence among Latinx students in 2018-19: 4 of 61.", 1),
        ("Chronic absence, Latinx, 2018-19: 4 out of 61 students.", 1),
        ("Chronic absence, Latinx, 2018-19: 4/61.", 1),
        ("Chronic absence, Latinx, 2018-19: fewer than 10 of 61.", 0),
        ("Chronic absence, Latinx, 2018-19: n = 61; 4 schools.", 0),
        ("Attendance, Latinx, 2018-19: 4 of 61.", 0),
    ],
)
def test_a_hidden_count_is_told_beside_a_number_of_persons_that_is_shown(tmp_path, text, leaks):
    hidden = pd.DataFrame(
        [{**CELL, "numerator": 4.0, "denominator": np.nan, "rate": 4 / 61, "lower": 0, "upper": 9 / 61}]
    ).assign(persons=61.0)
    (tmp_path / "page.txt").write_text(text)
    assert len(scan_outputs(tmp_path, hidden, names=NAMES)) == leaks


def test_an_end_of_the_range_that_is_shown_may_be_written_as_a_count(tmp_path):
    hidden = pd.DataFrame(
        [{**CELL, "numerator": 9.0, "denominator": np.nan, "rate": 9 / 61, "lower": 0, "upper": 9 / 61}]
    ).assign(persons=61.0)
    (tmp_path / "page.txt").write_text("Chronic absence, Latinx, 2018-19: at most 9 of 61.")
    assert scan_outputs(tmp_path, hidden, names=NAMES) == []


DIFFERENCES = {
    "heading": ("Worst case", "–"),
    "unit": ("Estimate", "percentage points"),
}


@pytest.mark.parametrize(("column", "unit"), DIFFERENCES.values(), ids=DIFFERENCES)
def test_a_difference_that_happens_to_be_a_hidden_rate_is_no_leak(tmp_path, column, unit):
    row = pd.DataFrame([{**{name: CELL[name] for name in KEY}, column.lower(): 100 * 23 / 61, "unit": unit}])
    row.to_csv(tmp_path / "row.csv", index=False)
    head = f"<tr><th>Group</th><th>{column} in 2019</th><th>Unit</th></tr>"
    cells = f"<tr><th>Latinx</th><td>37.7</td><td>{unit}</td></tr>"
    (tmp_path / "page.html").write_text(f"<h2>Chronic absence rate</h2><table>{head}{cells}</table>")
    assert scan(tmp_path) == []


def test_the_same_number_as_a_rate_is_a_leak(tmp_path):
    row = pd.DataFrame([{**{name: CELL[name] for name in KEY}, "estimate": 100 * 23 / 61, "unit": "percent"}])
    row.to_csv(tmp_path / "row.csv", index=False)
    head = "<tr><th>Group</th><th>Estimate in 2019</th><th>Unit</th></tr>"
    cells = "<tr><th>Latinx</th><td>37.7</td><td>percent</td></tr>"
    (tmp_path / "page.html").write_text(f"<h2>Chronic absence rate</h2><table>{head}{cells}</table>")
    assert [leak.path.name for leak in scan(tmp_path)] == ["page.html", "row.csv"]


@pytest.mark.parametrize(("group", "leaks"), [("low income", 1), ("Low income", 1), ("not low income", 0)])
def test_a_group_is_not_named_by_its_opposite(tmp_path, group, leaks):
    hidden = HIDDEN.assign(dimension="income", subgroup="low income")
    (tmp_path / "page.txt").write_text(f"Chronic absence, {group}, 2019: a rate of 37.7 %.")
    assert len(scan_outputs(tmp_path, hidden, names=NAMES)) == leaks
