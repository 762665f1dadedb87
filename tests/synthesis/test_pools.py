"""The comparison with the rest of a district: the trap of SOURCES.md, and a made-up one worked by hand."""

import numpy as np
import pandas as pd
import pytest

from evalkit.charts.style import alt_text
from evalkit.errors import DesignError
from evalkit.indicators import IndicatorTable
from evalkit.readers import read_edfacts_acgr
from evalkit.results import read_result, save_result
from evalkit.sites import Baseline, Comparison, Site, Unit
from evalkit.synthesis.pools import comparison_pool, rest_of_district

OCONNELL, SAN_FRANCISCO = "063441007350", "0634410"


@pytest.fixture(scope="module")
def public(edfacts_folder, dictionary):
    table = read_edfacts_acgr(edfacts_folder, dictionary=dictionary, leas=[SAN_FRANCISCO])
    return rest_of_district(
        table,
        site_unit_ids=[OCONNELL],
        lea_id=SAN_FRANCISCO,
        baseline="2012",
        endpoints=["2016", "2017"],
    )


def bounds(result, rule):
    rows = result.augment.loc[result.augment["rule"].eq(rule)].set_index("period")
    return {period: (row.low, row.high) for period, row in rows.iterrows()}


class TestPublicFiles:
    """Expected numbers: SOURCES.md beside the public data, "Comparison trap"."""

    def test_pooling_whoever_has_a_cohort_makes_the_district_fall(self, public):
        naive = bounds(public, "naive")
        assert naive["2015"] == pytest.approx((88.0, 89.4), abs=0.051)
        assert naive["2016"] == pytest.approx((80.3, 81.9), abs=0.051)

    def test_requiring_id_and_cohort_in_every_year_repairs_it(self, public):
        used = bounds(public, "constant_cohort")
        expected = {
            "2012": (85.5, 86.7),
            "2013": (85.9, 87.2),
            "2014": (88.1, 89.6),
            "2015": (89.5, 90.6),
            "2016": (90.2, 91.4),
            "2017": (87.5, 88.6),
        }
        for period, pair in expected.items():
            assert used[period] == pytest.approx(pair, abs=0.051)

    def test_twenty_two_schools_are_constant_and_sixteen_of_them_with_a_cohort(self, public):
        schools = public.glance.groupby("rule")["schools"].first()
        assert (schools["constant_ids"], schools["constant_cohort"]) == (22, 16)

    @pytest.mark.parametrize(
        ("rule", "lowest", "highest"),
        [
            ("naive", 19.22, 30.31),
            ("constant_ids", 18.78, 29.45),
            ("constant_cohort", 10.13, 20.52),
        ],
    )
    def test_the_difference_in_differences_to_2016_hangs_on_the_rule(self, public, rule, lowest, highest):
        row = public.glance.set_index(["rule", "endpoint"]).loc[(rule, "2016")]
        assert (row["lowest"], row["highest"]) == pytest.approx((lowest, highest), abs=0.0051)

    @pytest.mark.parametrize(("rule", "midpoint"), [("naive", 27.87), ("constant_cohort", 13.05)])
    def test_the_midpoint_to_2017_hangs_on_the_rule(self, public, rule, midpoint):
        row = public.glance.set_index(["rule", "endpoint"]).loc[(rule, "2017")]
        assert row["midpoint"] == pytest.approx(midpoint, abs=0.0051)

    def test_midpoints_are_labelled_and_bounds_say_that_they_hold_no_sampling_error(self, public):
        tidy = public.tidy
        midpoints = tidy.loc[tidy["term"].str.contains("midpoint")]
        others = tidy.loc[tidy["term"].str.startswith("difference") & ~tidy["term"].str.contains("midpoint")]
        assert midpoints["note"].str.contains("for orientation only").all()
        assert others["note"].str.contains("blurring only, no sampling error").all()
        assert tidy[["std_error", "conf_low", "conf_high"]].isna().all(axis=None)

    def test_schools_that_carry_one_inherited_vector_are_flagged(self, public):
        flags = public.frames["flags"]
        inherited = flags.loc[flags["kind"].eq("identical_vector")]
        assert len(inherited) == 1
        # Downtown High and Ida B. Wells High, and with them Life Learning Academy
        assert {"063441005602", "063441005653"} <= set(inherited["unit_id"].item().split("+"))
        assert inherited["period"].item() == "2012 2013 2014 2015"

    def test_the_narrative_says_which_rule_is_used_and_how_much_the_estimate_moves(self, public):
        told = public.summary()
        assert "only the 16 schools that have a rate and a cohort in every year" in told
        assert "between +10.1 and +20.5 points" in told
        assert "between +19.2 and +30.3 points" in told
        assert "from +15.3 points to +24.8 points" in told
        assert not any(word in told for word in ("caused", "led to", "due to"))

    def test_the_chart_labels_every_rule_and_its_alt_text_tells_the_fall(self, public):
        ax = public.plot()
        labels = {text.get_text() for text in ax.texts}
        assert {
            "the site",
            "used: a cohort every year",
            "listed every year",
            "whoever has a cohort",
        } == labels
        assert "whoever has a cohort: 85.1 to 86.6 in 2012, 72.3 to 73.7 in 2017" in alt_text(ax)
        heights = sorted(text.get_position()[1] for text in ax.texts)
        assert min(np.diff(heights)) > 1.5


# --- a made-up district -------------------------------------------------------------------------------------


def made_up(dictionary, *rows):
    """Rows (unit, period, numerator, denominator); a denominator of None is a rate without a cohort."""
    frame = pd.DataFrame(
        [
            {
                "indicator": "graduation_rate",
                "site_id": "099",
                "unit_id": unit,
                "population": "target_school",
                "period": period,
                "numerator": numerator if cohort else np.nan,
                "denominator": cohort if cohort else np.nan,
                "lower": np.nan if cohort else numerator / 100,
                "upper": np.nan if cohort else (numerator + 1) / 100,
                "status": "reported" if cohort else "censored",
            }
            for unit, period, numerator, cohort in rows
        ]
    )
    return IndicatorTable.from_frame(frame, dictionary=dictionary)


@pytest.fixture
def quay(dictionary):
    return made_up(
        dictionary,
        ("own", "2018", 40, 80),
        ("own", "2020", 60, 80),
        ("big", "2018", 320, 400),
        ("big", "2020", 340, 400),
        # listed in both years, a cohort only in the second
        ("late", "2018", 82, None),
        ("late", "2020", 20, 100),
        # there in the second year only
        ("new", "2020", 90, 100),
    )


def test_exact_counts_give_one_number_worked_by_hand(quay):
    result = rest_of_district(quay, site_unit_ids=["own"], lea_id="099", baseline="2018", endpoints=["2020"])
    found = result.glance.set_index("rule")
    # own 50 to 75: +25. Rest: big 80 to 85; with late 80 to 360/500 = 72; with both 80 to 450/600 = 75.
    for rule, expected in {"constant_cohort": 20.0, "constant_ids": 33.0, "naive": 30.0}.items():
        assert found.loc[rule, ["lowest", "highest", "counts_lowest"]].tolist() == pytest.approx(
            [expected] * 3
        )
    assert found["schools"].to_dict() == {"naive": 3, "constant_ids": 2, "constant_cohort": 1}


def test_cohorts_that_jump_and_ids_that_appear_are_flagged(quay):
    flags = rest_of_district(
        quay, site_unit_ids=["own"], lea_id="099", baseline="2018", endpoints=["2020"]
    ).frames["flags"]
    found = set(zip(flags["kind"], flags["unit_id"], strict=True))
    assert ("no_cohort", "late") in found
    assert ("id_appears", "new") in found
    # 400 to 500 and 400 to 600 students; the one school of the rule in use stays at 400
    assert {("denominator_jump", "naive"), ("denominator_jump", "constant_ids")} <= found
    assert ("denominator_jump", "constant_cohort") not in found


def test_an_endpoint_without_data_is_a_row_with_its_reason(quay):
    result = rest_of_district(quay, site_unit_ids=["own"], lea_id="099", baseline="2018", endpoints=["2019"])
    rows = result.tidy.loc[result.tidy["term"].str.startswith("difference")]
    assert rows["estimate"].isna().all()
    assert rows["note"].str.contains("no school can be weighted in 2019").all()
    assert "cannot be told" in result.summary()


def test_a_site_with_fewer_schools_at_one_end_says_so(dictionary):
    table = made_up(
        dictionary,
        ("own", "2018", 40, 80),
        ("own", "2020", 60, 80),
        ("second", "2020", 60, 80),
        ("big", "2018", 320, 400),
        ("big", "2020", 340, 400),
    )
    result = rest_of_district(
        table, site_unit_ids=["own", "second"], lea_id="099", baseline="2018", endpoints=["2020"]
    )
    assert "the site's schools number 1 in 2018 and 2 in 2020" in result.summary()


def test_a_school_that_is_not_in_the_table_is_an_error_that_names_it(quay):
    with pytest.raises(DesignError, match="no school elsewhere in the table"):
        rest_of_district(quay, site_unit_ids=["elsewhere"], lea_id="099", baseline="2018", endpoints=["2020"])
    alone = quay.where(unit_id="own")
    with pytest.raises(DesignError, match="no other school of district 099"):
        rest_of_district(alone, site_unit_ids=["own"], lea_id="099", baseline="2018", endpoints=["2020"])


def test_a_site_compares_by_its_parameters_and_the_last_two_periods(quay):
    site = Site(
        site_id="quay",
        name="Quay (fictional)",
        headline=("graduation_rate",),
        units=(Unit(unit_id="own-high", name="Own High", ids=("own",)),),
        comparison=Comparison(kind="district", lea_id="099"),
        baselines=(Baseline(indicator="graduation_rate", period="2018"),),
    )
    result = comparison_pool(quay, site)
    assert result.design["baseline"] == "2018"
    assert result.design["endpoints"] == ["2020"]
    assert result.glance.set_index("rule").loc["constant_cohort", "lowest"] == pytest.approx(20.0)


def test_a_site_that_is_not_compared_with_a_district_says_so_and_draws_nothing(tmp_path):
    site = Site(
        site_id="quay",
        name="Quay (fictional)",
        comparison=Comparison(kind="sites", site_ids=("quay-comparison",)),
    )
    result = comparison_pool(None, site)
    assert "Compared with quay-comparison; the rest of a district is not part" in result.summary()
    assert result.tidy["estimate"].isna().all()
    assert result.pictures().pictures == ()
    assert "not compared" in alt_text(result.plot())
    save_result(result, tmp_path, inputs={})
    assert read_result(tmp_path, "comparison_pool").narrative == result.narrative


def test_the_result_reads_back_as_it_was_saved(quay, tmp_path):
    result = rest_of_district(quay, site_unit_ids=["own"], lea_id="099", baseline="2018", endpoints=["2020"])
    save_result(result, tmp_path, inputs={})
    back = read_result(tmp_path, "comparison_pool")
    pd.testing.assert_frame_equal(back.glance, result.glance)
    assert alt_text(back.plot()) == alt_text(result.plot())
