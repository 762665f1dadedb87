"""Time the summary measures of many strata against a plain loop over the same strata, on one thread.

Run from the top of the checkout: ``OPENBLAS_NUM_THREADS=1 python -m tests.benchmarks.equity``. Seconds differ
from machine to machine; the ratios are what to judge by.
"""

# ruff: noqa: E402  (numpy reads the number of threads when it is first imported)

import argparse
import math
import os
import time
from collections.abc import Callable

for _threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")

import numpy as np
import pandas as pd

from evalkit.equity.measure_intervals import spreads
from evalkit.equity.measures import point_estimates
from evalkit.equity.simulated import simulated_intervals
from evalkit.equity.strata import Strata, strata_of

STRATA = 10_000
SUBGROUPS = 6
DRAWS = 1000
LOOPED_WITH_DRAWS = 20  # strata; the loop with draws is timed on these and scaled up
REPEATS = 5


def made_up(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, Strata]:
    rng = np.random.default_rng(1)
    rate = rng.uniform(20, 80, (SUBGROUPS, count))
    persons = rng.uniform(40, 400, (SUBGROUPS, count))
    error = np.sqrt(rate * (100 - rate) / persons)
    reference = np.zeros(rate.shape, dtype=bool)
    reference[0] = True
    strata = strata_of(rate, persons, error, favourable="higher", scale=100, reference=reference)
    return rate, persons, error, strata


def measures_of_one(rate: list[float], persons: list[float]) -> list[float]:
    """Work out the 17 unordered measures of one stratum as one would by hand."""
    total, count = sum(persons), len(rate)
    share = [one / total for one in persons]
    mean = sum(p * y for p, y in zip(share, rate, strict=True))
    best, worst, first = max(rate), min(rate), rate[0]
    bgv = sum(p * (y - mean) ** 2 for p, y in zip(share, rate, strict=True))
    mdmu = sum(abs(y - mean) for y in rate) / count
    mdmw = sum(p * abs(y - mean) for p, y in zip(share, rate, strict=True))
    mdbu = sum(best - y for y in rate) / count
    mdbw = sum(p * (best - y) for p, y in zip(share, rate, strict=True))
    mdru = sum(abs(y - first) for y in rate) / count
    mdrw = sum(p * abs(y - first) for p, y in zip(share, rate, strict=True))
    mld = 1000 * sum(-p * math.log(y / mean) for p, y in zip(share, rate, strict=True))
    theil = 1000 * sum(p * y / mean * math.log(y / mean) for p, y in zip(share, rate, strict=True))
    par = best - mean
    return [
        best - worst, best / worst, bgv, math.sqrt(bgv), 100 * math.sqrt(bgv) / mean, mdmu, mdmw, mdbu, mdbw,
        mdru, mdrw, 100 * mdmu / mean, 100 * mdmw / mean, mld, theil, par, 100 * par / mean,
    ]  # fmt: skip


def loop(rate: np.ndarray, persons: np.ndarray) -> np.ndarray:
    return np.array(
        [measures_of_one(*pair) for pair in zip(rate.T.tolist(), persons.T.tolist(), strict=True)]
    )


def loop_with_draws(rate: np.ndarray, persons: np.ndarray, error: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(2)
    ends = []
    for y, n, se in zip(rate.T, persons.T, error.T, strict=True):
        drawn = np.clip(y + se * rng.standard_normal((DRAWS, SUBGROUPS)), 0.01, 100).tolist()
        made = np.array([measures_of_one(one, n.tolist()) for one in drawn])
        ends.append(np.quantile(made, [0.025, 0.975], axis=0))
    return np.stack(ends)


def seconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Take the quickest of several runs: the others shared the machine."""
    times = []
    for _ in range(repeats):
        before = time.perf_counter()
        work()
        times.append(time.perf_counter() - before)
    return min(times)


def measure(*, count: int = STRATA) -> pd.DataFrame:
    """Time every case.

    Returns
    -------
    A row per case: `seconds`, `loop` (seconds of the plain loop) and `ratio` of the two.

    Raises
    ------
    AssertionError : the loop and the arrays do not agree.
    """
    rate, persons, error, strata = made_up(count)
    estimates = point_estimates(strata)
    np.testing.assert_allclose(loop(rate, persons), np.stack(list(estimates.values()), axis=1), rtol=1e-9)
    plain = seconds(lambda: loop(rate, persons), 1)
    some = min(count, LOOPED_WITH_DRAWS)
    drawn = seconds(lambda: loop_with_draws(rate[:, :some], persons[:, :some], error[:, :some]), 1)
    drawn *= count / some
    cases = {
        "17 measures": (seconds(lambda: point_estimates(strata)), plain),
        "closed intervals": (seconds(lambda: spreads(strata, estimates, conf_level=0.95)), drawn),
        f"intervals from {DRAWS:,} draws": (
            seconds(lambda: simulated_intervals(strata, estimates, draws=DRAWS, seed=1, conf_level=0.95), 1),
            drawn,
        ),
    }
    return pd.DataFrame(
        [
            {"case": name, "seconds": own, "loop": other, "ratio": other / own}
            for name, (own, other) in cases.items()
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strata", type=int, default=STRATA)
    count = parser.parse_args().strata
    frame = measure(count=count)
    print(f"{count:,} strata of {SUBGROUPS} subgroups, one thread; quickest of {REPEATS} runs")
    print(f"(the loop with draws is timed on {LOOPED_WITH_DRAWS} strata and scaled up)")
    print(frame.round(4).to_string(index=False))


if __name__ == "__main__":
    main()
