"""What the data of a site hold before any finding: what is there, hidden, blurred or missing."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pandas as pd

from evalkit.dictionary import CROSSING, TOTAL_DIMENSION, DataDictionary, Indicator
from evalkit.indicators import ALL_UNITS, IndicatorTable
from evalkit.parameters import MINIMUM_CELL
from evalkit.periods import from_period, reader_label, to_period
from evalkit.results import Result, tidy_frame
from evalkit.sites import Site
from evalkit.wording import listed, number, percent

JUMP = 0.15  # share; a number of persons that changes by more than this within a year is told
MOST_TOLD = 4  # findings of one kind that are spelled out for an indicator; the rest are counted
PERIODS_A_YEAR = {"school_year": 1, "year": 1, "quarter": 4, "month": 12}
FIRST_MONTH_OF_SCHOOL = 8  # August: a month from here on belongs to the school year that ends next year
Finding = tuple[str, str, str, str]  # kind, indicator, period, words
STATUSES = ("reported", "censored", "suppressed", "missing")
IN_WORDS = {
    "reported": "exact",
    "censored": "known only as a range",
    "suppressed": "hidden",
    "missing": "without data",
}
POPULATIONS = {
    "target_school": "everyone in the target schools",
    "resident": "residents of the neighborhood",
    "served": "people the initiative served",
}
# kind of finding -> how its paragraph begins, in the order of the narrative
PREFACES = {
    "missing": "",
    "suppressed_total": "The total is hidden: ",
    "never_shown": "Hidden or without data in every period: ",
    "suppressed": "Cells of other groups that are hidden: ",
    "blurred": "Known only as a range, so many percentage points wide: ",
    "break": "Another definition or test, not to be compared across: ",
    "populations": "",
    "few_persons": f"Cells shown that stand on fewer than {MINIMUM_CELL} persons: ",
    "denominator_jump": f"The number of persons counted changes by more than {JUMP:.0%} within a year: ",
    "id_change": "One place under several ids: ",
}
CELL_COLUMNS = ("indicator", "label", "population", "dimension", "subgroup", "period", "year")
VALUE_COLUMNS = ("status", "n", "rate_low", "rate_high", "unit", "break_reason", "source")


def check_quality(table: IndicatorTable, site: Site) -> Result:
    """Say what the data of a site hold and what stands in the way of reading them.

    Only the site's own rows count, its totals over units where it has them. A period in which an indicator
    is never measured in any year (July for attendance) is no gap.

    Returns
    -------
    `tidy`: cells by indicator and status (unit "cells"), the narrowest, middle and widest
    range ("percentage points"), visible cells on fewer than 10 persons. `augment`: a row per indicator,
    population, group (crossed groups left out) and period, every period between the indicator's first and
    last, with `year` the year or school year it falls in, `n` persons and the bounds of the rate in the
    indicator's unit. Further frame `findings`: kind, indicator, period and words of everything told in the
    narrative.
    """
    own = table.where(site_id=site.site_id)
    if own.empty:
        return _nothing(site)
    cells = _cells(own)
    augment = _matrix(cells, own.dictionary)
    findings = pd.DataFrame(
        list(_findings(own, cells, augment, site)), columns=["kind", "indicator", "period", "finding"]
    ).astype("str")
    return Result(
        method="data_quality",
        title=f"What the data hold: {site.name}",
        design={"site_id": site.site_id, "minimum_cell": MINIMUM_CELL, "jump": JUMP},
        tidy=tidy_frame(_tidy_rows(cells, site)),
        augment=augment,
        frames={"findings": findings},
        narrative=(_overview(cells, site), *_paragraphs(findings)),
    )


def _nothing(site: Site) -> Result:
    note = "the data hold no row of this site; check its ids and its sources"
    row = {"method": "data_quality", "site_id": site.site_id, "term": "cells", "unit": "cells", "note": note}
    return Result(
        method="data_quality",
        title=f"What the data hold: {site.name}",
        design={"site_id": site.site_id},
        tidy=tidy_frame([row]),
        augment=pd.DataFrame({name: [] for name in (*CELL_COLUMNS, *VALUE_COLUMNS)}, dtype="str"),
        narrative=(f"{site.name}: {note}.",),
    )


def _cells(own: IndicatorTable) -> pd.DataFrame:
    """Take the rows over all units where there are such, else those of the units, with bounds in the unit."""
    rates = own.rates()
    family = ["indicator", "population"]
    has_total = rates.assign(_all=rates["unit_id"].eq(ALL_UNITS)).groupby(family)["_all"].transform("any")
    cells = rates.loc[rates["unit_id"].eq(ALL_UNITS) | ~has_total].reset_index(drop=True)
    declared = {name: own.dictionary.indicator(name) for name in cells["indicator"].unique()}
    scale = cells["indicator"].map({name: item.scale for name, item in declared.items()})
    return cells.assign(
        rate_low=cells["rate_low"] * scale,
        rate_high=cells["rate_high"] * scale,
        width=((cells["rate_high"] - cells["rate_low"]) * scale).where(cells["status"].eq("censored")),
    )


def _matrix(cells: pd.DataFrame, dictionary: DataDictionary) -> pd.DataFrame:
    parts = []
    shown = cells.loc[~cells["dimension"].str.contains(CROSSING, regex=False)]
    for name in [item for item in dictionary.indicators if item in set(shown["indicator"])]:
        indicator = dictionary.indicator(name)
        rows = shown.loc[shown["indicator"].eq(name)]
        every = pd.DataFrame({"period": _calendar(rows["period"], indicator)})
        groups = rows[["population", "dimension", "subgroup"]].drop_duplicates()
        groups = groups.sort_values(
            ["dimension", "subgroup"], key=lambda text: text.where(text.ne("all"), "")
        )
        merged = groups.merge(every, how="cross").merge(
            # Units of a site without totals share a key; the best known of them stands for the cell.
            rows.sort_values("status", key=lambda text: text.map(STATUSES.index)).drop_duplicates(
                ["population", "dimension", "subgroup", "period"]
            ),
            how="left",
            on=["population", "dimension", "subgroup", "period"],
        )
        first = rows["period"].min()
        reasons = {item.period: item.reason for item in indicator.breaks if item.period > first}
        sources = "; ".join(sorted(set(rows["source"]) - {""}))
        parts.append(
            merged.assign(
                indicator=name,
                label=indicator.short_label,
                status=merged["status"].fillna("missing"),
                year=merged["period"].map(lambda text: str(_year(text))),
                n=merged["denominator"],
                unit=indicator.unit,
                source=sources,
                break_reason=merged["period"].map(lambda text, reasons=reasons: reasons.get(text, "")),
            )
        )
    return pd.concat(parts, ignore_index=True)[[*CELL_COLUMNS, *VALUE_COLUMNS]]


def _calendar(periods: pd.Series, indicator: Indicator) -> list[str]:
    """List every period from the first to the last but for seasons in which nothing is ever measured."""
    known = sorted({to_period(text, indicator.frequency) for text in periods})
    every = pd.period_range(known[0], known[-1])
    seasons = {_season(item) for item in known}
    return [from_period(item) for item in every if _season(item) in seasons]


def _season(period: pd.Period) -> int:
    return int(period.month if period.freqstr.startswith("M") else getattr(period, "quarter", 0))


def _year(period: str) -> int:
    if len(period) == 4:
        return int(period)
    if "Q" in period:
        return int(period[:4])
    return int(period[:4]) + (int(period[5:7]) >= FIRST_MONTH_OF_SCHOOL)


def _tidy_rows(cells: pd.DataFrame, site: Site) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for (name, population), group in cells.groupby(["indicator", "population"], sort=False):
        base = {
            "method": "data_quality",
            "indicator": name,
            "site_id": site.site_id,
            "unit_id": ALL_UNITS if group["unit_id"].eq(ALL_UNITS).all() else "",
            "population": population,
            "n": len(group),
        }
        counts = group["status"].value_counts()
        for status in STATUSES:
            count = int(counts.get(status, 0))
            rows.append(
                base
                | {"term": f"cells_{status}", "estimate": count, "unit": "cells", "note": IN_WORDS[status]}
            )
        for word, value in (
            ("narrowest", group["width"].min()),
            ("middle", group["width"].median()),
            ("widest", group["width"].max()),
        ):
            note = "no cell is blurred" if np.isnan(value) else "width of the range a blurred rate may lie in"
            rows.append(
                base | {"term": f"{word}_range", "estimate": value, "unit": "percentage points", "note": note}
            )
        small = int(_too_small(group).sum())
        rows.append(
            base
            | {
                "term": "cells_on_few_persons",
                "estimate": small,
                "unit": "cells",
                "note": f"shown, though fewer than {MINIMUM_CELL} persons stand behind the rate",
            }
        )
    return rows


def _too_small(cells: pd.DataFrame) -> pd.Series:
    return cells["status"].isin(["reported", "censored"]) & (cells["denominator"] < MINIMUM_CELL)


def _overview(cells: pd.DataFrame, site: Site) -> str:
    counts = cells["status"].value_counts()
    parts = [f"{counts[status]:,} are {IN_WORDS[status]}" for status in STATUSES if counts.get(status, 0)]
    indicators, years = cells["indicator"].nunique(), cells["period"].map(_year)
    return (
        f"The data of {site.name} hold {indicators} {'indicator' if indicators == 1 else 'indicators'}"
        f" from {years.min()} to {years.max()} (school years by the year they end)."
        f" Of {len(cells):,} cells, each an indicator, group and period, {listed(parts)}."
    )


def _findings(
    own: IndicatorTable, cells: pd.DataFrame, augment: pd.DataFrame, site: Site
) -> Iterator[Finding]:
    for name in own.indicators():
        indicator = own.dictionary.indicator(name)
        mine, matrix = cells.loc[cells["indicator"].eq(name)], augment.loc[augment["indicator"].eq(name)]
        yield from _gaps(indicator, matrix)
        yield from _hidden(indicator, matrix)
        yield from _blurred(indicator, mine)
        yield from _breaks(indicator, matrix)
        if len(mine["population"].unique()) > 1:
            told = listed([POPULATIONS[item] for item in sorted(mine["population"].unique())])
            yield "populations", name, "", f"{indicator.short_label} is given for {told}, kept apart"
        few = int(_too_small(mine).sum())
        if few:
            yield "few_persons", name, "", f"{indicator.short_label} {few} of {len(mine)}"
        yield from _jumps(indicator, own, site)
    described = {population: sorted(set(rows["label"])) for population, rows in augment.groupby("population")}
    if len(described) > 1:
        told = listed([f"{POPULATIONS[item]} ({', '.join(labels)})" for item, labels in described.items()])
        yield "populations", "", "", f"not every indicator describes the same people: {told}"
    for unit in site.units:
        if len(unit.ids) > 1:
            note = f" ({unit.note.rstrip('.')})" if unit.note else ""
            yield "id_change", "", "", f"{unit.name} stands under {listed(list(unit.ids))}{note}"


def _gaps(indicator: Indicator, matrix: pd.DataFrame) -> Iterator[Finding]:
    total = matrix.loc[matrix["dimension"].eq(TOTAL_DIMENSION)]
    if total.empty:
        yield "missing", indicator.id, "", f"{indicator.short_label} has no total, only groups"
    is_absent = total["status"].eq("missing")
    absent = total.loc[is_absent, "period"].tolist()
    measured = [to_period(text, indicator.frequency) for text in total.loc[~is_absent, "period"]]
    steps = {(later - earlier).n for earlier, later in pairwise(measured)}
    if steps == {2} and PERIODS_A_YEAR[indicator.frequency] == 1:
        told = "is measured every second year"
    else:
        told = f"has no total for {_told([reader_label(text, indicator.frequency) for text in absent])}"
    if absent:
        yield "missing", indicator.id, " ".join(absent), f"{indicator.short_label} {told}"


def _hidden(indicator: Indicator, matrix: pd.DataFrame) -> Iterator[Finding]:
    hidden = matrix.loc[matrix["status"].eq("suppressed")]
    total = hidden.loc[hidden["dimension"].eq(TOTAL_DIMENSION), "period"].tolist()
    if total:
        told = _told([reader_label(text, indicator.frequency) for text in total])
        yield "suppressed_total", indicator.id, " ".join(total), f"{indicator.short_label} in {told}"
    groups = matrix.loc[matrix["dimension"].ne(TOTAL_DIMENSION)]
    is_seen = groups["status"].isin(["reported", "censored"])
    ever = is_seen.groupby([groups["dimension"], groups["subgroup"]]).transform("any")
    never = [str(item) for item in groups.loc[~ever, "subgroup"].unique()]
    if never:
        yield "never_shown", indicator.id, "", f"{indicator.short_label} for {listed(never)}"
    some = int((ever & groups["status"].eq("suppressed")).sum())
    if some:
        yield "suppressed", indicator.id, "", f"{indicator.short_label} {some}"


def _blurred(indicator: Indicator, cells: pd.DataFrame) -> Iterator[Finding]:
    blurred = cells.loc[cells["width"].notna()]
    if blurred.empty:
        return
    is_total, width = blurred["dimension"].eq(TOTAL_DIMENSION), blurred["width"]
    parts = [
        f"{words} {number(widths.min())} to {number(widths.max())}"
        for words, widths in (("total", width[is_total]), ("groups", width[~is_total]))
        if len(widths)
    ]
    yield "blurred", indicator.id, "", f"{indicator.short_label} in {len(blurred)} cells ({listed(parts)})"


def _breaks(indicator: Indicator, matrix: pd.DataFrame) -> Iterator[Finding]:
    known = [to_period(text, indicator.frequency) for text in matrix["period"].unique()]
    for item in indicator.breaks:
        if min(known) < to_period(item.period, indicator.frequency) <= max(known):
            label, reason = reader_label(item.period, indicator.frequency), item.reason.rstrip(".")
            yield "break", indicator.id, item.period, f"{indicator.short_label} from {label} on ({reason})"


def _jumps(indicator: Indicator, own: IndicatorTable, site: Site) -> Iterator[Finding]:
    """Compare the persons behind each total with those of a year before, over all units and in each."""
    names = {unit.unit_id: f", {unit.name}" for unit in site.units} if len(site.units) > 1 else {}
    totals = own.where(indicator=indicator.id, dimension=TOTAL_DIMENSION).rates()
    found: list[tuple[str, str]] = []
    for (unit_id, _), rows in totals.groupby(["unit_id", "population"]):
        if unit_id != ALL_UNITS and unit_id not in names:
            continue
        persons = rows.set_index("time")["denominator"].dropna()
        for period, later in persons.items():
            earlier = persons.get(period - PERIODS_A_YEAR[indicator.frequency])
            if earlier and abs(later / earlier - 1) > JUMP:
                label = reader_label(from_period(period), indicator.frequency)
                share = percent(abs(100 * (later / earlier - 1)))
                direction = "up" if later > earlier else "down"
                change = (
                    f"{earlier:,.0f} to {later:,.0f} in {label} ({direction} {share}{names.get(unit_id, '')})"
                )
                found.append((from_period(period), change))
    if found:
        told = f"{indicator.short_label} from {_told([change for _, change in found])}"
        yield "denominator_jump", indicator.id, " ".join(period for period, _ in found), told


def _told(items: list[str]) -> str:
    if len(items) <= MOST_TOLD:
        return listed(items)
    return listed([*items[: MOST_TOLD - 1], f"{len(items) - MOST_TOLD + 1} more"])


def _paragraphs(findings: pd.DataFrame) -> Iterator[str]:
    for kind, preface in PREFACES.items():
        told = findings.loc[findings["kind"].eq(kind), "finding"].tolist()
        if told:
            sentence = f"{preface}{'; '.join(told)}."
            yield sentence[0].upper() + sentence[1:]
