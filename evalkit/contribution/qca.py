"""Qualitative comparative analysis across sites: which combinations of conditions go with the outcome."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from evalkit.contribution.qca_minimise import (
    LEFT_OUT,
    MOST_MODELS,
    Terms,
    easy_counterfactuals,
    expectations_of,
    forbidden_rows,
    prime_implicants,
    shortest_covers,
    term_words,
)
from evalkit.contribution.qca_tables import (
    CONSISTENCY_CUT,
    CROSSOVER,
    Floats,
    necessity,
    sufficiency,
    truth_table,
    usable_cases,
)
from evalkit.errors import DesignError
from evalkit.results import Result, tidy_frame
from evalkit.wording import listed, number

METHOD = "qca"
SOLUTIONS = ("conservative", "intermediate", "parsimonious")
MOST_NAMED = 8  # cases named in one sentence of the narrative; the frames name all
LITTLE = 0.25  # coverage; below it most of the outcome came about in other ways
TERM_COLUMNS = ("solution", "model", "term", "inclS", "PRI", "covS", "covU", "cases")


def qualitative_comparison(
    data: pd.DataFrame,
    *,
    outcome: str,
    conditions: Sequence[str],
    expectations: Mapping[str, str] | None = None,
    consistency_cut: float = CONSISTENCY_CUT,
    pri_cut: float = 0.0,
    fewest_cases: int = 1,
    force: bool = False,
) -> Result:
    """Find the combinations of conditions under which cases show the outcome, by fuzzy or crisp sets.

    Parameters
    ----------
    data : a row per case (its index names the cases), a column of memberships in [0, 1] per set; cases
        without a membership in every set are left out and named
    expectations : condition -> "present" or "absent", where theory says which way it works; they make the
        intermediate solution, which without them is the conservative one
    consistency_cut, pri_cut, fewest_cases, force : as in `truth_table`

    Returns
    -------
    Result of method "qca". Frames: `truth_table`; `necessity`; `terms`, a row per solution (conservative,
    intermediate, parsimonious), model and term, with inclS, PRI, covS, covU; `solutions`, a row per model
    as a whole; `memberships`, a row per case with its membership in the first intermediate model and in the
    outcome, and `place` (typical, contradicts, not covered, irrelevant). `tidy` holds consistency and
    coverage of the models, unit "share".

    Raises
    ------
    DesignError : see `truth_table`; or no row is sufficient at this cut, or all are.

    References
    ----------
    Ragin (2008), Redesigning Social Inquiry; Dusa (2019), QCA with R. Numbers agree with R QCA 3.23.
    """
    names = list(conditions)
    table = truth_table(
        data,
        outcome=outcome,
        conditions=names,
        consistency_cut=consistency_cut,
        pri_cut=pri_cut,
        fewest_cases=fewest_cases,
        force=force,
    )
    cases = usable_cases(data, outcome=outcome, conditions=names)
    positive, negative = (sorted(table.loc[table["OUT"] == out, "row"] - 1) for out in "10")
    if not positive or not negative:
        which = "no" if not positive else "every"
        raise DesignError(
            f"{which} combination of conditions goes with {outcome} at a consistency of {consistency_cut}; "
            "there is nothing to minimise, so look at the truth table itself"
        )
    models = _models(positive, negative, len(names), expectations_of(expectations or {}, names))
    met, shown = cases[names].to_numpy(dtype=np.float64), cases[outcome].to_numpy(dtype=np.float64)
    terms, solutions = _fit_frames(models, met, shown, names, [str(case) for case in cases.index])
    memberships = _membership_frame(models["intermediate"][0], met, shown, cases.index)
    left_out = [str(case) for case in data.index if case not in cases.index]
    needed = necessity(cases, outcome=outcome, conditions=names)
    return Result(
        method=METHOD,
        title=f"Which combinations go with {outcome}?",
        design={
            "outcome": outcome,
            "conditions": names,
            "expectations": dict(expectations or {}),
            "consistency_cut": consistency_cut,
            "pri_cut": pri_cut,
            "fewest_cases": fewest_cases,
            "forced": force,
            "left_out": left_out,
        },
        tidy=_tidy(solutions, len(cases)),
        frames={
            "truth_table": table,
            "necessity": needed,
            "terms": terms,
            "solutions": solutions,
            "memberships": memberships,
        },
        narrative=_story(table, needed, solutions, memberships, left_out, outcome=outcome),
    )


def membership(terms: Terms, met: Floats) -> Floats:
    """Return each case's membership in each term (down cases, across terms): the least of its parts'."""
    parts = terms[None, :, :]
    degrees = np.where(parts == 1, met[:, None, :], 1 - met[:, None, :])
    return np.asarray(np.where(parts == LEFT_OUT, 1.0, degrees).min(axis=2), dtype=np.float64)


def _models(
    positive: Sequence[int], negative: Sequence[int], conditions: int, expected: Sequence[int]
) -> dict[str, list[Terms]]:
    """Solve for each kind of solution; a kind has several models where they are equally short."""
    long = _solve(positive, forbidden_rows(positive, conditions), conditions)
    short = _solve(positive, negative, conditions)
    open_rows = forbidden_rows([*positive, *negative], conditions)
    easy = easy_counterfactuals(_together(long), _together(short), open_rows, expected)
    middle = _solve(positive, forbidden_rows([*positive, *easy], conditions), conditions)
    return {"conservative": long, "intermediate": middle, "parsimonious": short}


def _solve(positive: Sequence[int], forbidden: Sequence[int], conditions: int) -> list[Terms]:
    primes = prime_implicants(positive, forbidden, conditions)
    return [_ordered(primes[list(chosen)]) for chosen in shortest_covers(primes, positive)]


def _together(models: Sequence[Terms]) -> Terms:
    return np.asarray(np.unique(np.vstack(models), axis=0), dtype=np.int8)


def _ordered(terms: Terms) -> Terms:
    """Put presences before absences before parts left out, as they are read."""
    rank = np.where(terms == 1, 0, np.where(terms == 0, 1, 2))
    return terms[np.lexsort(rank.T[::-1])]


def _fit_frames(
    models: Mapping[str, Sequence[Terms]], met: Floats, shown: Floats, names: Sequence[str], cases: list[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    terms: list[dict[str, Any]] = []
    solutions: list[dict[str, Any]] = []
    for solution in SOLUTIONS:
        for place, model in enumerate(models[solution], start=1):
            degrees = membership(model, met)
            about = {"solution": solution, "model": place}
            whole = degrees.max(axis=1)
            consistency, pri, coverage = sufficiency(whole, shown)
            words = [term_words(term, names) for term in model]
            solutions.append(
                about
                | {"formula": " + ".join(words), "inclS": consistency, "PRI": pri, "covS": coverage}
                | {"models": len(models[solution])}
            )
            for position, word in enumerate(words):
                alone, alone_pri, covered = sufficiency(degrees[:, position], shown)
                others = np.delete(degrees, position, axis=1)
                rest = np.minimum(others.max(axis=1), shown).sum() / shown.sum() if others.size else 0.0
                inside = degrees[:, position] > CROSSOVER
                terms.append(
                    about
                    | {"term": word, "inclS": alone, "PRI": alone_pri, "covS": covered}
                    | {"covU": coverage - float(rest)}
                    | {"cases": ",".join(case for case, flag in zip(cases, inside, strict=True) if flag)}
                )
    return pd.DataFrame(terms, columns=list(TERM_COLUMNS)), pd.DataFrame(solutions)


def _membership_frame(model: Terms, met: Floats, shown: Floats, cases: pd.Index) -> pd.DataFrame:
    whole = membership(model, met).max(axis=1)
    inside, out = whole > CROSSOVER, shown > CROSSOVER
    places = np.select(
        [inside & out, inside & ~out, ~inside & out], ["typical", "contradicts", "not covered"], "irrelevant"
    )
    return pd.DataFrame(
        {"case": cases.astype(str), "solution": whole, "outcome": shown, "place": places.astype(str)}
    )


def _tidy(solutions: pd.DataFrame, cases: int) -> pd.DataFrame:
    rows = []
    for row in solutions.to_dict("records"):
        for column, term in (("inclS", "consistency"), ("PRI", "pri"), ("covS", "coverage")):
            rows.append(
                {
                    "method": METHOD,
                    "subgroup": row["solution"],
                    "term": term,
                    "estimate": row[column],
                    "unit": "share",
                    "n": cases,
                    "note": row["formula"],
                }
            )
    return tidy_frame(rows)


def _story(
    table: pd.DataFrame,
    needed: pd.DataFrame,
    solutions: pd.DataFrame,
    memberships: pd.DataFrame,
    left_out: list[str],
    *,
    outcome: str,
) -> tuple[str, ...]:
    cases, rows = len(memberships), len(table)
    combinations = 2 ** (table.columns.get_loc("OUT") - 1)
    told = [
        f"{cases} cases show {rows} of the {combinations} possible combinations of conditions; "
        f"of these, {(table['OUT'] == '1').sum()} with {outcome} consistently enough."
    ]
    for solution in SOLUTIONS:
        row = solutions[solutions["solution"] == solution].iloc[0]
        more = int(row["models"]) - 1
        others = f"; {more if more < MOST_MODELS - 1 else 'many'} more as short as this" if more else ""
        told.append(
            f"{solution.capitalize()} solution: {row['formula']} (consistency {number(row['inclS'], 2)}, "
            f"PRI {number(row['PRI'], 2)}, coverage {number(row['covS'], 2)}{others})."
        )
    if solutions["covS"].max() < LITTLE:
        told.append(f"None of these covers much: most of {outcome} came about in other ways.")
    for verdict, words in (
        ("necessary", "Hardly any case shows the outcome without"),
        ("trivially necessary", "Met by nearly every case, whether it shows the outcome or not:"),
    ):
        found = needed.loc[needed["verdict"] == verdict, "condition"].tolist()
        if found:
            told.append(f"{words} {listed(found)}.")
    against = memberships.loc[memberships["place"] == "contradicts", "case"].tolist()
    outside = memberships.loc[memberships["place"] == "not covered", "case"].tolist()
    torn = table[table["contradicts"] != ""]
    if len(torn):
        told.append(
            "Cases whose outcome is not that of their combination: "
            + "; ".join(f"{_named(row.contradicts.split(','))} (row {row.row})" for row in torn.itertuples())
            + ". Look into what sets them apart before reading the solution."
        )
    if against:
        told.append(f"In the intermediate solution but without the outcome: {_named(against)}.")
    if outside:
        told.append(f"With the outcome but not explained by the intermediate solution: {_named(outside)}.")
    if left_out:
        told.append(f"Left out, for want of a membership in every set: {_named(left_out)}.")
    return tuple(told)


def _named(cases: Sequence[str]) -> str:
    if len(cases) <= MOST_NAMED:
        return listed(list(cases))
    return listed([*cases[: MOST_NAMED - 1], f"{len(cases) - MOST_NAMED + 1} more"])
