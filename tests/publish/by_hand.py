"""Executed notebooks written by hand: the cells and outputs that a run would leave behind."""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from evalkit.charts.display import Picture, bullets, finding, prose, show, table
from evalkit.charts.style import BLUE, INK, MUTED, ORANGE, describe, footnote, house_style, new_axes

YEARS = np.arange(2013, 2025)
GRADUATION = np.array([61.2, 60.4, 62.0, 61.1, 62.3, 61.8, 66.4, 69.0, 71.1, 72.8, 75.2, 77.9])


def markdown(text: str) -> dict[str, Any]:
    return {
        "cell_type": "markdown",
        "metadata": {},
        "source": text.splitlines(keepends=True),
    }


def code(
    *outputs: dict[str, Any], tags: Sequence[str] = (), source: str = "secret_call()", count: int | None = 1
) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "metadata": {"tags": list(tags)},
        "source": source,
        "execution_count": count,
        "outputs": list(outputs),
    }


def shown(thing: Any) -> dict[str, Any]:
    """What Jupyter keeps of a displayed thing."""
    if hasattr(thing, "_repr_mimebundle_"):
        data, metadata = thing._repr_mimebundle_()
    else:
        data, metadata = {"text/html": thing._repr_html_(), "text/plain": repr(thing)}, {}
    return {"output_type": "display_data", "data": data, "metadata": metadata}


def stream(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


def error(name: str = "ValueError") -> dict[str, Any]:
    return {"output_type": "error", "ename": name, "evalue": "no", "traceback": []}


def write_notebook(path: Path, cells: Sequence[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    notebook = {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(notebook, indent=1), encoding="utf-8")
    return path


@cache
def curve(
    *, alt: str = "Graduation rose from 62% before the initiative to 78%; the forecast was 62%."
) -> Picture:
    ax = new_axes()
    with house_style():
        ax.plot(YEARS, GRADUATION, color=BLUE, marker="o", lw=2)
        ax.plot(YEARS[5:], np.full(7, 61.7), color=MUTED, ls="--")
        ax.fill_between(YEARS[5:], 58.9, 64.5, color=MUTED, alpha=0.18, lw=0)
        ax.axvline(2018.5, color=INK, lw=0.8, ls=":")
        ax.annotate(
            "Alder Park", (2024, 77.9), xytext=(5, 0), textcoords="offset points", color=BLUE, va="center"
        )
        ax.annotate(
            "forecast", (2024, 61.7), xytext=(5, 0), textcoords="offset points", color=MUTED, va="center"
        )
        ax.set(
            ylim=(0, 100),
            xlim=(2012.5, 2025.8),
            ylabel="Graduated in four years, percent",
            xlabel="School year ending",
        )
        ax.set_title("Graduation turned after 2019")
        footnote(ax, "Source: state report card; n = 3,412 students over 12 cohorts.")
    describe(ax, alt)
    return show(
        ax,
        caption="Graduation in four years against the forecast from before 2019 (95% interval shaded).",
    )


@cache
def gaps() -> Picture:
    ax = new_axes(height=2.9)
    with house_style():
        names = ["Native American", "Black", "Latinx", "Asian"]
        middle = np.array([-14.0, -11.2, -8.4, 1.1])
        ax.errorbar(middle, range(4), xerr=[[6, 3, 2.6, 5]] * 2, fmt="s", color=ORANGE)
        ax.axvline(0, color=INK, lw=0.8)
        ax.set(yticks=range(4), xlabel="Difference from White students, percentage points")
        ax.set_yticklabels(names)
        ax.set_title("Three groups are still left behind")
        footnote(ax, "Source: state report card, 2024; groups under 10 students are not shown.")
    describe(
        ax,
        "Native American students are 14 points behind White students, Black students 11, Latinx students 8.",
    )
    return show(ax, caption="Gaps in graduation, 2024.")


def indicators() -> pd.DataFrame:
    rows = [
        ("Graduates in four years", "61.8%", "77.9%", "75%", "75.1 to 80.7", "Turned"),
        ("Chronically absent (lower is better)", "31.0%", "24.2%", "20%", "22.0 to 26.4", "Turned"),
        ("Proficient in English language arts", "38.5%", "41.1%", "50%", "38.9 to 43.3", "Not yet"),
        ("Ready for kindergarten", "44.0%", "52.6%", "55%", "46.1 to 59.0", "Beat the baseline"),
        ("Caregivers employed", "71.3%", "74.0%", "80%", "69.0 to 79.0", "Cannot be told"),
    ]
    return pd.DataFrame(
        rows, columns=["Indicator", "Baseline 2018", "Latest 2024", "Target", "95% interval", "Verdict"]
    )


def wide() -> pd.DataFrame:
    frame = pd.DataFrame(
        {"Indicator": ["Graduation", "Chronic absence", "English language arts", "Kindergarten readiness"]}
    )
    for year in range(2013, 2025):
        frame[f"{year - 1}–{year % 100}"] = [f"{60 + year % 7 + k * 3}.{year % 10}%" for k in range(4)]
    frame["Interval"] = "52.1 to 58.9"
    frame["Population"] = ["target school", "target school", "target school", "resident"]
    frame["Denominator"] = [1204, 3411, 2980, 512]
    return frame


def case_study(
    *, partner: str = "Alder Park Family Center", place: str = "Louisville, Kentucky"
) -> list[dict[str, Any]]:
    partners = pd.DataFrame(
        [
            (partner, "Home visits", "family", "Ready for kindergarten", "2019"),
            ("Alder Park High School", "Graduation coaches", "program", "Graduates in four years", "2019"),
            ("City transit authority", "Free student passes", "policy", "Chronically absent", "2021"),
        ],
        columns=["Partner", "Solution", "Kind", "Aimed at", "Since"],
    )
    return [
        markdown("# Case study: what changed, for whom, and how sure we are\n"),
        code(tags=["parameters"], source='network = "demo"'),
        code(stream("UserWarning: do not show\n", "stderr"), stream("debug 42\n"), source="import evalkit"),
        code(
            shown(
                finding(
                    [
                        "Graduation turned: 77.9% of the class of 2024 graduated in four years, "
                        "16.2 points above what the years before 2019 led us to expect "
                        "(95% interval: 12.9 to 19.5 points).",
                        "Chronic absence turned as well. Reading has not, and what caregivers gained "
                        "cannot be told yet.",
                        "The initiative probably contributed to the rise in graduation; "
                        "it did not act alone.",
                    ]
                )
            ),
        ),
        markdown("## Place and people\n"),
        code(
            shown(
                prose(
                    f"Alder Park is a neighborhood of 11,400 people in {place}. The lead agency is {partner}."
                )
            )
        ),
        code(shown(table(partners, caption="Who does what, for which indicator"))),
        markdown(
            "## What turned\n\nEvery indicator that families named comes first. *Turned* means that the\n"
            "curve now runs the better way and lies outside what was to be expected."
        ),
        code(
            shown(
                table(
                    indicators(),
                    caption="Indicators against baseline and target",
                    note="Intervals: Wilson score, 95%.",
                )
            )
        ),
        code(shown(curve())),
        markdown("### Every year\n\nThe whole series, so that no bad year is left out:"),
        code(shown(table(wide(), caption="Every indicator, every year", note="School years; percent."))),
        markdown("## Who is left out\n"),
        code(shown(gaps())),
        code(
            shown(
                bullets(
                    [
                        "Black students: 11.2 points behind (8.2 to 14.2).",
                        "Latinx students: 8.4 points behind (5.8 to 11.0).",
                        "Groups of fewer than ten students are hidden.",
                    ]
                )
            )
        ),
        markdown(
            "## What contributed\n\n1. Graduation coaches were in place before the curve turned.\n"
            "2. Other explanations were looked at; a change of definition was ruled out.\n\n"
            "> We stopped asking who failed, and asked who had called home.\n>\n> — a coach, 2022"
        ),
        markdown("## What is not shown, and why\n"),
        code(shown(prose("Caregiver income is not shown: no source reports it for this neighborhood."))),
        markdown(
            "## Methods in plain words\n\nA straight line was laid through the years before 2019, carried\n"
            "on; see [the working pages](#working-pages). Rates come from `evalkit.turn_the_curve`."
        ),
        markdown("## How to cite and make this again\n"),
        code(
            shown(
                prose(
                    "Made with evalkit 0.1.0. To make it again: evalkit run --network demo --site alder-park"
                )
            ),
        ),
    ]
