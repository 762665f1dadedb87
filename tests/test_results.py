"""Results are the same when read back, and their files are safe to open."""

import numpy as np
import pandas as pd
import pytest

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
