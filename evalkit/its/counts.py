"""Counts with an offset by quasi-Poisson regression, to replicate what others have published."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from evalkit.errors import DesignError
from evalkit.its.design import segmented_design
from evalkit.its.window import FEWEST_AFTER, FEWEST_BEFORE

LAGS = 1  # autocorrelations that the standard errors take in


def quasi_poisson(
    counts: ArrayLike, *, start: int, exposure: ArrayLike, lags: int = LAGS, conf_level: float = 0.95
) -> pd.DataFrame:
    """Fit counts on the log scale, with Newey-West standard errors for overdispersion and autocorrelation.

    For replication only: on short series these intervals are too narrow, as those of `hac` are. For an
    evaluation, fit the rate with `fit_series`.

    Parameters
    ----------
    counts : (n,) whole numbers, 0 or more
    start : position of the first post period
    exposure : (n,) what the counts are out of, e.g. persons or days; above 0
    lags : autocorrelations taken in
    conf_level : coverage of the intervals, in (0, 1); t(n − 4), and the factor n / (n − 4)

    Returns
    -------
    A row per term of `fit_arrays` with `estimate`, `std_error`, `conf_low`, `conf_high` on the log scale,
    `ratio`, `ratio_low`, `ratio_high` (their exponentials: a rate ratio, per period for trends), and
    `dispersion` (Pearson's statistic over n − 4; 1 where counts vary as Poisson's law says).

    Raises
    ------
    DesignError : fewer than 4 periods before or 2 after, no counts on one side, or an exposure not above 0.

    References
    ----------
    Bernal, Cummins and Gasparrini (2017), International Journal of Epidemiology 46:348-355.
    """
    import statsmodels.api as sm  # heavy, and needed for replication only

    y, size = np.asarray(counts, dtype=np.float64), np.asarray(exposure, dtype=np.float64)
    if y.size - start < FEWEST_AFTER or start < FEWEST_BEFORE:
        raise DesignError(
            f"{start} periods before and {y.size - start} after; an interrupted time series needs at least "
            f"{FEWEST_BEFORE} and {FEWEST_AFTER}"
        )
    if y.shape != size.shape or not np.all(np.isfinite(y) & (y >= 0) & (size > 0)):
        raise DesignError("each period needs a count of 0 or more and an exposure above 0")
    if y[:start].sum() == 0 or y[start:].sum() == 0:
        raise DesignError(
            "no counts on one side of the interruption; the rate there is 0 and has no logarithm"
        )
    design = segmented_design(y.size, start=start)
    fit = sm.GLM(y, design.matrix, family=sm.families.Poisson(), offset=np.log(size)).fit(
        cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": True}
    )
    df = y.size - len(design.terms)
    reach = stats.t.ppf((1 + conf_level) / 2, df) * fit.bse
    frame = pd.DataFrame(
        {
            "term": design.terms,
            "estimate": fit.params,
            "std_error": fit.bse,
            "conf_low": fit.params - reach,
            "conf_high": fit.params + reach,
        }
    )
    return frame.assign(
        ratio=np.exp(frame["estimate"]),
        ratio_low=np.exp(frame["conf_low"]),
        ratio_high=np.exp(frame["conf_high"]),
        dispersion=float(fit.pearson_chi2) / df,
    )
