from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from evalkit.dictionary import DataDictionary
from evalkit.errors import DataError
from evalkit.indicators import IndicatorTable
from evalkit.its import family_note, fit_many, fit_series, interrupted_time_series, pooled_family
from evalkit.its.engine import fit_arrays
from evalkit.results import Result, read_result, save_result
from evalkit.simulate import simulate_series
from evalkit.sites import Site

from .tables import bounded, counted, place, years

INDICATORS = ("graduation_rate", "ela_proficient", "chronic_absence")
ITS = "interrupted_time_series"


def network_table(dictionary: DataDictionary, sites: int = 3, rho: float = 0.5) -> IndicatorTable:
    """Some sites and their comparison sites with twelve years of each indicator."""
    tables = []
    for number, name in enumerate(INDICATORS):
        drawn = simulate_series(n_series=2 * sites, n_pre=6, n_post=6, rho=rho, seed=number, intercept=60)
        for row, values in enumerate(drawn):
            site_id = ("place", "other", "third", "fourth")[row // 2] + ("-comparison" if row % 2 else "")
            tables.append(counted(years(list(values)), dictionary, indicator=name, site_id=site_id))
    return IndicatorTable.concat(tables)


def chosen(frame: pd.DataFrame, indicator: str, site_id: str, term: str) -> pd.Series:
    rows = frame[frame["indicator"].eq(indicator) & frame["site_id"].eq(site_id) & frame["term"].eq(term)]
    assert len(rows) == 1
    return rows.iloc[0]


def test_five_comparable_series_are_fitted_as_one_family(dictionary: DataDictionary) -> None:
    table = network_table(dictionary)
    result = interrupted_time_series(table, place())
    values = [
        table.series(name, site_id=site_id).frame["rate"].to_numpy() * 100
        for name in INDICATORS
        for site_id in ("place", "place-comparison")
    ]
    family = fit_arrays(np.stack(values), start=6, method="network")
    assert result.design["families"] == {"school_year": 6}
    assert set(result.glance["inference"]) == {"network"}
    for row, (name, site_id) in enumerate((n, s) for n in INDICATORS for s in ("place", "place-comparison")):
        found = chosen(result.tidy, name, site_id, "slope_change")
        assert found["conf_low"] == pytest.approx(family.conf_low[row, 3], rel=1e-6)


def test_the_story_says_what_the_family_buys(dictionary: DataDictionary) -> None:
    result = interrupted_time_series(network_table(dictionary), place())
    assert "learned together with 5 comparable series" in result.narrative[0]
    assert (
        "6 comparable series of the site and its comparison site learned it together" in result.narrative[-1]
    )
    assert "94 to 97% of the time" in result.narrative[-1]


def test_fewer_than_five_series_stand_alone(dictionary: DataDictionary) -> None:
    table = network_table(dictionary).where(indicator=["graduation_rate", "ela_proficient"])
    result = interrupted_time_series(table, place())
    assert set(result.glance["inference"]) == {"integrated"}
    assert result.design["families"] == {}
    assert "comparable series" not in result.summary()


def test_the_family_is_the_same_whichever_indicators_are_asked_for(dictionary: DataDictionary) -> None:
    table = network_table(dictionary)
    whole = interrupted_time_series(table, place())
    one = interrupted_time_series(table, place(), indicators=["chronic_absence"])
    assert set(one.tidy["indicator"]) == {"chronic_absence"}
    pd.testing.assert_series_equal(
        chosen(one.tidy, "chronic_absence", "place", "level_change"),
        chosen(whole.tidy, "chronic_absence", "place", "level_change"),
        check_names=False,
    )


def test_a_series_known_within_bounds_learns_from_its_family(dictionary: DataDictionary) -> None:
    cells = [(str(2013 + k), 200, low, low + 6) for k, low in enumerate([120, 119, 123, 121, 124, 122] * 2)]
    blurred = bounded(cells, dictionary, indicator="math_proficient")
    table = IndicatorTable.concat([network_table(dictionary), blurred])
    result = interrupted_time_series(table, place())
    assert result.design["families"] == {"school_year": 6}
    row = chosen(result.tidy, "math_proficient", "place", "level_change_worst_case")
    alone = fit_series(
        blurred.series("math_proficient", site_id="place"), interruption=pd.Period("2019", "Y")
    )
    assert row["conf_low"] != chosen(alone.tidy, "math_proficient", "place", row["term"])["conf_low"]
    assert np.isfinite(row["conf_low"])


def test_a_whole_network_in_one_frame_agrees_with_series_fitted_one_by_one(
    dictionary: DataDictionary,
) -> None:
    table = network_table(dictionary)
    frame = fit_many(table, {"place": "2019", "other": "2018", "third": "2020"}, method="integrated")
    for site_id, start in (("place", "2019"), ("other-comparison", "2018"), ("third", "2020")):
        alone = fit_series(
            table.series("ela_proficient", site_id=site_id), interruption=pd.Period(start, "Y")
        )
        for term in (
            "pre_trend",
            "level_change",
            "slope_change",
            "post_trend",
            "effect_last",
            "effect_average",
        ):
            one = chosen(alone.tidy, "ela_proficient", site_id, term)
            many = chosen(frame, "ela_proficient", site_id, term)
            np.testing.assert_allclose(many["conf_low"], one["conf_low"], rtol=1e-6)
            assert (many["unit"], many["period"], many["n"]) == (one["unit"], one["period"], one["n"])


def test_a_whole_network_keeps_what_it_cannot_answer_with_the_reason(dictionary: DataDictionary) -> None:
    short = counted(years([50.0, 51, 52], 2018), dictionary, site_id="short")
    level = counted(years(list(range(40, 52))), dictionary, site_id="level")
    cells = [(str(2013 + k), 200, 120, 126) for k in range(12)]
    table = IndicatorTable.concat(
        [
            network_table(dictionary, sites=1),
            short,
            level,
            bounded(cells, dictionary, indicator="math_proficient"),
        ]
    )
    frame = fit_many(table, {"place": "2019", "short": "2019", "level": "2019"})
    assert "1 periods before" in chosen(frame, "graduation_rate", "short", "level_change")["note"]
    assert "exactly on the fitted line" in chosen(frame, "graduation_rate", "level", "level_change")["note"]
    assert "only within bounds" in chosen(frame, "math_proficient", "place", "level_change")["note"]
    unstarted = fit_many(table, {"short": "2019"})
    assert "declares no start" in chosen(unstarted, "graduation_rate", "place", "effect_last")["note"]
    assert np.isfinite(chosen(frame, "graduation_rate", "place", "effect_last")["estimate"])


def test_subgroups_and_totals_are_families_apart(dictionary: DataDictionary) -> None:
    table = network_table(dictionary)
    frame = table.frame
    groups = [
        frame.assign(dimension="race_ethnicity", subgroup=name, unit_id="all") for name in ("Black", "Latinx")
    ]
    both = IndicatorTable.from_frame(pd.concat([frame, *groups]), dictionary=dictionary)
    starts = {"place": "2019", "other": "2019", "third": "2019"}
    alone, together = fit_many(table, starts), fit_many(both, starts)
    totals = together[together["dimension"].eq("all")].reset_index(drop=True)
    pd.testing.assert_frame_equal(totals, alone)


def test_sites_are_refitted_as_one_family_from_what_they_saved(tmp_path, dictionary: DataDictionary) -> None:  # type: ignore[no-untyped-def]
    table = network_table(dictionary)
    sites = [
        Site(site_id=name, name=name, start=start) for name, start in (("place", "2019"), ("other", "2018"))
    ]
    results: dict[str, dict[str, Result]] = {}
    for site in sites:
        save_result(interrupted_time_series(table, site), tmp_path / site.site_id, inputs={})
        results[site.site_id] = {ITS: read_result(tmp_path / site.site_id, ITS)}
    before = results["place"][ITS].tidy.copy()
    few = pooled_family(results)
    # two sites and their comparison sites are four series of an indicator: too few to teach one another
    pd.testing.assert_frame_equal(few["place"][ITS].tidy, before)
    third = interrupted_time_series(table, Site(site_id="third", name="Third", start="2019"))
    results["third"] = {ITS: third, "equity_gaps": third}
    pooled = pooled_family(results)
    frame = fit_many(table, {"place": "2019", "other": "2018", "third": "2019"})
    for site_id in ("place", "other-comparison", "third"):
        owner = site_id.removesuffix("-comparison")
        for term in ("level_change", "effect_average"):
            row = chosen(pooled[owner][ITS].tidy, "ela_proficient", site_id, term)
            many = chosen(frame, "ela_proficient", site_id, term)
            np.testing.assert_allclose(
                [row["estimate"], row["conf_low"], row["conf_high"]],
                [many["estimate"], many["conf_low"], many["conf_high"]],
                rtol=1e-5,
            )
    refit = pooled["place"][ITS]
    assert refit.design["families_across_sites"] == dict.fromkeys(INDICATORS, 6)
    assert "one family of 6 series" in refit.narrative[-1]
    assert family_note(pooled) == [refit.narrative[-1]]
    assert family_note(few) == []
    level = chosen(refit.tidy, "ela_proficient", "place", "level_change")
    assert f"{abs(level['estimate']):.1f} points" in refit.narrative[0]
    assert pooled["third"]["equity_gaps"] is third
    pd.testing.assert_frame_equal(results["place"][ITS].tidy, before)
    last = (
        refit.augment[refit.augment["indicator"].eq("graduation_rate")].query("site_id == 'place'").iloc[-1]
    )
    effect = chosen(refit.tidy, "graduation_rate", "place", "effect_last")["estimate"]
    assert last["fitted"] - last["counterfactual"] == pytest.approx(effect)


def test_sites_without_an_interrupted_series_pass_through(dictionary: DataDictionary) -> None:
    empty = interrupted_time_series(network_table(dictionary), replace_id("nowhere"))
    assert pooled_family({"nowhere": {ITS: empty}, "bare": {}})["nowhere"][ITS] is empty


def replace_id(site_id: str) -> Site:
    return Site(site_id=site_id, name=site_id, start="2019")


def test_an_unknown_start_is_refused_before_anything_is_fitted(dictionary: DataDictionary) -> None:
    with pytest.raises((DataError, ValueError)):
        fit_many(network_table(dictionary), {"place": "soon"})


def test_a_result_may_be_replaced_and_still_be_pooled(dictionary: DataDictionary) -> None:
    result = interrupted_time_series(network_table(dictionary), place())
    assert pooled_family({"place": {ITS: replace(result, title="new")}})["place"][ITS].title == "new"
