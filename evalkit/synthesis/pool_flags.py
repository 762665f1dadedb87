"""What to look at before schools are pooled: borrowed rates, cohorts that jump, ids that come and go."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import pandas as pd

from evalkit.wording import listed, percent

JUMP = 0.15  # share; a cohort that changes by more from one year to the next is looked at
FLAG_COLUMNS = ("kind", "unit_id", "period", "finding")

Flag = tuple[str, str, str, str]


def pool_flags(
    listed: pd.DataFrame,
    weighted: pd.DataFrame,
    pools: Mapping[str, pd.DataFrame],
    *,
    site_unit_ids: Collection[str],
    pooled_unit_ids: Collection[str],
) -> pd.DataFrame:
    """List what is odd about the schools of a district, a row per finding.

    Parameters
    ----------
    listed : rows of an indicator table, one school each, every year and subgroup
    weighted : `unit_id`, `period`, `denominator` of the schools that have a rate and a cohort, sorted
    pools : by rule, `period` and `n` of the pooled schools
    pooled_unit_ids : schools of the rule in use; only their cohorts and the site's are looked at one by one

    Returns
    -------
    `kind` is no_cohort (a rate without a cohort), identical_vector (several schools without
    a cohort share the rates of every group in two years or more), id_appears, id_vanishes or
    denominator_jump (more than 15 %); `unit_id` one id, several joined by "+", or the name of a rule;
    `period` one or several; `finding` in words.
    """
    periods = sorted(listed["period"].unique())
    watched = weighted.loc[weighted["unit_id"].isin([*site_unit_ids, *pooled_unit_ids])]
    found = [
        *_borrowed(listed.loc[~listed["unit_id"].isin(list(site_unit_ids))]),
        *_comings_and_goings(listed, periods[0], periods[-1]),
    ]
    for unit_id, rows in watched.groupby("unit_id"):
        found.extend(_jumps(str(unit_id), rows["period"], rows["denominator"]))
    for rule, pool in pools.items():
        found.extend(_jumps(rule, pool["period"], pool["n"]))
    return pd.DataFrame(found, columns=list(FLAG_COLUMNS)).astype("str")


def flags_in_words(flags: pd.DataFrame, rules: Mapping[str, str]) -> Iterator[str]:
    """Tell the flags in sentences; `rules` are the names of the rules of pooling, for a reader."""
    of_kind = dict(iter(flags.groupby("kind")))
    if "no_cohort" in of_kind:
        yield (
            f"{len(of_kind['no_cohort'])} schools stand in some years with a rate and no cohort. From"
            " the year in which they report one they weigh under the other two rules: the pool"
            " changes, though its schools may not."
        )
    if "identical_vector" in of_kind:
        for row in of_kind["identical_vector"].itertuples(index=False):
            yield f"{row.finding} ({row.unit_id.replace('+', ', ')})."
    if "denominator_jump" in of_kind:
        jumps = of_kind["denominator_jump"]
        schools = jumps.loc[~jumps["unit_id"].isin(list(rules)), "unit_id"].nunique()
        if schools:
            yield (
                f"The cohort changes by more than {percent(100 * JUMP)} from one year to the next in"
                f" {schools} of the schools compared."
            )
        for row in jumps.loc[jumps["unit_id"].isin(list(rules))].itertuples(index=False):
            yield f"The pool of {rules[row.unit_id]} goes from {row.finding}."
    moves = [
        f"{len(of_kind[kind])} {word}"
        for kind, word in (("id_appears", "appear"), ("id_vanishes", "vanish"))
        if kind in of_kind
    ]
    if moves:
        yield f"School ids within these years: {listed(moves)}."


def span(years: Collection[str]) -> str:
    """Name the years from the first to the last."""
    ordered = sorted(years)
    return ordered[0] if len(ordered) == 1 else f"{ordered[0]} to {ordered[-1]}"


def _borrowed(schools: pd.DataFrame) -> Iterator[Flag]:
    bare = schools.loc[schools["denominator"].isna() & schools["status"].eq("censored")]
    vectors: dict[tuple[Any, ...], list[str]] = {}
    for unit_id, rows in bare.sort_values(["period", "dimension", "subgroup"]).groupby("unit_id"):
        years = sorted(rows["period"].unique())
        yield "no_cohort", str(unit_id), " ".join(years), f"a rate and no cohort in {span(years)}"
        vector = tuple(
            rows[["period", "dimension", "subgroup", "lower", "upper"]].itertuples(index=False, name=None)
        )
        vectors.setdefault(vector, []).append(str(unit_id))
    for vector, unit_ids in vectors.items():
        years = sorted({row[0] for row in vector})
        if len(unit_ids) > 1 and len(years) > 1:
            finding = (
                f"{len(unit_ids)} schools without a cohort carry one and the same rate for every group in"
                f" {span(years)}: the figures of a larger body, not their own"
            )
            yield "identical_vector", "+".join(unit_ids), " ".join(years), finding


def _comings_and_goings(schools: pd.DataFrame, first: str, last: str) -> Iterator[Flag]:
    for unit_id, years in schools.groupby("unit_id")["period"]:
        if years.min() > first:
            yield "id_appears", str(unit_id), years.min(), f"first listed in {years.min()}"
        if years.max() < last:
            yield "id_vanishes", str(unit_id), years.max(), f"last listed in {years.max()}"


def _jumps(unit_id: str, periods: pd.Series, cohorts: pd.Series) -> Iterator[Flag]:
    before = cohorts.shift()
    for period, earlier, later in zip(periods, before, cohorts, strict=True):
        if abs(later / earlier - 1) > JUMP:
            change = f"{100 * (later / earlier - 1):+.0f}%".replace("-", "−")
            finding = f"{earlier:,.0f} to {later:,.0f} students in {period} ({change})"
            yield "denominator_jump", unit_id, str(period), finding
