"""Tables that are none, turned back with one sentence that names the row and the mend."""

import numpy as np
import pandas as pd
import pytest

from evalkit.disclosure.cells import attack, protect
from evalkit.errors import DataError, ParameterError


def table(*counts, names=("All", "A", "B", "C"), dtype=None):
    return pd.DataFrame({"group": names, "n": pd.Series(counts, dtype=dtype)})


GOOD = table(100, 4, 36, 60)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (table(100, 9.5, 30.5, 60), r"A: n is 9\.5; every cell needs a count of 0 or more, in whole persons"),
        (table(100, 0.5, 39.5, 60), r"A: n is 0\.5; "),
        (table("100", "*", "36", "60"), r"A: n is '\*'; "),
        (table(np.inf, 4, 36, 60), "All: n is inf; "),
        (table(100, -4, 44, 60), "A: n is -4; "),
        (table(100, None, 36, 60), "A: n is empty; every cell needs a count"),
        (GOOD.iloc[:0], "n: there are no cells"),
        (GOOD.drop(columns="group"), "group: absent column"),
        (
            table(100, 4, 36, 60, names=("All", "A", None, "C")),
            "row 3: group is empty; .* 'All' for a margin",
        ),
    ],
)
def test_what_is_no_count_is_named_with_its_row(cells, words):
    with pytest.raises(DataError, match=f"^{words}"):
        protect(cells, dimensions=["group"], count="n")


def test_whole_numbers_may_come_as_text_floats_or_integers_with_gaps():
    for dtype in (str, float, "Int64"):
        cells = table(100, 4, 36, 60) if dtype is not str else table("100", "4", "36", "60")
        cells = cells.astype({"n": dtype})
        shown = protect(cells, dimensions=["group"], count="n")
        assert shown["status"].tolist() == ["shown", "hidden", "hidden", "shown"]


@pytest.mark.parametrize("label", ["all", "ALL", "Total", "total", "All "])
@pytest.mark.parametrize("count", [100, 104])
def test_a_total_under_another_name_is_not_taken_for_a_group(label, count):
    cells = table(count, 4, 36, 60, names=(label, "A", "B", "C"))
    with pytest.raises(DataError, match=f"^group: '{label}' is a total of the others; write 'All'"):
        protect(cells, dimensions=["group"], count="n")
    with pytest.raises(DataError, match=f"^group: '{label}' is a total of the others; write 'All'"):
        attack(cells.assign(status="shown"), dimensions=["group"], count="n")


def test_a_group_that_is_only_called_like_a_total_is_a_group():
    cells = table(100, 20, 30, 50, names=("All", "A", "Total", "C"))
    assert protect(cells, dimensions=["group"], count="n")["status"].eq("shown").all()


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ({"group": {"AB": ["A", "Bee"]}}, "groups, group: no cell has 'Bee'; known: A, "),
        ({"group": {"A+B": ["A", "B"]}}, "groups, group: no cell has 'A[+]B'"),
        ({"grup": {"AB": ["A", "B"]}}, "groups: there is no dimension 'grup'; did you mean 'group'?"),
        ([], "groups is .*; it must give dimension, group and its members"),
        ({"group": ["AB"]}, "groups, group: it must give each group a list of members"),
        ({"group": {"AB": "AB"}}, "groups, group: it must give each group a list of members"),
    ],
)
def test_groups_that_name_what_is_not_there_are_refused(groups, words):
    cells = table(100, 4, 36, 60, 40, names=("All", "A", "B", "C", "AB"))
    with pytest.raises(ParameterError, match=f"^{words}"):
        protect(cells, dimensions=["group"], count="n", groups=groups)


@pytest.mark.parametrize(
    ("dimensions", "words"),
    [
        ("group", "dimensions is 'group'; it must be a list of columns"),
        ([], r"dimensions is \[\]; it must be a list of columns"),
        (["group", "group"], "dimensions: group is given twice"),
        (["group", "n"], "dimensions: n is given twice"),
    ],
)
def test_dimensions_are_a_list_of_different_columns(dimensions, words):
    with pytest.raises(ParameterError, match=f"^{words}"):
        protect(GOOD, dimensions=dimensions, count="n")
