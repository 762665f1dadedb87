"""Attack many random tables after protection; time it; compare what is hidden with an exact optimum's figure.

Run from the top of the checkout: ``OPENBLAS_NUM_THREADS=1 python -m tests.benchmarks.disclosure``. The attack
here is a program of its own: it reads the original counts and which cells are hidden, nothing of evalkit.
Figures to hold: no cell recovered exactly, no small one in a range below 5 (unless hiding all but the total
leaves it one), the grand total shown, a median of 200 ms for two-way tables and 5 s for three-way ones.
"""

# ruff: noqa: E402  (numpy reads the number of threads when it is first imported)

import argparse
import os
import time
from collections.abc import Callable, Iterator
from itertools import product

for _threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")

import numpy as np
import pandas as pd
from scipy import optimize

from evalkit.disclosure.cells import protect

SMALL = 10  # counts of 1 to 9 are hidden for themselves
WIDTH = 5


def random_counts(rng: np.random.Generator, shape: tuple[int, ...], persons: tuple[int, int]) -> np.ndarray:
    """Spread persons over a table: the first dimension very unevenly, the others less so."""
    share = rng.dirichlet(np.full(shape[0], 1.0))
    for size in shape[1:]:
        share = np.multiply.outer(share, rng.dirichlet(np.full(size, 20.0)))
    return rng.multinomial(rng.integers(*persons), share.ravel()).reshape(shape)


def with_margins(counts: np.ndarray) -> np.ndarray:
    """Put every margin in the first place of its axis."""
    for axis in range(counts.ndim):
        counts = np.concatenate([counts.sum(axis=axis, keepdims=True), counts], axis=axis)
    return counts


def frame_of(counts: np.ndarray, names: tuple[str, ...]) -> pd.DataFrame:
    """Lay a table and all its margins out as cells."""
    full = with_margins(counts)
    rows = [
        {name: "All" if at == 0 else f"{name} {at}" for name, at in zip(names, place, strict=True)}
        | {"n": int(full[place])}
        for place in product(*map(range, full.shape))
    ]
    return pd.DataFrame(rows)


def two_way(rng: np.random.Generator) -> tuple[pd.DataFrame, list[str]]:
    """Make race (6) by grade (4), 120 to 400 persons."""
    return frame_of(random_counts(rng, (6, 4), (120, 401)), ("race", "grade")), ["race", "grade"]


def three_way(rng: np.random.Generator) -> tuple[pd.DataFrame, list[str]]:
    """Make race (6) by income (2) by year (12) with all margins, 273 cells, 120 to 400 persons a year."""
    persons = (12 * 120, 12 * 400)
    names = ("race", "income", "year")
    return frame_of(random_counts(rng, (6, 2, 12), persons), names), list(names)


def overlapping(rng: np.random.Generator) -> tuple[pd.DataFrame, list[str]]:
    """Make race by grade and, of the same persons, race by income: two tables that share the races."""
    counts = random_counts(rng, (6, 4, 2), (120, 401))
    cells = frame_of(counts, ("race", "grade", "income"))
    cells = cells[cells["income"].eq("All") | cells["grade"].eq("All")]
    return cells.reset_index(drop=True), ["race", "grade", "income"]


def attacked(cells: pd.DataFrame, dimensions: list[str], hidden: np.ndarray) -> np.ndarray:
    """Give the width of the range left of each hidden cell to an attacker who is told which are small.

    A small cell holds 1 to 9 persons, or, in a table that hides zeros with them, 0 to 9.
    """
    keys = [tuple(key) for key in cells[dimensions].to_numpy()]
    truth = cells["n"].to_numpy(dtype=float)
    lines = []
    for total, key in enumerate(keys):
        for axis, part in enumerate(key):
            if part != "All":
                continue
            parts = [
                at
                for at, other in enumerate(keys)
                if other[axis] != "All" and other[:axis] + other[axis + 1 :] == key[:axis] + key[axis + 1 :]
            ]
            if parts:
                line = np.zeros(len(keys))
                line[total], line[parts] = -1, 1
                lines.append(line)
    small = hidden & (truth < SMALL)
    fewest = 0 if (truth[hidden] == 0).any() else 1
    low = np.where(small, fewest, np.where(hidden, SMALL, truth))
    high = np.where(small, SMALL - 1, np.where(hidden, truth.sum(), truth))
    sums = np.array(lines)
    unknown = np.flatnonzero(hidden)
    right = -sums[:, ~hidden] @ truth[~hidden]
    used = np.abs(sums[:, unknown]).sum(axis=1) > 0
    widths = []
    for at in range(unknown.size):
        ends = []
        for sign in (1, -1):
            aim = np.zeros(unknown.size)
            aim[at] = sign
            answer = optimize.linprog(
                aim,
                A_eq=sums[used][:, unknown],
                b_eq=right[used],
                bounds=np.stack([low[unknown], high[unknown]], axis=1),
            )
            ends.append(sign * answer.fun)
        widths.append(ends[1] - ends[0])
    return np.array(widths)


def trial(
    make: Callable[[np.random.Generator], tuple[pd.DataFrame, list[str]]], tables: int, *, seed: int = 42
) -> Iterator[dict[str, float]]:
    """Protect and attack random tables, one row of figures each."""
    rng = np.random.default_rng(seed)
    for _ in range(tables):
        cells, dimensions = make(rng)
        before = time.process_time()
        shown = protect(cells, dimensions=dimensions, count="n")
        seconds = time.process_time() - before  # of the processor: others share the machine
        hidden = shown["status"].eq("hidden").to_numpy()
        truth = cells["n"].to_numpy()
        small = (truth > 0) & (truth < SMALL)
        widths = attacked(cells, dimensions, hidden) if hidden.any() else np.zeros(0)
        of_small = widths[small[hidden]]
        narrow = of_small < WIDTH - 1e-6
        inevitable = 0
        if narrow.any():
            total = cells[dimensions].eq("All").all(axis=1).to_numpy()
            most = ~total
            inevitable = np.isclose(
                attacked(cells, dimensions, most)[small[most]][narrow], of_small[narrow]
            ).sum()
        yield {
            "cells": len(cells),
            "small": small.sum(),
            "zeros": (hidden & (truth == 0)).sum(),
            "hidden": hidden.sum(),
            "recovered": (widths < 1e-6).sum(),
            "narrow": narrow.sum(),
            "inevitable": inevitable,
            "unhidden": (small & ~hidden).sum(),
            "totals hidden": hidden[cells[dimensions].eq("All").all(axis=1).to_numpy()].sum(),
            "seconds": seconds,
        }


TRIALS = {"two-way": (two_way, 500), "three-way": (three_way, 100), "overlapping": (overlapping, 50)}


def main() -> None:
    """Run the trials named, or all, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(TRIALS))
    parser.add_argument("--tables", type=int, help="instead of the full number")
    chosen = parser.parse_args()
    for name in chosen.names:
        make, tables = TRIALS[name]
        rows = pd.DataFrame(trial(make, chosen.tables or tables))
        means, sums = rows.mean(), rows.sum()
        print(
            f"{name}: {len(rows)} tables of {means['cells']:.0f} cells; small {means['small']:.2f}, hidden "
            f"{means['hidden']:.2f} on average, zeros among them {means['zeros']:.2f}; recovered exactly "
            f"{sums['recovered']:.0f}; small in a range below {WIDTH}: {sums['narrow']:.0f}, of which no "
            f"choice could widen {sums['inevitable']:.0f}; small shown {sums['unhidden']:.0f}; grand totals "
            f"hidden {sums['totals hidden']:.0f}; seconds: median {rows['seconds'].median():.3f}, longest "
            f"{rows['seconds'].max():.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
