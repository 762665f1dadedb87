"""Results are the same when read back, and their files are safe to open."""

import csv
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import DataError
from evalkit.results import TIDY_COLUMNS, Result, read_result, save_result, tidy_frame


@pytest.fixture
def result():
    tidy = tidy_frame(
        [{"method": "equity_gaps", "subgroup": "=cmd()", "estimate": 1.5, "note": "because"}, {}]
    )
    return Result(
        method="equity_gaps", title="Who?", design={"conf_level": 0.95}, tidy=tidy, narrative=("One.", "Two.")
    )


def test_a_tidy_frame_has_the_columns_of_the_contract_in_order(result):
    assert tuple(result.tidy.columns) == TIDY_COLUMNS
    assert result.tidy["note"].tolist() == ["because", ""]
    assert np.isnan(result.tidy["estimate"].iloc[1])


def test_a_column_that_the_contract_does_not_know_is_refused():
    with pytest.raises(ValueError, match="not a column of a tidy result: se"):
        tidy_frame([{"se": 1}])


def test_a_result_read_back_is_the_one_that_was_saved(result, tmp_path):
    save_result(result, tmp_path / "results", inputs={"b": "2", "a": "1"})
    again = read_result(tmp_path / "results", "equity_gaps")
    pd.testing.assert_frame_equal(again.tidy, result.tidy)
    assert again.summary() == "One.\n\nTwo."
    assert again.design == result.design


def test_saving_twice_writes_the_same_bytes(result, tmp_path):
    for name in ("one", "two"):
        save_result(result, tmp_path / name, inputs={})
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files
    assert all(
        (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes() for name in files
    )


def test_a_spreadsheet_formula_is_neutralised_in_the_csv_only(result, tmp_path):
    save_result(result, tmp_path, inputs={})
    assert "'=cmd()" in (tmp_path / "equity_gaps.tidy.csv").read_text(encoding="utf-8")
    assert read_result(tmp_path, "equity_gaps").tidy["subgroup"].iloc[0] == "=cmd()"


SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20"
UNSEEN = " \t\r\n\xa0\u3000\u200b\ufeff\x00"


def csv_rows(frame):
    """Save a frame and read its CSV file as any program would that knows the format."""
    made = Result(method="m", title="T", design={}, tidy=tidy_frame([]), augment=frame)
    with tempfile.TemporaryDirectory() as folder:
        save_result(made, Path(folder), inputs={})
        with (Path(folder) / "m.augment.csv").open(encoding="utf-8", newline="") as stream:
            return list(csv.reader(stream))


def would_run(cell):
    return cell.lstrip(UNSEEN + '"')[:1] in {*SIGNS}


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("\t=1+1", "' =1+1"),
        (" =1+1", "' =1+1"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("\uff0b1", "'\uff0b1"),
        ("\uff0d1", "'\uff0d1"),
        ("\uff20SUM(A1)", "'\uff20SUM(A1)"),
        ('"=1+1', "'\"=1+1"),
        ("'=1+1", "''=1+1"),
        ("\r=1+1", "' =1+1"),
        ("Oak\r=1+1", "Oak =1+1"),
        ("Oak\r\n\t=1+1", "Oak =1+1"),
        ("\ufeff=1+1", "'\ufeff=1+1"),
        ("\u22125 points", "\u22125 points"),  # a true minus sign begins no formula
        ("Oak, Elm and 'Ash'", "Oak, Elm and 'Ash'"),
        ("O'Connell = Gaston", "O'Connell = Gaston"),
    ],
)
def test_text_that_a_spreadsheet_would_run_gets_an_apostrophe_and_stays_in_its_row(text, cell):
    assert csv_rows(pd.DataFrame({"site": [text, "last"], "change": [-5.25, 1.0]})) == [
        ["site", "change"],
        [cell, "-5.25"],
        ["last", "1.0"],
    ]


def test_a_heading_that_a_spreadsheet_would_run_is_neutralised_too():
    assert csv_rows(pd.DataFrame({"\ufeff=1+1": ["a"], "\r@SUM": ["b"]}))[0] == ["'\ufeff=1+1", "' @SUM"]


texts = st.text(st.sampled_from(SIGNS + UNSEEN + "'\",;ab1\u2212"), max_size=6) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=6
)


@given(st.lists(st.tuples(texts, texts), max_size=5), st.lists(texts, min_size=2, max_size=2, unique=True))
def test_a_csv_file_has_the_rows_of_its_frame_and_no_cell_that_a_spreadsheet_would_run(rows, headings):
    frame = pd.DataFrame(rows, columns=headings, dtype="str")
    read = csv_rows(frame)
    assert [len(row) for row in read] == [2] * (1 + len(rows))
    assert not [cell for row in read for cell in row if would_run(cell)]


def test_a_result_that_was_never_saved_is_told_with_the_mend(tmp_path):
    with pytest.raises(DataError, match="run `evalkit run` first"):
        read_result(tmp_path, "comparison")


def test_a_long_result_shows_its_first_rows_and_says_where_the_others_are():
    long = tidy_frame([{"method": "equity_gaps", "period": str(1000 + row)} for row in range(1_234)])
    shown = Result(method="equity_gaps", title="Who?", design={}, tidy=long)._repr_html_()
    assert shown.count("<tr>") == 1 + 100
    assert "The first 100 of 1,234 estimates." in shown
    assert ">1099<" in shown
    assert ">1100<" not in shown
