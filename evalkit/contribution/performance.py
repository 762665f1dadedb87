"""What each partner did: how much, how well, and is anyone better off, beside its performance contract."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from evalkit.agreements import AUDIENCES
from evalkit.contribution_model import Measure, MeasuredValue
from evalkit.disclosure.coding import code_counts
from evalkit.errors import ParameterError
from evalkit.intervals import one_proportion_interval
from evalkit.parameters import MINIMUM_CELL
from evalkit.periods import reader_label
from evalkit.results import Result, tidy_frame
from evalkit.sites import Partner, Site
from evalkit.wording import interval, listed, number, percent

METHOD = "performance"
MET, NOT_MET, CANNOT_TELL = "met", "not met", "cannot be told"
QUESTIONS = {
    "how_much": "How much was done",
    "how_well": "How well it was done",
    "better_off": "Is anyone better off",
}
UNANSWERED = {
    "how_much": "how much was done",
    "how_well": "how well it was done",
    "better_off": "whether anyone is better off",
}
COLUMNS = {
    "partner": "str", "partner_name": "str", "solution": "str", "measure": "str", "label": "str",
    "question": "str", "period": "str", "period_label": "str", "favourable": "str", "count": "float64",
    "of": "float64", "value": "float64", "conf_low": "float64", "conf_high": "float64", "target": "float64",
    "unit": "str", "verdict": "str", "reason": "str", "contract": "str", "latest": "bool",
}  # fmt: skip


def performance_measures(
    site: Site, *, audience: str, minimum_cell: int = MINIMUM_CELL, conf_level: float = 0.95
) -> Result:
    """Set every partner's own measures beside the targets of its performance contract.

    A count is a fact: it reaches its target or it does not. Where a value says of how many persons, what it
    tells about the work carries chance: the target is met, or not met, only where the whole interval lies on
    one side of it, and otherwise cannot be told.

    Parameters
    ----------
    audience : from all but the internal one are hidden counts of 1 to `minimum_cell` − 1 persons, and every
        rate that `code_counts` would hide or show as a range (0% and 100% too)
    conf_level : of Wilson's interval

    Returns
    -------
    Result of method "performance" with frame `measures`: a row per measure and period, in the order how
    much, how well, better off; `value` and its interval are in percent, or the count itself (no interval).

    Raises
    ------
    ParameterError : the audience is unknown.

    References
    ----------
    Friedman (2005), Trying Hard Is Not Good Enough; Wilson (1927), JASA 22:209-212.
    """
    if audience not in AUDIENCES:
        raise ParameterError(f"audience is {audience!r}; use one of {', '.join(AUDIENCES)}")
    minimum = None if audience == "internal" else minimum_cell
    rows = [
        _row(partner, measure, value, minimum=minimum, conf_level=conf_level)
        for partner in site.partners
        for measure in _in_order(partner.measures)
        for value in sorted(measure.values, key=lambda item: item.period)
    ]
    frame = pd.DataFrame(
        {name: pd.Series([row[name] for row in rows], dtype=kind) for name, kind in COLUMNS.items()}
    )
    return Result(
        method=METHOD,
        title=f"What the partners of {site.name} did",
        design={"audience": audience, "conf_level": conf_level, "minimum_cell": minimum_cell},
        tidy=tidy_frame([_tidy_row(site, row) for row in frame.to_dict("records")]),
        frames={"measures": frame},
        narrative=_story(site, frame, conf_level),
    )


def verdict(value: float, low: float, high: float, *, target: float, favourable: str) -> str:
    """Say whether a target is met; `low` and `high` are the value itself where it is a count.

    Examples
    --------
    >>> verdict(70.0, 62.0, 77.0, target=60.0, favourable="higher")
    'met'
    """
    if any(math.isnan(part) for part in (value, low, high, target)):
        return CANNOT_TELL
    sign = 1 if favourable == "higher" else -1
    worst, best = sorted((sign * low, sign * high))
    if worst >= sign * target:
        return MET
    return NOT_MET if best < sign * target else CANNOT_TELL


def _in_order(measures: Sequence[Measure]) -> list[Measure]:
    return sorted(measures, key=lambda item: list(QUESTIONS).index(item.question))


def _row(
    partner: Partner, measure: Measure, value: MeasuredValue, *, minimum: int | None, conf_level: float
) -> dict[str, object]:
    target = value.target if value.target is not None else measure.target
    last = max(item.period for item in measure.values)  # noqa: PD011 - no data frame
    row: dict[str, object] = {
        "partner": partner.partner_id,
        "partner_name": partner.name,
        "solution": measure.solution or "",
        "measure": measure.measure_id,
        "label": measure.label,
        "question": measure.question,
        "period": value.period,
        "period_label": reader_label(value.period, "school_year") if len(value.period) == 4 else value.period,
        "favourable": measure.favourable,
        "target": math.nan if target is None else target,
        "unit": "percent" if value.of is not None else measure.counts,
        "contract": measure.contract,
        "latest": value.period == last,
    }
    hidden = dict.fromkeys(("count", "of", "value", "conf_low", "conf_high"), math.nan)
    if minimum is not None and measure.counts == "persons" and (why := _why_hidden(value, minimum)):
        return row | hidden | {"verdict": CANNOT_TELL, "reason": f"{why}, and is not printed"}
    low = high = point = float(value.count)
    if value.of is not None:
        lower, upper = one_proportion_interval(value.count, value.of, conf_level=conf_level)
        point, low, high = 100 * value.count / value.of, 100 * float(lower), 100 * float(upper)
    found = verdict(
        point, low, high, target=math.nan if target is None else target, favourable=measure.favourable
    )
    reason = ""
    if found == CANNOT_TELL:
        reason = "no target is on file" if target is None else "the interval lies on both sides of the target"
    exact = value.of is None
    return row | {
        "count": float(value.count),
        "of": math.nan if exact else float(value.of or 0),
        "value": point,
        "conf_low": math.nan if exact else low,
        "conf_high": math.nan if exact else high,
        "verdict": found,
        "reason": reason,
    }


def _why_hidden(value: MeasuredValue, minimum: int) -> str:
    """Say why a number of persons may not be printed; "" where it may."""
    few = f"it rests on, or leaves, fewer than {minimum} persons"
    if value.of is None:
        return few if 0 < value.count < minimum else ""
    coding = code_counts(np.array([float(value.count)]), np.array([float(value.of)]), minimum=minimum)
    if not (coding.hidden | coding.coded).any():
        return ""
    return few if min(value.count, value.of - value.count) < minimum else "it lies too near 0% or 100%"


def _tidy_row(site: Site, row: dict[str, object]) -> dict[str, object]:
    about = f"{row['partner_name']}: {row['label']}"
    target = "" if math.isnan(_number(row["target"])) else f"; target {number(_number(row['target']), 0)}"
    return {
        "method": METHOD,
        "site_id": site.site_id,
        "period": row["period"],
        "term": f"{row['partner']}.{row['measure']}",
        "estimate": row["value"],
        "conf_low": row["conf_low"],
        "conf_high": row["conf_high"],
        "unit": row["unit"],
        "n": row["of"],
        "note": f"{about}{target}; {row['verdict']}",
    }


def _story(site: Site, frame: pd.DataFrame, conf_level: float) -> tuple[str, ...]:
    if frame.empty:
        return (f"No performance measure of a partner is on file for {site.name}.",)
    told = []
    for _, rows in frame[frame["latest"]].groupby("partner", sort=False):
        name = str(rows["partner_name"].iloc[0])
        parts = []
        for question, words in QUESTIONS.items():
            own = rows[rows["question"] == question]
            said = "; ".join(_measure_words(row) for row in own.to_dict("records"))
            parts.append(f"{words}: {said}." if said else "")
        asked = set(rows["question"])
        missing = [words for question, words in UNANSWERED.items() if question not in asked]
        gap = f"Nothing on file says {listed(missing, 'or')}." if missing else ""
        told.append(" ".join(part for part in (f"{name}.", *parts, gap) if part))
    if (frame["unit"] == "percent").any():
        told.append(
            f"Ranges are {percent(100 * conf_level)} intervals. A target counts as met, or as not met, only "
            "where the whole range lies on one side of it."
        )
    return tuple(told)


def _measure_words(row: dict[str, object]) -> str:
    label, value, target = str(row["label"]), _number(row["value"]), _number(row["target"])
    if math.isnan(value):
        return f"{label} ({row['period_label']}): {row['reason']}"
    if row["unit"] == "percent":
        width = f"{interval(_number(row['conf_low']), _number(row['conf_high']), 0)}%"
        amount = f"{percent(value)} of {number(_number(row['of']), 0)} (range {width})"
        agreed = percent(target)
    else:
        amount, agreed = f"{number(value, 0)} {row['unit']}", number(target, 0)
    if math.isnan(target):
        return f"{label} ({row['period_label']}), {amount}, no target on file"
    limit = "at most " if row["favourable"] == "lower" else ""
    return f"{label} ({row['period_label']}), {amount}, target {limit}{agreed}, {row['verdict']}"


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan
