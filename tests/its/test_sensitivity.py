import numpy as np
import pandas as pd
import pytest
from scipy import stats

from evalkit.dictionary import DataDictionary
from evalkit.errors import DesignError, ParameterError
from evalkit.its import fit_series, its_sensitivity, leading_sensitivity
from evalkit.its.calibration import TRUTH, Cell, draw_series
from evalkit.its.dense import fit_errors, fit_known_variance
from evalkit.its.design import coefficients, segmented_design
from evalkit.its.engine import fit_design

from .tables import bounded, counted, place, years

VALUES = [61.0, 60.2, 61.1, 62.3, 61.8, 62.6, 60.9, 69.4, 69.1, 71.0, 74.2, 73.1, 73.9, 75.0]
START = pd.Period("2020", "Y")


def test_without_noise_the_written_out_covariance_is_that_of_the_engine() -> None:
    y = draw_series(Cell(8, 8, 0.4), n_series=20)[3]
    design = segmented_design(16, start=8)
    engine = fit_design(y[None], design)
    # the priors on the error's size differ (even on its standard deviation here, on its logarithm there), and
    # so does the intercept where rho may come near 1; the rest comes near
    dense = fit_known_variance(y, np.full(16, 1e-9), design, coefficients(design))
    np.testing.assert_allclose(dense.estimate, engine.estimate[0], atol=0.1)
    width, other = dense.conf_high - dense.conf_low, engine.conf_high[0] - engine.conf_low[0]
    np.testing.assert_allclose(width[1:], other[1:], rtol=0.12)


def test_a_variance_that_is_known_and_all_there_is_gives_the_normal_interval() -> None:
    # independent errors of known variance 4: the interval is estimate ± 1.96 standard errors of least squares
    rng = np.random.default_rng(5)
    design = segmented_design(40, start=20)
    y = 2 * rng.normal(size=40)
    fit = fit_known_variance(y, np.full(40, 4.0), design, coefficients(design))
    known = 2 * np.sqrt(np.diag(np.linalg.inv(design.matrix.T @ design.matrix)))
    # the AR(1) part may be anything from nothing up, so the interval is somewhat wider and never narrower
    width = (fit.conf_high - fit.conf_low) / (2 * stats.norm.ppf(0.975) * known)
    assert np.all((width > 0.99) & (width < 1.6))


@pytest.mark.parametrize(("model", "scenario"), [("ar2", "AR(2)"), ("ar1_noise", "AR(1) and noise")])
def test_the_right_error_model_holds_the_truth_where_ar1_does_not(model: str, scenario: str) -> None:
    y = draw_series(Cell(24, 24, 0.4, scenario), n_series=160, seed=2)
    design = segmented_design(48, start=24)
    fits = [fit_errors(one, design, coefficients(design), model=model) for one in y]
    held = np.mean([(fit.conf_low[2:] <= TRUTH) & (fit.conf_high[2:] >= TRUTH) for fit in fits], axis=0)
    # three Monte-Carlo errors of 160 series are 5 points
    assert np.all(held >= 0.90)


def test_a_table_of_choices_begins_with_the_chosen_one(dictionary: DataDictionary) -> None:
    series = counted(years(VALUES), dictionary, denominator=300).series("graduation_rate", site_id="place")
    result = its_sensitivity(series, interruption=START)
    frame = result.frames["choices"]
    assert frame["kind"].iloc[0] == "as chosen"
    assert set(frame["kind"]) == {
        "as chosen", "error model", "known sampling variance", "first post period left out",
        "one period left out", "another date", "placebo",
    }  # fmt: skip
    assert (frame["kind"] == "one period left out").sum() == 13
    assert frame["agrees"].iloc[0]
    assert len(result.tidy) == 4 * len(frame)
    assert np.isfinite(result.tidy["conf_low"]).all()
    first = result.tidy[result.tidy["note"] == "as chosen"].set_index("term")
    assert frame["estimate"].iloc[0] == pytest.approx(first.loc["effect_average", "estimate"])


def test_the_sentence_says_what_moves(dictionary: DataDictionary) -> None:
    steady = [60.0, 60.4, 59.8, 60.1, 60.3, 59.9, 60.2, 59.7, 70.0, 70.3, 69.9, 70.1, 70.2, 69.8]
    firm = its_sensitivity(
        counted(years(steady), dictionary, denominator=100_000).series("graduation_rate", site_id="place"),
        interruption=pd.Period("2021", "Y"),
    )
    assert "none of them changes what can be concluded" in firm.summary()
    assert "0 would have passed for a change" in firm.summary()
    gentler = [*VALUES[:6], 65.0, *VALUES[7:]]
    shaky = its_sensitivity(
        counted(years(gentler), dictionary, denominator=300).series("graduation_rate", site_id="place"),
        interruption=pd.Period("2019", "Y"),
    )
    apart = (~shaky.frames["choices"].query("kind not in ['placebo', 'another date']")["agrees"]).sum()
    assert apart > 0
    assert f"{apart} of them would change what can be concluded" in shaky.summary()


def test_leaving_a_period_out_is_the_fit_without_it(dictionary: DataDictionary) -> None:
    table = counted(years(VALUES), dictionary, denominator=300)
    result = its_sensitivity(table.series("graduation_rate", site_id="place"), interruption=START)
    row = result.tidy[result.tidy["note"].eq("without 2014-15") & result.tidy["term"].eq("level_change")]
    values = 100 * np.round(np.array(VALUES) * 3) / 300
    values[2] = np.nan
    alone = fit_design(values[None], segmented_design(14, start=7))
    assert row["conf_low"].iloc[0] == pytest.approx(alone.conf_low[0, 2], rel=1e-6)


def test_bounds_and_unknown_models_are_refused(dictionary: DataDictionary) -> None:
    cells = [(str(2013 + k), 200, 120 + k % 3, 128) for k in range(12)]
    with pytest.raises(DesignError, match="within bounds"):
        its_sensitivity(
            bounded(cells, dictionary).series("graduation_rate", site_id="place"), interruption=START
        )
    design = segmented_design(12, start=6)
    with pytest.raises(ParameterError, match="no error model 'arma'"):
        fit_errors(np.zeros(12), design, coefficients(design), model="arma")


def test_a_known_sampling_variance_makes_intervals_of_the_slope_shorter_and_they_still_hold(
    dictionary: DataDictionary,
) -> None:
    rng = np.random.default_rng(11)
    held, widths = [], []
    for _ in range(40):
        # rates near 60 percent among 300 persons: sampling alone has a standard deviation of 2.8 points
        values = 100 * rng.binomial(300, 0.60, 12) / 300
        values[6:] = 100 * rng.binomial(300, 0.70, 6) / 300
        series = counted(years(list(values)), dictionary, denominator=300).series(
            "graduation_rate", site_id="place"
        )
        plain, known = (
            fit_series(series, interruption=pd.Period("2019", "Y"), known_sampling=choice)
            for choice in (False, True)
        )
        level, slope = (
            [result.tidy.set_index("term").loc[term] for result in (plain, known)]
            for term in ("level_change", "slope_change")
        )
        held.append(level[1]["conf_low"] <= 10 <= level[1]["conf_high"])
        widths.append([row["conf_high"] - row["conf_low"] for row in slope])
    assert np.mean(held) >= 0.85  # 95 % with a Monte-Carlo error of 3.4 points
    assert np.median(np.array(widths)[:, 1] / np.array(widths)[:, 0]) < 1
    assert known.tidy["p_value"].isna().all()
    assert "taken as known" in known.summary()


def test_a_known_sampling_variance_needs_counts(dictionary: DataDictionary) -> None:
    series = counted(years(VALUES), dictionary, indicator="mobility").series("mobility", site_id="place")
    with pytest.raises(DesignError, match="needs exact counts"):
        fit_series(series, interruption=START, known_sampling=True)


def test_the_leading_indicator_is_asked_what_moves(dictionary: DataDictionary) -> None:
    table = counted(years(VALUES, 2013), dictionary)
    result = leading_sensitivity(table, place("2020", headline=("graduation_rate",)))
    assert result.frames["choices"]["choice"].iloc[0] == "as chosen"
    assert result.narrative


def test_a_site_of_which_nothing_can_be_asked_is_told_why(dictionary: DataDictionary) -> None:
    table = counted(years(VALUES, 2013), dictionary)
    result = leading_sensitivity(table, place(None, headline=("graduation_rate",)))
    assert result.frames["choices"].empty
    assert "declares no start" in result.summary()
    assert result.tidy["note"].tolist() == ["place, graduation_rate: the site declares no start"]
