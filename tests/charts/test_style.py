"""Words from data are drawn as they are written: a dollar sign is money, never the beginning of a formula."""

import ast
import io
from pathlib import Path

import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib.figure import Figure

from evalkit.charts.boxes import text_width
from evalkit.charts.coverage import status_matrix
from evalkit.charts.display import show
from evalkit.charts.style import figure_of, house_style, new_axes

INCOMES = "Earns $20,000 to $40,000"
LINKED = r"See $\href{here}{x}$"  # matplotlib's formulas know no such word and raise an error
CHARTS = sorted((Path(__file__).parents[2] / "evalkit" / "charts").glob("*.py"))


def matrix(label, ax=None):
    statuses = ("reported", "censored", "suppressed", "missing")
    augment = pd.DataFrame(
        {
            "indicator": "earnings",
            "label": label,
            "population": "resident",
            "dimension": "all",
            "subgroup": "All",
            "year": ["2016", "2017", "2018", "2019"],
            "status": statuses,
            "n": 30.0,
            "break_reason": "",
            "source": label,
        }
    )
    return status_matrix({"augment": augment}, ax=ax)


def words_of(ax):
    with mpl.rc_context({"svg.fonttype": "none"}):
        buffer = io.StringIO()
        figure_of(ax).savefig(buffer, format="svg")
    return buffer.getvalue()


@pytest.mark.parametrize("label", [INCOMES, LINKED])
def test_dollar_signs_in_a_label_and_a_source_are_drawn_as_they_are(label):
    ax = matrix(label)
    assert words_of(ax).count(f"{label}</text>") == 1
    assert f">Source: {label}; n = 30" in words_of(ax)
    assert show(ax).png.startswith(b"\x89PNG")


def test_dollar_signs_are_drawn_as_they_are_in_axes_that_a_caller_brings():
    ax = Figure().add_subplot()
    matrix(INCOMES, ax=ax).set_title(INCOMES, loc="left")
    assert words_of(ax).count(f"{INCOMES}</text>") == 2


def test_a_callers_own_formula_stays_one():
    ax = Figure().add_subplot()
    ax.set_title(r"$\beta$")
    assert new_axes(ax).title.get_parse_math()


def test_a_label_with_dollar_signs_is_as_wide_as_its_letters_whatever_the_callers_settings():
    # in DejaVu Sans a dollar sign is as wide as a digit
    assert text_width("$1$2") == pytest.approx(text_width("8182"), rel=0.05)


def test_the_house_style_does_not_outlast_its_block():
    before = mpl.rcParams["text.parse_math"]
    with house_style():
        assert not mpl.rcParams["text.parse_math"]
    assert mpl.rcParams["text.parse_math"] == before


@pytest.mark.parametrize("path", CHARTS, ids=lambda path: path.name)
def test_no_chart_of_ours_is_written_as_a_formula(path):
    texts = [node.value for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
             if isinstance(node, ast.Constant) and isinstance(node.value, str)]  # fmt: skip
    assert not [text for text in texts if text.count("$") > 1]
