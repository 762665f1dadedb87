"""Everything published of the demonstration taken as equations: no hidden cell is pinned within 5 persons."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evalkit.equity import equity_gaps
from evalkit.views import open_site
from evalkit.workspace import init_workspace
from tests.disclosure.test_released import attack

CELL = ["indicator", "site_id", "population", "period", "dimension", "subgroup"]
SITES = sorted(
    path.stem
    for path in (Path(__file__).resolve().parents[2] / "parameters" / "demo" / "sites").glob("*.yml")
)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return init_workspace(tmp_path_factory.mktemp("home") / "workspace").root


def with_what_the_gaps_tell(frame, tidy, references):
    """Write into the release all that rates, differences, ratios and numbers of persons give away of it."""
    known = frame.set_index(CELL)
    rates = (known["numerator"] / known["denominator"]).to_dict()
    persons = known["denominator"].to_dict()
    for item in tidy.itertuples():
        key = (item.indicator, item.site_id, item.population, item.period, item.dimension, item.subgroup)
        if key not in rates or item.term not in {"rate", "difference", "ratio"}:
            continue
        if item.term == "rate":
            if not np.isnan(item.estimate):
                rates[key] = item.estimate / 100
            if not np.isnan(item.n):
                persons[key] = item.n
            continue
        reference = (*key[:-1], references[item.dimension])
        if not np.isnan(item.n):
            if not np.isnan(persons[reference]):
                persons[key] = item.n - persons[reference]
            elif not np.isnan(persons[key]):
                persons[reference] = item.n - persons[key]
        if np.isnan(item.estimate):
            continue
        # a gap between two hidden rates would tell of both; there may be none
        assert not (np.isnan(rates[key]) and np.isnan(rates[reference]))
        if item.term == "difference":
            rates[key] = rates[reference] + item.estimate / 100 if np.isnan(rates[key]) else rates[key]
            rates[reference] = rates[key] - item.estimate / 100
        else:
            rates[key] = rates[reference] * item.estimate if np.isnan(rates[key]) else rates[key]
            rates[reference] = rates[key] / item.estimate
    known["denominator"] = pd.Series(persons)
    numerator = (pd.Series(rates) * known["denominator"]).round(6)
    told = known["numerator"].isna() & numerator.notna()
    known.loc[told, "numerator"] = numerator[told]
    known.loc[told, "status"] = "reported"
    return known.reset_index()


def check_site(root, site_id, *, indicators=None):
    view = open_site(network="demo", site_id=site_id, audience="public", workspace=str(root))
    full = open_site(network="demo", site_id=site_id, audience="internal", workspace=str(root))
    gaps = equity_gaps(view.table, view.site, references=view.references)
    released = with_what_the_gaps_tell(view.table.frame, gaps.tidy, view.references)
    chosen = released["site_id"].eq(site_id) & ~released["indicator"].isin(["mobility", "attendance_rate"])
    if indicators:
        chosen &= released["indicator"].isin(indicators)
    exact = full.table.frame.set_index(CELL)
    attacked = 0
    for place, block in released[chosen].groupby(CELL[:4]):
        if block["status"].isin(["reported"]).all() or block["status"].eq("missing").any():
            continue
        total = exact.loc[(*place, "all", "All")]
        room = {
            "n": 5,
            "x": min(5, total["numerator"]),
            "rest": min(5, total["denominator"] - total["numerator"]),
        }
        shown = block.set_index(["dimension", "subgroup"])
        for (dimension, subgroup, what), width in attack(block, "income").items():
            cell = shown.loc[(dimension, subgroup)]
            if cell["status"] == "suppressed" and not (what == "n" and not np.isnan(cell["denominator"])):
                assert width >= room[what] - 1e-6, (*place, dimension, subgroup, what)
                attacked += 1
    return attacked


def test_the_gaps_of_a_site_give_no_hidden_cell_away(workspace):
    assert check_site(workspace, "cedar-flats", indicators=["graduation_rate"]) > 100


@pytest.mark.slow
@pytest.mark.parametrize("site_id", SITES)
def test_nothing_published_of_the_demonstration_gives_a_hidden_cell_away(workspace, site_id):
    assert check_site(workspace, site_id) > 500
