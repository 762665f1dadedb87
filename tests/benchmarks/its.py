"""Time the batch engine against a loop of statsmodels fits in the same run, on one thread.

Run from the top of the checkout: ``OPENBLAS_NUM_THREADS=1 python -m tests.benchmarks.its``. Seconds differ
from machine to machine; the ratios and the peak memory are what to judge by.
"""

# ruff: noqa: E402  (numpy reads the number of threads when it is first imported)

import argparse
import os
import resource
import time
from collections.abc import Callable

for _threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")

import numpy as np
import pandas as pd
import statsmodels.api as sm

from evalkit.dictionary import Indicator
from evalkit.indicators import IndicatorSeries
from evalkit.its import fit_arrays, fit_series
from evalkit.its.design import segmented_design
from evalkit.simulate import simulate_series

SERIES = 18_600  # 62 sites × 15 indicators × 20 subgroups
HAC_LAGS = 1
REPEATS = 5
MISSING_SHARE = 0.1


def series(n: int, *, count: int = SERIES, missing: bool = False) -> np.ndarray:
    y = simulate_series(n_series=count, n_pre=n // 2, n_post=n - n // 2, rho=0.4, seed=n)
    if missing:
        y[np.random.default_rng(n).random(y.shape) < MISSING_SHARE] = np.nan
    return y


def statsmodels_loop(y: np.ndarray) -> np.ndarray:
    """Fit every series by ordinary least squares with Newey-West intervals, as an analyst would in a loop."""
    design = segmented_design(y.shape[1], start=y.shape[1] // 2).matrix
    ends = []
    for one in y:
        fitted = sm.OLS(one, design).fit(cov_type="HAC", cov_kwds={"maxlags": HAC_LAGS}, use_t=True)
        ends.append(fitted.conf_int())
    return np.stack(ends)


def seconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Take the quickest of several runs: the others shared the machine."""
    times = []
    for _ in range(repeats):
        before = time.perf_counter()
        work()
        times.append(time.perf_counter() - before)
    return min(times)


def one_series() -> float:
    """Time one series through the friendly door, in seconds."""
    indicator = Indicator(
        id="rate", label="Rate", short_label="Rate", kind="rate", numerator="n", denominator="d",
        favourable="higher", generation="child", population="resident", frequency="school_year",
        source_kind="made up",
    )  # fmt: skip
    rate = 0.5 + simulate_series(n_series=1, n_pre=6, n_post=6, rho=0.3, seed=3)[0] / 100
    frame = pd.DataFrame(
        {"numerator": rate * 1000, "denominator": 1000.0, "value": np.nan, "std_error": np.nan,
         "lower": np.nan, "upper": np.nan, "status": "reported", "rate": rate, "rate_low": rate,
         "rate_high": rate},
        index=pd.period_range("2013", periods=12, freq="Y", name="period"),
    )  # fmt: skip
    made = IndicatorSeries(indicator, "place", "all", "resident", "all", "All", frame)
    return seconds(lambda: fit_series(made, interruption=pd.Period("2019", "Y")), 20)


def measure(*, count: int = SERIES) -> pd.DataFrame:
    """Time every case.

    Returns
    -------
    A row per case: `seconds`, `statsmodels` (seconds of the loop on the same series) and `ratio` of the two.
    """
    rows = []
    for n in (48, 12):
        y = series(n, count=count)
        loop = seconds(lambda y=y: statsmodels_loop(y), 1)
        for method in ("integrated", "network"):
            for missing in (False, True):
                data = series(n, count=count, missing=missing)
                spent = seconds(lambda d=data, m=method, n=n: fit_arrays(d, start=n // 2, method=m))
                name = f"{method}, a tenth missing at random" if missing else method
                rows.append(
                    {"n": n, "case": name, "seconds": spent, "statsmodels": loop, "ratio": loop / spent}
                )
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=SERIES)
    count = parser.parse_args().series
    alone = one_series()
    frame = measure(count=count)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{count:,} series, one thread; quickest of {REPEATS} runs")
    print(frame.round(3).to_string(index=False))
    print(f"one series through fit_series: {1000 * alone:.1f} ms; peak memory of the run: {peak:,.0f} MiB")


if __name__ == "__main__":
    main()
