import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from evalkit.dictionary import DataDictionary
from evalkit.errors import DesignError, ParameterError
from evalkit.indicators import IndicatorSeries, IndicatorTable
from evalkit.its import fit_series
from evalkit.its.design import Extras, segmented_design
from evalkit.results import Result

from .tables import counted, years

VALUES = [61.0, 60.2, 61.1, 62.3, 61.8, 62.6, 65.0, 69.4, 69.1, 71.0, 74.2, 73.1, 73.9, 75.0]
START = pd.Period("2019", "Y")


def series(dictionary: DataDictionary, values: list[float] = VALUES, **more: object) -> IndicatorSeries:
    return counted(years(values), dictionary, **more).series("graduation_rate", site_id="place")  # type: ignore[arg-type]


def estimates(result: Result) -> pd.Series:
    return result.tidy.set_index("term")["estimate"]


def test_several_interruptions_are_the_textbook_regression(dictionary: DataDictionary) -> None:
    result = fit_series(series(dictionary), interruption=START, later=[pd.Period("2023", "Y")], method="ols")
    clock = np.arange(14.0)
    columns = [np.ones(14), clock]
    for first in (6, 10):
        columns += [(clock >= first).astype(float), np.maximum(clock - first, 0)]
    reference = sm.OLS(np.array(VALUES), np.stack(columns, axis=1)).fit().params
    found = estimates(result)
    np.testing.assert_allclose(
        found[["level_change", "slope_change", "level_change_2", "slope_change_2"]], reference[2:], rtol=1e-6
    )
    # both together at the last period, the eighth after the first and the fourth after the second
    expected = reference[2] + 7 * reference[3] + reference[4] + 3 * reference[5]
    assert found["effect_last"] == pytest.approx(expected, rel=1e-6)
    assert found["post_trend"] == pytest.approx(reference[1] + reference[3] + reference[5], rel=1e-6)
    assert result.tidy.set_index("term").loc["level_change_2", "period"] == "2023"
    assert result.design["later_interruptions"] == ["2023"]


def test_a_phase_in_that_is_left_out_does_not_touch_the_fit(dictionary: DataDictionary) -> None:
    changed = [*VALUES[:6], 30.0, 90.0, *VALUES[8:]]
    first, second = (
        fit_series(series(dictionary, values), interruption=START, phase_in=2, method="ols")
        for values in (VALUES, changed)
    )
    np.testing.assert_allclose(estimates(first), estimates(second), rtol=1e-9)
    row = first.tidy.set_index("term").loc["level_change"]
    assert (row["period"], row["n"]) == ("2021", 12)
    assert first.augment["is_phase_in"].sum() == 2
    assert first.augment["observed"].notna().all()


def test_a_ramp_rises_in_equal_steps_to_the_first_period_of_full_work() -> None:
    design = segmented_design(10, start=4, extras=Extras(phase_in=3, ramp=True))
    np.testing.assert_allclose(design.matrix[:, 2], [0, 0, 0, 0, 0.25, 0.5, 0.75, 1, 1, 1])
    np.testing.assert_allclose(design.matrix[:, 3], [0, 0, 0, 0, 0, 0, 0, 0, 1, 2])


def test_a_step_alone_leaves_the_slope_as_it_was(dictionary: DataDictionary) -> None:
    result = fit_series(series(dictionary), interruption=START, step_only=True, method="ols")
    clock, post = np.arange(14.0), (np.arange(14) >= 6).astype(float)
    reference = sm.OLS(np.array(VALUES), np.stack([np.ones(14), clock, post], axis=1)).fit().params
    found = estimates(result)
    assert found["level_change"] == pytest.approx(reference[2], rel=1e-6)
    assert found["effect_last"] == pytest.approx(found["effect_average"])
    assert "slope_change" not in found
    assert "slope by" not in result.summary()


def test_cumulative_average_and_relative_effects_agree_with_one_another(dictionary: DataDictionary) -> None:
    result = fit_series(series(dictionary), interruption=START)
    rows = result.tidy.set_index("term")
    # eight post periods
    assert rows.loc["effect_cumulative", "estimate"] == pytest.approx(
        8 * rows.loc["effect_average", "estimate"]
    )
    assert rows.loc["effect_cumulative", "conf_low"] == pytest.approx(
        8 * rows.loc["effect_average", "conf_low"], rel=1e-6
    )
    assert rows.loc["effect_cumulative", "unit"] == "percentage points summed over periods"
    relative = rows.loc["relative_effect_average"]
    assert relative["conf_low"] < relative["estimate"] < relative["conf_high"]
    assert relative["unit"] == "ratio"


def test_the_effect_at_a_horizon_after_the_data_carries_both_lines_on(dictionary: DataDictionary) -> None:
    result = fit_series(series(dictionary), interruption=START, horizon=pd.Period("2030", "Y"))
    found = estimates(result)
    # 2030 is the eleventh period after the start
    assert found["effect_horizon"] == pytest.approx(found["level_change"] + 11 * found["slope_change"])
    rows = result.tidy.set_index("term")
    assert rows.loc["effect_horizon", "period"] == "2030"
    assert np.isfinite(rows.loc["relative_effect_horizon", "conf_low"])


def test_covariates_take_their_share(dictionary: DataDictionary) -> None:
    drawn = np.random.default_rng(1).normal(size=14)
    values = [value + 2.5 * extra for value, extra in zip(VALUES, drawn, strict=True)]
    frame = pd.DataFrame({"closures": drawn}, index=pd.period_range("2013", periods=14, freq="Y"))
    plain = estimates(fit_series(series(dictionary), interruption=START, method="ols"))
    result = fit_series(series(dictionary, values), interruption=START, method="ols", covariates=frame)
    clock, post = np.arange(14.0), (np.arange(14) >= 6).astype(float)
    x = np.stack([np.ones(14), clock, post, post * (clock - 6), drawn], axis=1)
    reference = sm.OLS(np.round(values, 2), x).fit().params
    assert estimates(result)["covariate_closures"] == pytest.approx(reference[4], rel=1e-3)
    assert estimates(result)["level_change"] == pytest.approx(reference[2], rel=1e-2)
    assert plain["level_change"] != pytest.approx(reference[2], rel=1e-9)
    with pytest.raises(DesignError, match="closures has no value in 2025-26"):
        fit_series(series(dictionary), interruption=START, covariates=frame.iloc[:-1])
    post_only = pd.DataFrame({"same": post}, index=frame.index)
    with pytest.raises(DesignError, match="cannot tell all of"):
        fit_series(series(dictionary), interruption=START, covariates=post_only)


def test_harmonics_are_the_textbook_sines(dictionary: DataDictionary) -> None:
    span = pd.period_range("2015-01", periods=60, freq="M")
    clock = np.arange(60.0)
    rng = np.random.default_rng(2)
    values = 90 + 1.5 * np.sin(2 * np.pi * clock / 12) + 2.0 * (clock >= 36) + rng.normal(0, 0.3, 60)
    table = counted(
        dict(zip(span.astype(str), values, strict=True)), dictionary, indicator="attendance_rate",
        denominator=100_000,
    )  # fmt: skip
    one = table.series("attendance_rate", site_id="place")
    result = fit_series(one, interruption=pd.Period("2018-01", "M"), harmonics=1, method="ols")
    post = (clock >= 36).astype(float)
    angle = 2 * np.pi * clock / 12
    x = np.stack([np.ones(60), clock, post, post * (clock - 36), np.sin(angle), np.cos(angle)], axis=1)
    reference = sm.OLS(np.round(values * 1000) / 1000, x).fit()
    assert estimates(result)["level_change"] == pytest.approx(reference.params[2], rel=1e-6)
    assert result.design["harmonics"] == 1
    with pytest.raises(DesignError, match="at most half the cycle"):
        fit_series(one, interruption=pd.Period("2018-01", "M"), harmonics=7)


def test_weights_are_those_of_weighted_least_squares(dictionary: DataDictionary) -> None:
    frame = counted(years(VALUES), dictionary).frame
    frame["denominator"] = [200.0, 400, 300, 250, 500, 100, 220, 330, 440, 150, 260, 370, 480, 190]
    frame["numerator"] = np.round(frame["denominator"] * np.array(VALUES) / 100)
    one = IndicatorTable.from_frame(frame, dictionary=dictionary).series("graduation_rate", site_id="place")
    result = fit_series(one, interruption=START, method="ols", weighted=True)
    clock, post = np.arange(14.0), (np.arange(14) >= 6).astype(float)
    x = np.stack([np.ones(14), clock, post, post * (clock - 6)], axis=1)
    rate = 100 * frame["numerator"] / frame["denominator"]
    reference = sm.WLS(rate.to_numpy(), x, weights=frame["denominator"].to_numpy()).fit()
    row = result.tidy.set_index("term").loc["level_change"]
    assert row["estimate"] == pytest.approx(reference.params[2], rel=1e-7)
    assert row["conf_low"] == pytest.approx(reference.conf_int()[2][0], rel=1e-6)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"later": [pd.Period("2020", "Y")]}, "1 periods from 2018-19 to the next interruption"),
        ({"later": [pd.Period("2026", "Y")]}, "1 periods from 2025-26"),
        ({"later": [pd.Period("2040", "Y")]}, "outside the window"),
        ({"phase_in": 7}, "6 periods before 2018-19 and 1 from then on"),
        ({"horizon": pd.Period("2015", "Y")}, "lies before the interruption"),
    ],
)
def test_a_design_that_cannot_answer_is_refused(
    more: dict[str, object], reason: str, dictionary: DataDictionary
) -> None:
    with pytest.raises(DesignError, match=reason):
        fit_series(series(dictionary), interruption=START, **more)  # type: ignore[arg-type]


def test_a_constant_series_is_refused_and_so_is_a_negative_phase_in(dictionary: DataDictionary) -> None:
    with pytest.raises(DesignError, match="every value is 60"):
        fit_series(series(dictionary, [60.0] * 12), interruption=START)
    with pytest.raises(ParameterError, match="phase_in is -1"):
        fit_series(series(dictionary), interruption=START, phase_in=-1)


def test_more_terms_than_values_are_refused(dictionary: DataDictionary) -> None:
    frame = pd.DataFrame(
        np.random.default_rng(4).normal(size=(8, 4)), index=pd.period_range("2013", periods=8, freq="Y")
    )
    with pytest.raises(DesignError, match="8 values for 8 terms"):
        fit_series(
            series(dictionary, VALUES[:8]),
            interruption=pd.Period("2017", "Y"),
            covariates=frame.add_prefix("c"),
        )
