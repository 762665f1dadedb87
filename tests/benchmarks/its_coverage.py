"""Measure how often the intervals of every method hold the truth, and hold that against the reference table.

Run from the top of the checkout: ``python -m tests.benchmarks.its_coverage --series 10000`` (two minutes on
one core). It prints the tables in Markdown, and lists every cell outside the bands that the package promises.
"""

import argparse

import pandas as pd

from evalkit.its.calibration import CENTERED, OFF_CENTER, TROUBLED, WEAK, Cell, calibrate
from evalkit.its.engine import METHODS

# coverage of nominal 95 % intervals, level/slope, interruption in the middle, 10,000 series a cell: measured
# with an independent implementation; a row for each method, n = 12, 24, 48 by rho = 0, .2, .4, .6
REFERENCE = {
    "ols": "95/95 92/90 89/83 85/73 95/95 91/89 84/80 75/65 95/95 90/89 82/79 70/66",
    "hac": "85/85 81/78 78/71 75/63 89/90 86/85 81/77 75/65 92/92 89/88 83/81 75/71",
    "prais": "84/83 80/77 77/71 74/63 90/90 88/87 85/82 82/74 92/92 91/91 90/88 87/85",
    "reml": "89/91 88/88 87/86 87/83 92/94 91/92 90/90 89/87 94/94 93/94 93/93 92/92",
    "reml_satterthwaite": "94/95 93/95 93/94 92/93 94/96 94/96 92/96 91/95 95/96 95/95 94/95 93/96",
    "integrated": "96/99 95/99 94/97 94/94 96/98 96/98 95/98 94/96 95/97 96/96 95/97 94/97",
    "network": "95/97 95/97 95/97 95/95 95/96 95/96 95/96 95/97 95/95 95/95 95/96 95/96",
}
# what the package promises: lowest and highest coverage in every cell with 12 to 48 periods, in percent
PROMISED = {
    ("network", "level_change"): (94.0, 97.0),
    ("network", "slope_change"): (94.0, 97.5),
    ("integrated", "level_change"): (93.5, 97.0),
}
AGREEMENT = 1.5  # points a replication method may lie from its reference, which is rounded to whole points


def reference(method: str, cell: Cell) -> tuple[float, float]:
    level, slope = REFERENCE[method].split()[CENTERED.index(cell)].split("/")
    return float(level), float(slope)


def cell_name(cell: Cell) -> str:
    extra = "" if cell.scenario == "as modelled" else f", {cell.scenario}"
    return f"{cell.n_pre}+{cell.n_post} ρ={cell.rho:g}{extra}"


def pairs(coverage: pd.DataFrame, cells: tuple[Cell, ...]) -> pd.DataFrame:
    """Lay "level/slope" out with a row per method and a column per cell."""
    wide: dict[str, list[str]] = {}
    methods = list(dict.fromkeys(coverage["inference"]))
    for cell in cells:
        here = coverage[
            coverage["n_pre"].eq(cell.n_pre)
            & coverage["n_post"].eq(cell.n_post)
            & coverage["rho"].eq(cell.rho)
            & coverage["scenario"].eq(cell.scenario)
        ]
        wide[cell_name(cell)] = [
            "/".join(f"{value:.1f}" for value in here.loc[here["inference"].eq(method), "coverage"])
            for method in methods
        ]
    return pd.DataFrame(wide, index=pd.Index(methods, name="method"))


def outside(coverage: pd.DataFrame, *, slack: float) -> list[str]:
    """List the centered cells outside the promised band or away from the reference."""
    found = []
    for cell in CENTERED:
        for row in coverage.itertuples():
            if (row.n_pre, row.n_post, row.rho, row.scenario) != (
                cell.n_pre, cell.n_post, cell.rho, cell.scenario
            ):  # fmt: skip
                continue
            expected = reference(row.inference, cell)[row.term == "slope_change"]
            low, high = PROMISED.get(
                (row.inference, row.term), (expected - AGREEMENT - 0.5, expected + AGREEMENT + 0.5)
            )
            if not low - slack <= row.coverage <= high + slack:
                found.append(
                    f"{row.inference}, {row.term}, {cell_name(cell)}: {row.coverage:.1f}, "
                    f"not {low:g} to {high:g}"
                )
    return found


def markdown(frame: pd.DataFrame) -> str:
    head = ["method", *frame.columns]
    lines = [
        head,
        ["---"] * len(head),
        *([name, *row] for name, row in zip(frame.index, frame.to_numpy(), strict=True)),
    ]
    return "\n".join("| " + " | ".join(str(value) for value in line) + " |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=10_000, help="series in each cell, a multiple of 20")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    tables = {
        "Interruption in the middle": (CENTERED, METHODS),
        "Off center": (OFF_CENTER, METHODS),
        "Unequal ρ, missing periods, shared shocks": (TROUBLED, METHODS),
        "Known weak spots": (WEAK, METHODS),
    }
    for title, (cells, methods) in tables.items():
        coverage = calibrate(cells, methods=methods, n_series=asked.series, seed=asked.seed).frames[
            "coverage"
        ]
        print(f"\n{title}, level/slope, {asked.series:,} series a cell\n\n{markdown(pairs(coverage, cells))}")
        if cells is CENTERED:
            print("\n".join(["", "Outside:", *(outside(coverage, slack=0.0) or ["none"])]), flush=True)


if __name__ == "__main__":
    main()
