"""Totals whose parts do not add up: persons in no part listed, miscounts, and groups that overlap."""

import numpy as np
import pandas as pd
import pytest

from evalkit.disclosure.cells import attack, protect
from evalkit.errors import DataError
from tests.benchmarks.disclosure import SMALL, WIDTH, attacked, frame_of, random_counts


def one_way(**counts):
    return pd.DataFrame(list(counts.items()), columns=["group", "n"])


def hidden_of(cells, **choice):
    shown = protect(cells, dimensions=["group"], count="n", **choice)
    return set(shown.loc[shown["status"].eq("hidden"), "group"])


def told_ranges(cells, hidden, *, attacker="symbols"):
    told = cells.assign(status=np.where(cells["group"].isin(hidden), "hidden", "shown"))
    found = attack(told, dimensions=["group"], count="n", attacker=attacker)
    return {item.group: (item.low, item.high) for item in found.itertuples()}


def test_few_persons_whom_no_part_lists_are_kept_like_a_small_count():
    # 100 − 37 − 60 = 3: hiding the 37 leaves 40 for both, of which 1 to 9 are not listed.
    cells = one_way(All=100, B=37, C=60)
    assert hidden_of(cells) == {"B"}
    assert told_ranges(cells, {"B"}) == {"B": (31, 39)}
    assert told_ranges(cells, {"B"}, attacker="non-negative") == {"B": (0, 40)}


def test_many_persons_whom_no_part_lists_cost_nothing_and_protect_a_small_count():
    assert hidden_of(one_way(All=100, B=37, C=40)) == set()
    # 200 − 144 = 56 are not listed, so A follows from nothing: A + 56 = 60, A of 1 to 9.
    cells = one_way(All=200, A=4, B=30, C=50, D=60)
    assert hidden_of(cells) == {"A"}
    assert told_ranges(cells, {"A"}) == {"A": (1, 9)}


def test_one_person_whom_no_part_lists_is_no_protection():
    # 145 − 144 = 1: beside it A would be 1 to 4, so the next smallest part goes too.
    assert hidden_of(one_way(All=145, A=4, B=30, C=50, D=60)) == {"A", "B"}


def test_persons_outside_two_listings_at_once_are_kept_too():
    # x, y and others by a, b and others; outside both are 213 − 170 − 170 + 130 = 3, while every listing by
    # itself leaves 20 or more out.
    cells = frame_of(np.array([[30, 40, 20], [25, 35, 20], [20, 20, 3]]), ("row", "column"))
    listed = ~(cells["row"].eq("row 3") | cells["column"].eq("column 3"))
    shown = protect(cells[listed], dimensions=["row", "column"], count="n")
    assert shown["status"].eq("hidden").any()
    hidden = ~listed
    hidden[listed] = shown["status"].eq("hidden")
    widths = attacked(cells, ["row", "column"], hidden.to_numpy())
    assert widths[cells.loc[hidden, "n"].eq(3).to_numpy()].item() >= WIDTH


@pytest.mark.parametrize("seed", range(6))
def test_tables_that_list_only_some_groups_give_no_small_rest_away(seed):
    rng = np.random.default_rng(seed)
    cells = frame_of(random_counts(rng, (5, 4), (300, 600)), ("race", "grade"))
    names = ["race", "grade"]
    listed = ~(cells["race"].eq("race 5") | cells["grade"].eq("grade 4")).to_numpy()
    shown = protect(cells[listed], dimensions=names, count="n")
    truth = cells["n"].to_numpy()
    hidden = ~listed & (truth > 0)
    hidden[listed] = shown["status"].eq("hidden")
    narrow = attacked(cells, names, hidden)[truth[hidden] < SMALL] < WIDTH - 1e-6
    most = (truth > 0) & ~cells[names].eq("All").all(axis=1).to_numpy()
    at_most = attacked(cells, names, most)[(truth[most] < SMALL) & hidden[most]]
    assert not (narrow & (at_most >= WIDTH)).any()


def test_an_attack_learns_from_what_is_shown_that_a_list_is_incomplete():
    first = one_way(All=100, B=37, C=40).assign(year=2019, status="shown")
    second = one_way(All=50, B=np.nan, C=20).assign(year=2020, status=["shown", "hidden", "shown"])
    both = pd.concat([first, second], ignore_index=True)
    # in 2020 alone B is 50 − 20; in 2019 some persons are in neither B nor C, so in 2020 there may be as well
    for cells, low in ((second, 30), (both, 0)):
        found = attack(cells, dimensions=["group", "year"], count="n", attacker="non-negative")
        assert found[["low", "high"]].to_numpy().tolist() == [[low, 30]]


def test_a_miscount_leaves_no_hidden_count_alone_in_its_sum():
    # 4 + 30 + 50 + 60 = 144, one more than the total: A alone would be 143 − 140, wrong by one.
    cells = one_way(All=143, A=4, B=30, C=50, D=60)
    assert hidden_of(cells) == {"A", "B"}
    assert told_ranges(cells, {"A", "B"}) == {"A": (1, 9), "B": (25, 33)}


@pytest.mark.parametrize(("total", "is_refused"), [(141, False), (140, True), (104, True)])
def test_an_excess_as_great_as_the_smallest_part_may_be_an_overlap(total, is_refused):
    cells = one_way(All=total, A=4, B=30, C=50, D=60)  # 144
    if not is_refused:
        assert hidden_of(cells) == {"A", "B"}
        return
    with pytest.raises(
        DataError, match=rf"^All: its parts \(A; B; C; …\) exceed it by {144 - total}, .* `groups`"
    ):
        hidden_of(cells)


def test_an_overlap_must_be_declared_and_then_is_part_of_the_attack():
    cells = one_way(All=100, A=4, B=36, C=60, AB=40)
    with pytest.raises(DataError, match="exceed it by 40"):
        hidden_of(cells)
    hidden = hidden_of(cells, groups={"group": {"AB": ["A", "B"]}})
    assert hidden == {"A", "B"}  # 40 and 100 − 60 both leave A + B = 40
    assert hidden_of(one_way(All=100, A=40, B=60, several=7), groups={"group": {"several": []}}) == {
        "several"
    }


def test_a_group_stands_for_its_members_where_they_are_not_listed():
    fine = [("All", 104), ("1", 20), ("2", 44), ("lower", 64), ("3", 40)]
    coarse = [("All", 100), ("lower", 4), ("3", 96)]
    rows = [(*row, year) for year, table in ((2019, fine), (2020, coarse)) for row in table]
    cells = pd.DataFrame(rows, columns=["group", "n", "year"])
    groups = {"group": {"lower": ["1", "2"]}}
    shown = protect(cells, dimensions=["group", "year"], count="n", groups=groups)
    # in 2020 the lower grades are 100 − 96
    assert shown["status"].tolist() == ["shown"] * 6 + ["hidden"] * 2


def test_rounded_counts_leave_a_rest_its_range_and_an_attack_knows_that_there_is_one():
    # midpoint6 prints 37 as 39, for 37 to 42; 20 as 21, for 19 to 24; and 100 as 99, for 97 to 102.
    cells = one_way(All=100, B=37, C=20)
    shown = protect(cells, dimensions=["group"], count="n", rule="midpoint6")
    assert shown["n"].tolist() == [99, 39, 21]
    for known in (shown, cells.assign(status=shown["status"])):
        found = attack(known, dimensions=["group"], count="n", rule="midpoint6")
        assert found[["low", "high"]].to_numpy().tolist() == [[97, 102], [37, 42], [19, 24]]
