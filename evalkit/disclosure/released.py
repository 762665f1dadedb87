"""What one audience may be shown of an indicator table, and in plain words what is not shown and why."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd

from evalkit.agreements import AUDIENCES, PURPOSE, DataAgreement, missing_agreement, parse_day
from evalkit.checks import KEY
from evalkit.disclosure.blocks import (
    PROTECTED_WIDTH,
    Block,
    LinkedBlock,
    State,
    linked,
    sums_of,
    with_unlisted,
)
from evalkit.disclosure.coding import TAIL_TIERS, Coding, code_counts
from evalkit.disclosure.protected import Protected, hide
from evalkit.disclosure.ranges import ROUNDING
from evalkit.errors import ParameterError
from evalkit.indicators import IndicatorTable
from evalkit.parameters import MINIMUM_CELL
from evalkit.wording import listed

UNPROTECTED_AUDIENCE = "internal"
PROTECTED_AUDIENCES = tuple(name for name in AUDIENCES if name != UNPROTECTED_AUDIENCE)
BY_SOURCE = "already hidden or blurred by their source"
BLOCK = ["site_id", "population", "period"]  # what may add up; the same persons stand in many indicators


# Marks (a number of persons, or a count) of the largest block that is chosen exactly: two indicators of 17
# cells. Above it the exact choice takes many times as long as the heuristic, to lose about 1 % less.
LARGEST_EXACT = 70


@dataclass(frozen=True)
class Release:
    """An indicator table as one audience may see it.

    Attributes
    ----------
    table : what may be shown; small counts are status "censored" with bounds, hidden cells "suppressed"
    hidden : the key of every cell that is shown as a range or not at all, and `reason`. One reason stands for
        small groups and for those hidden to protect them, so that the list does not tell which is which.
    rule : what was done, in one sentence
    audience : "internal", "partners" or "public"
    agreements : ids of the data agreements in force that allow what is shown
    record : what an auditor asks for: the rule, cells by reason, what the attack found, agreements, and for
        internal evaluators the hash of what came in; plain JSON values, no hidden number and no clock
    """

    table: IndicatorTable
    hidden: pd.DataFrame = field(repr=False)
    rule: str
    audience: str
    agreements: tuple[str, ...] = ()
    record: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def not_shown(self) -> pd.DataFrame:
        """Say what is not shown and why: for each reason `cells`, `of`, `indicators` and `why`."""
        groups = [(str(reason), cells) for reason, cells in self.hidden.groupby("reason", sort=True)]
        blurred = self.table.frame[self.table.frame["status"].isin(["suppressed", "censored"])]
        earlier = blurred.merge(self.hidden, on=list(KEY), how="left", indicator="where")
        earlier = earlier[earlier["where"].eq("left_only")]
        if len(earlier):
            groups.append((BY_SOURCE, earlier))
        rows = [
            {
                "cells": len(cells),
                "of": len(self.table),
                "indicators": cells["indicator"].nunique(),
                "why": why,
            }
            for why, cells in groups
        ]
        return pd.DataFrame(rows, columns=["cells", "of", "indicators", "why"])

    def explanation(self) -> list[str]:
        """Say in plain words what is not shown and why, with counts of cells by reason and never a value."""
        if self.audience == UNPROTECTED_AUDIENCE and self.hidden.empty:
            return ["Everything is shown: this is the version for the partnership's own evaluators."]
        counts = [f"{row.cells:,} of {row.of:,} cells: {row.why}." for row in self.not_shown().itertuples()]
        none = ["No cell had to be hidden."] if self.hidden.empty else []
        return [self.rule, *none, *counts]


def release(
    table: IndicatorTable,
    *,
    audience: str,
    minimum: int = MINIMUM_CELL,
    protected_sources: Collection[str] = (),
    agreement: DataAgreement | Sequence[DataAgreement] | None = None,
    today: str = "",
    purpose: str = PURPOSE,
    open_sources: Collection[str] = (),
) -> Release:
    """Hide what an audience may not see.

    Internal evaluators see everything. For partners and the public, groups of 1 to `minimum` − 1 persons (and
    always those below 10) are hidden; small counts in larger groups, of those counted or not counted, become
    ranges; and further cells are hidden until no hidden count can be worked out from the sums to within
    fewer than 5 persons. The total of all is never hidden to protect a subgroup. What partners and the public
    may see is chosen together, so that who holds both releases learns no more; each then gets its part.

    Parameters
    ----------
    table : any number of sites; cells are protected within each site, population and period, all
        indicators together
    audience : "internal", "partners" or "public"
    minimum : the smallest count that is shown, in persons
    protected_sources : values of the column `source` whose publisher has already protected them; their rows
        pass unchanged
    agreement : the data agreements of the network and site; cells of a source that none in force allows are
        not shown to any audience, and the reason says so. None or an empty list: no source needs one. The
        largest `minimum_cell` of those that apply holds for the whole table
    today : the day on which agreements must be in force, e.g. "2026-09-30"; needed where there are any
    purpose : what the data are used for
    open_sources : sources that are made up or public and need no agreement; protected ones never do

    Returns
    -------
    A release; the caller's table is unchanged.

    Raises
    ------
    ParameterError : the audience is unknown, `minimum` is no whole number of 1 or more, `table` is no
        indicator table, or there are agreements and no day.
    """
    _check(table, audience, minimum, protected_sources, open_sources)
    agreements = _as_list(agreement)
    free = {*protected_sources, *open_sources}
    terms = {
        name: _not_shared(table.frame, agreements, name, today, purpose, free)
        for name in ((audience,) if audience == UNPROTECTED_AUDIENCE else PROTECTED_AUDIENCES)
    }
    reasons, used = terms[audience]
    withheld = reasons.ne("").to_numpy()
    from_all = np.logical_and.reduce([why.ne("").to_numpy() for why, _ in terms.values()])
    minimum = max([minimum, *(item.minimum_cell for _, some in terms.values() for item in some)])
    protected: list[Protected] = []
    frame = _shown(table.frame, np.where(from_all, State.HIDDEN, State.SHOWN), None)
    not_shared = table.frame.loc[withheld, list(KEY)].assign(reason=reasons[withheld])
    if audience == UNPROTECTED_AUDIENCE:
        rule = "Every cell is shown." if not withheld.any() else "Cells not shared are not shown."
        shown, hidden = frame, not_shared
    else:
        counts = _Counts.of(table, frame, minimum, protected_sources)
        counts.own[from_all] = False
        blocks, rows = _blocks(frame, counts, minimum)
        protected = hide([block.system for block in blocks], largest=LARGEST_EXACT)
        state = np.zeros(len(frame), dtype=np.int64)
        for block, found, places in zip(blocks, protected, rows, strict=True):
            state[places] = block.states(found.hidden)
        state[counts.unstated] = State.HIDDEN
        changed = (state != State.SHOWN) & ~counts.hidden_before & ~counts.ranged_before
        changed |= (state > State.RANGE) & counts.ranged_before
        changed &= ~withheld
        shown = _shown(frame, np.where(changed, state, 0), counts.coding)
        shown = _shown(shown, np.where(withheld, State.HIDDEN, State.SHOWN), None)
        hidden = pd.concat([_hidden(frame, np.where(changed, state, 0), minimum), not_shared])
        rule = _rule(minimum, own=counts.own | from_all)
    released = (
        IndicatorTable.from_frame(shown, dictionary=table.dictionary, origin="release")
        if len(hidden)
        else table
    )
    by_reason = hidden["reason"].value_counts(sort=False).sort_index()
    ids = tuple(sorted(item.agreement_id for item in used))
    record = {
        "audience": audience,
        "rule": rule,
        "minimum_cell": minimum,
        "cells": len(frame),
        "cells_by_reason": {str(reason): int(count) for reason, count in by_reason.items()},
        "attack": _attack_record(protected),
        "agreements": list(ids),
    }
    if audience == UNPROTECTED_AUDIENCE:  # from a hash of small numbers, these can be guessed
        record["input_sha256"] = _content_hash(table.frame)
    hidden = hidden.sort_values(list(KEY), ignore_index=True)
    return Release(released, hidden, rule, audience, ids, record)


def _check(
    table: IndicatorTable,
    audience: str,
    minimum: int,
    protected_sources: Collection[str],
    open_sources: Collection[str],
) -> None:
    if not isinstance(table, IndicatorTable):
        kind = type(table).__name__
        raise ParameterError(f"a release is made from an IndicatorTable, not from a {kind}; see from_frame")
    if audience not in AUDIENCES:
        raise ParameterError(
            f"unknown audience {audience!r}; use {listed([repr(a) for a in AUDIENCES], 'or')}"
        )
    if not isinstance(minimum, Integral) or minimum < 1:
        raise ParameterError(
            f"the smallest count shown is {minimum!r}; it must be a whole number of 1 person or more"
        )
    for name in (protected_sources, open_sources):
        if isinstance(name, str):
            raise ParameterError(f"sources are given as a list, such as [{name!r}], not as one text")


def _attack_record(protected: Sequence[Protected]) -> dict[str, Any]:
    """Say what the attack found; all of it can be worked out from what is shown."""
    left = np.concatenate([np.zeros(0), *(found.left for found in protected)])
    attacked = ~np.isnan(left)
    return {
        "numbers_attacked": int(attacked.sum()),
        "width_wanted": PROTECTED_WIDTH,
        "narrowest_share_of_wanted": round(float(left[attacked].min(initial=1.0)), 3),
        "narrower_than_wanted": int((left[attacked] < 1 - ROUNDING).sum()),
        "blocks_chosen_exactly": sum(found.exact for found in protected),
        "blocks_chosen_by_heuristic": sum(found.heuristic for found in protected),
        "blocks_where_totals_allow_no_more": sum(found.limited for found in protected),
    }


def _as_list(agreement: DataAgreement | Sequence[DataAgreement] | None) -> list[DataAgreement]:
    if agreement is None:
        return []
    return [agreement] if isinstance(agreement, DataAgreement) else list(agreement)


def _not_shared(
    frame: pd.DataFrame,
    agreements: Sequence[DataAgreement],
    audience: str,
    today: str,
    purpose: str,
    free: Collection[str],
) -> tuple[pd.Series, list[DataAgreement]]:
    """Give the reason why each row may not be shared ("" where it may), and the agreements in use."""
    reasons = pd.Series("", index=frame.index, dtype="str")
    if not agreements:
        return reasons, []
    if not today:
        raise ParameterError("there are data agreements; give the day on which they must be in force (today)")
    day = parse_day(today)
    used: dict[str, DataAgreement] = {}
    for key, rows in frame.groupby(["source", "indicator", "dimension"], sort=True).groups.items():
        source, indicator, dimension = map(str, key)
        if source in free:
            continue
        asked = {"indicator": indicator, "dimension": dimension, "audience": audience, "purpose": purpose}
        reasons[rows] = missing_agreement(agreements, source=source, day=day, **asked)
        for item in agreements:
            if item.source == source and item.is_in_force(day) and item.covers(**asked):
                used[item.agreement_id] = item
    return reasons, list(used.values())


def _content_hash(frame: pd.DataFrame) -> str:
    """Hash what a table holds, whatever its index."""
    text = frame.to_csv(index=False, lineterminator="\n", float_format="%.12g")
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class _Counts:
    """Persons and persons counted of every row, and what is known of it before anything is hidden."""

    n: np.ndarray
    x: np.ndarray
    coding: Coding
    state: np.ndarray
    own: np.ndarray
    protected: np.ndarray
    unstated: np.ndarray
    hidden_before: np.ndarray
    ranged_before: np.ndarray
    has_complement: np.ndarray
    is_rate: np.ndarray

    @classmethod
    def of(
        cls, table: IndicatorTable, frame: pd.DataFrame, minimum: int, protected_sources: Collection[str]
    ) -> "_Counts":
        declared = {name: table.dictionary.indicator(name) for name in frame["indicator"].unique()}
        is_rate = frame["indicator"].map({name: item.kind == "rate" for name, item in declared.items()})
        exceeds = frame["indicator"].map({name: item.may_exceed_one for name, item in declared.items()})
        is_rate, has_complement = is_rate.to_numpy(dtype=bool), ~exceeds.to_numpy(dtype=bool)
        status = frame["status"].to_numpy()
        own = ~frame["source"].isin(list(protected_sources)).to_numpy()
        missing, reported = status == "missing", status == "reported"
        censored, suppressed = status == "censored", status == "suppressed"
        n = np.where(missing, 0.0, frame["denominator"].to_numpy(dtype=float))
        from_value = (frame["value"] * frame["denominator"]).round()
        x = frame["numerator"].fillna(from_value).to_numpy(dtype=float)
        x = np.where(missing, 0.0, np.where(is_rate & reported, x, np.nan))
        coding = code_counts(x, n, minimum=minimum, has_complement=has_complement)
        ranged = censored | (suppressed & ~np.isnan(n))
        least = np.where(ranged, np.where(censored, np.ceil(frame["lower"] * n - 1e-9), 0), coding.least)
        most = np.where(ranged, np.where(censored, np.floor(frame["upper"] * n + 1e-9), n), coding.most)
        coding = Coding(
            coding.hidden, coding.coded, least, np.maximum(most, least), coding.lower, coding.upper
        )
        unknown = suppressed & np.isnan(n)
        state = np.select(
            [coding.hidden | unknown, coding.coded | ranged], [State.HIDDEN, State.RANGE], default=State.SHOWN
        )
        unstated = own & (reported | censored) & np.isnan(n)
        return cls(n, x, coding, state, own, ~own, unstated, suppressed, censored, has_complement, is_rate)


def _blocks(frame: pd.DataFrame, counts: _Counts, minimum: int) -> tuple[list[LinkedBlock], list[np.ndarray]]:
    """Cut the rows into blocks that add up among themselves; blocks with nothing to hide are left out."""

    def code(x: np.ndarray, n: np.ndarray, has_complement: np.ndarray) -> Coding:
        return code_counts(x, n, minimum=minimum, has_complement=has_complement)

    blocks, rows = [], []
    reported = frame["status"].eq("reported").to_numpy()
    # what a publisher shows of a protected source, readers have too; it is part of the sums and stays
    fixed = counts.protected & reported & ~np.isnan(counts.n)
    usable = (counts.own & ~counts.unstated) | fixed
    names = list(zip(frame["unit_id"], frame["dimension"], frame["subgroup"], strict=True))
    indicator = frame["indicator"].to_numpy(dtype=object)
    missing = frame["status"].eq("missing").to_numpy()
    for places in frame.loc[usable].groupby(BLOCK, sort=True).indices.values():
        places = np.flatnonzero(usable)[places]
        if not counts.own[places].any():
            continue
        cells = tuple(names[place] for place in places)
        block = Block(
            indicator=indicator[places],
            names=cells,
            links=sums_of(indicator[places], cells),
            n=counts.n[places],
            x=counts.x[places],
            least=counts.coding.least[places],
            most=counts.coding.most[places],
            state=np.where(fixed[places], State.SHOWN, counts.state[places]).astype(np.int64),
            has_complement=counts.has_complement[places],
            is_rate=counts.is_rate[places],
            is_fixed=missing[places] | fixed[places],
            is_listed=np.ones(places.size, dtype=bool),
        )
        block = with_unlisted(block, code)
        if block.has_something_to_hide:
            blocks.append(linked(block))
            rows.append(places)
    return blocks, rows


def _shown(frame: pd.DataFrame, state: np.ndarray, coding: Coding | None) -> pd.DataFrame:
    shown = frame.copy()
    is_range, is_hidden = state == State.RANGE, state > State.RANGE
    numbers = ["numerator", "value", "std_error", "lower", "upper"]
    shown.loc[is_range | is_hidden, numbers] = np.nan
    if coding is not None:
        shown.loc[is_range, "lower"] = coding.lower[is_range]
        shown.loc[is_range, "upper"] = coding.upper[is_range]
    shown.loc[is_range, "status"] = "censored"
    shown.loc[is_hidden, "status"] = "suppressed"
    shown.loc[state == State.HIDDEN, "denominator"] = np.nan
    return shown


def _hidden(frame: pd.DataFrame, state: np.ndarray, minimum: int) -> pd.DataFrame:
    reasons = np.select(
        [state == State.RANGE, state > State.RANGE],
        [
            f"shown as a range, because fewer than {minimum} persons have, or do not have, what is counted",
            f"not shown, because fewer than {max(minimum, TAIL_TIERS[0][0])} persons are in the group or are "
            "counted in it, or because showing it would give such a number away",
        ],
        default="",
    )
    touched = state != State.SHOWN
    return frame.loc[touched, list(KEY)].assign(reason=reasons[touched]).reset_index(drop=True)


def _rule(minimum: int, *, own: np.ndarray) -> str:
    as_published = "shown as their publisher, who protects small groups, has left them"
    if own.size and not own.any():
        return f"All cells are {as_published}."
    smallest = max(minimum, TAIL_TIERS[0][0])
    return (
        f"Groups of fewer than {smallest} persons are not shown, counts of fewer than {minimum} are shown "
        "only as a range, and further cells are not shown where a hidden number could be worked out from the "
        "others."
    ) + ("" if own.all() else f" Cells of protected sources are {as_published}.")
