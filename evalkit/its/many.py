"""All series of a whole network at once: one tidy frame."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.dictionary import TOTAL_DIMENSION, Indicator
from evalkit.errors import ParameterError
from evalkit.indicators import IndicatorTable
from evalkit.its.collection import COMPARISON_SUFFIX
from evalkit.its.design import Contrasts, segmented_design
from evalkit.its.engine import ArrayFit, Member, fit_members, learn
from evalkit.its.family import AUTOMATIC, FEWEST_IN_FAMILY
from evalkit.its.fit import METHOD, term_unit
from evalkit.its.timing import first_post_period, season_places, season_problem
from evalkit.its.window import FEWEST_AFTER, FEWEST_BEFORE
from evalkit.periods import from_period, to_period
from evalkit.results import tidy_frame

Floats = NDArray[np.float64]

KEY = ["indicator", "site_id", "unit_id", "population", "dimension", "subgroup"]
TERMS = ("pre_trend", "level_change", "slope_change", "post_trend", "effect_last", "effect_average")
NUMBERS = ("estimate", "std_error", "conf_low", "conf_high", "p_value")


@dataclass(eq=False)
class _Block:
    """Series of one indicator with one start, on one calendar."""

    indicator: Indicator
    is_total: bool
    keys: pd.DataFrame
    y: Floats
    start: int
    periods: pd.PeriodIndex
    member: Member
    note: list[str] = field(default_factory=list)


def fit_many(
    table: IndicatorTable,
    starts: Mapping[str, str],
    *,
    method: str = AUTOMATIC,
    conf_level: float = 0.95,
) -> pd.DataFrame:
    """Fit an interrupted time series to every series of a table.

    Series of one indicator are a family where they are five or more: all totals, and apart from them all
    subgroups, whose sampling noise hides their autocorrelation. A family learns across sites, whenever their
    work began (method "network"); a smaller one is fitted series by series ("integrated").

    Parameters
    ----------
    table : any number of sites, indicators, units and subgroups
    starts : site_id -> first post period as ISO text; a comparison site takes that of its site
    method : "automatic" (as above), or as in `fit_arrays`
    conf_level : coverage of the intervals, in (0, 1)

    Returns
    -------
    A tidy frame with rows `TERMS` for each series: rates in percent, differences in percentage points, slopes
    per period. A series that cannot be answered has NaN and the reason in `note`: no start, too few periods,
    bounds instead of values (`fit_series` gives their worst and best case), a definition break, a season that
    cannot be told.
    """
    if not 0 < conf_level < 1:
        raise ParameterError(f"conf_level is {conf_level}; it must lie between 0 and 1, e.g. 0.95")
    frame = table.rates()
    frame["start"] = frame["site_id"].str.removesuffix(COMPARISON_SUFFIX).map(dict(starts))
    blocks = [
        block
        for name, rows in frame.groupby("indicator", sort=False)
        for block in _blocks(table.dictionary.indicator(str(name)), rows)
    ]
    parts = [
        _unstarted(table, rows) for _, rows in frame[frame["start"].isna()].groupby("indicator", sort=False)
    ]
    families: dict[tuple[str, bool], list[_Block]] = {}
    for block in blocks:
        families.setdefault((block.indicator.id, block.is_total), []).append(block)
    for family in families.values():
        members = [block.member for block in family]
        count = sum(int(np.isfinite(member.y).any(axis=1).sum()) for member in members)
        chosen = method
        if method == AUTOMATIC:
            chosen = "network" if count >= FEWEST_IN_FAMILY else "integrated"
        fits = fit_members(members, learn(members, chosen), method=chosen, conf_level=conf_level)
        parts += [_rows(block, fit) for block, fit in zip(family, fits, strict=True)]
    if not parts:
        return tidy_frame([])
    return tidy_frame(pd.concat(parts, ignore_index=True)).sort_values(
        [*KEY, "term"], key=_in_order, ignore_index=True, kind="stable"
    )


def _in_order(column: pd.Series) -> pd.Series:
    return column.map({term: place for place, term in enumerate(TERMS)}) if column.name == "term" else column


def _blocks(indicator: Indicator, rows: pd.DataFrame) -> list[_Block]:
    """Put the series of an indicator on one calendar, apart by start and by whether they are totals."""
    frequency = indicator.frequency
    ordinal = rows["time"].map(lambda period: period.ordinal).to_numpy()
    first = int(ordinal.min())
    periods = pd.period_range(rows["time"].min(), rows["time"].max())
    rows = rows.assign(place=ordinal - first, is_total=rows["dimension"].eq(TOTAL_DIMENSION))
    found = []
    for (start_text, is_total), part in rows[rows["start"].notna()].groupby(
        ["start", "is_total"], sort=False
    ):
        keys = part[KEY].drop_duplicates(ignore_index=True)
        number = part[KEY].merge(keys.assign(number=np.arange(len(keys))), on=KEY, how="left")["number"]
        place = (number.to_numpy(), part["place"].to_numpy())
        low, y = (np.full((len(keys), len(periods)), np.nan) for _ in range(2))
        y[place] = part["rate"].to_numpy(dtype=np.float64) * indicator.scale
        low[place] = part["rate_low"].to_numpy(dtype=np.float64)
        interruption = first_post_period(str(start_text), frequency)
        start = int(interruption.ordinal - first)
        found.append(_block(indicator, bool(is_total), keys, y, np.isfinite(low), start, periods))
    return found


def _block(
    indicator: Indicator,
    is_total: bool,
    keys: pd.DataFrame,
    y: Floats,
    known: NDArray[np.bool_],
    start: int,
    periods: pd.PeriodIndex,
) -> _Block:
    exact = np.isfinite(y)
    places = season_places(periods, np.asarray(exact.any(axis=0)), indicator.frequency)
    inside = min(max(start, 1), len(periods) - 1)
    while places is not None and inside < len(places) - 1 and places[inside] == 0:
        inside += 1
    reasons = [
        _reason(indicator, exact[row], known[row], start, inside, periods, places) for row in range(len(y))
    ]
    y = np.where(np.array([text == "" for text in reasons])[:, None], y, np.nan)
    design = segmented_design(len(periods), start=inside, season=places)
    unit = dict(zip(design.terms, np.eye(len(design.terms)), strict=True))
    level, slope = unit["level_change"], unit["slope_change"]
    post = np.isfinite(y) & (np.arange(len(periods)) >= inside)
    clock = np.maximum(np.arange(len(periods)) - inside, 0)
    last = np.max(np.where(post, clock, 0), axis=1)
    mean = np.sum(np.where(post, clock, 0), axis=1) / np.maximum(post.sum(axis=1), 1)
    fixed = np.stack([unit["trend"], level, slope, unit["trend"] + slope])
    own = [level + steps[:, None] * slope for steps in (last, mean)]
    weights = np.concatenate([np.broadcast_to(fixed, (len(y), *fixed.shape)), np.stack(own, axis=1)], axis=1)
    asked = Contrasts(TERMS, weights, np.zeros(len(TERMS), dtype=np.intp))
    return _Block(indicator, is_total, keys, y, inside, periods, Member(y, design, asked), reasons)


def _reason(
    indicator: Indicator,
    exact: NDArray[np.bool_],
    known: NDArray[np.bool_],
    start: int,
    inside: int,
    periods: pd.PeriodIndex,
    places: list[int] | None,
) -> str:
    """Say why a series cannot be fitted; "" where it can."""
    seen = np.flatnonzero(known)
    if seen.size == 0:
        return "every period is hidden or missing"
    if (known & ~exact).any():
        return "known only within bounds: fit_series gives its worst and best case"
    for item in indicator.breaks:
        period = to_period(item.period, indicator.frequency)
        if periods[seen[0]] < period <= periods[seen[-1]]:
            return f"the definition changes in {item.period} ({item.reason}); cut the series there"
    if not 0 < start < len(periods):
        return "the interruption lies outside the window"
    before, after = int(exact[:inside].sum()), int(exact[inside:].sum())
    if before < FEWEST_BEFORE or after < FEWEST_AFTER:
        return (
            f"{before} periods before the interruption and {after} from then on; an interrupted time series "
            f"needs at least {FEWEST_BEFORE} before and {FEWEST_AFTER} after"
        )
    return "" if places is None else season_problem(places, exact, inside)


def _rows(block: _Block, fit: ArrayFit) -> pd.DataFrame:
    """Lay a block out, a row for each series and term."""
    count, terms = len(block.keys), len(TERMS)
    frame = block.keys.loc[np.repeat(np.arange(count), terms)].reset_index(drop=True)
    numbers = {name: getattr(fit, name).reshape(-1) for name in NUMBERS}
    notes = [
        text or ("every value lies exactly on the fitted line" if exact else "")
        for text, exact in zip(block.note, fit.exact, strict=True)
    ]
    seen = np.isfinite(block.y)
    last = np.where(seen.any(axis=1), seen.shape[1] - 1 - seen[:, ::-1].argmax(axis=1), -1)
    label = [from_period(period) for period in block.periods]
    period = np.full((count, terms), "", dtype=object)
    period[:, TERMS.index("level_change")] = label[block.start]
    period[:, TERMS.index("effect_last")] = [label[place] if place >= 0 else "" for place in last]
    period[[bool(text) for text in notes]] = ""
    return frame.assign(
        method=METHOD,
        term=np.tile(TERMS, count),
        unit=np.tile([term_unit(block.indicator, term) for term in TERMS], count),
        period=period.reshape(-1),
        n=np.repeat(fit.n, terms),
        note=np.repeat(np.array(notes, dtype=object), terms),
        **numbers,
    )


def _unstarted(table: IndicatorTable, rows: pd.DataFrame) -> pd.DataFrame:
    """Keep series of sites without a start, with the reason."""
    keys = rows[KEY].drop_duplicates(ignore_index=True)
    indicator = table.dictionary.indicator(str(keys["indicator"].iloc[0]))
    frame = keys.loc[np.repeat(np.arange(len(keys)), len(TERMS))].reset_index(drop=True)
    return frame.assign(
        method=METHOD,
        term=np.tile(TERMS, len(keys)),
        unit=np.tile([term_unit(indicator, term) for term in TERMS], len(keys)),
        note="the site declares no start, so nothing interrupts the series",
    )
