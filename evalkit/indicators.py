"""The only door for data: a checked table of indicators, and the series cut from it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from evalkit.checks import COLUMNS, KEY, MOST_PROBLEMS, NUMBERS, repeated_keys, row_problems
from evalkit.dictionary import TOTAL_DIMENSION, TOTAL_SUBGROUP, DataDictionary, Indicator
from evalkit.documents import suggestion
from evalkit.errors import DataError, raise_together
from evalkit.periods import PANDAS_FREQUENCY, to_period

ALL_UNITS = "all"
SERIES_COLUMNS = (*NUMBERS, "status", "rate", "rate_low", "rate_high")


@dataclass(frozen=True)
class IndicatorSeries:
    """One indicator of one site, unit and subgroup at one frequency, its gaps explicit.

    Attributes
    ----------
    frame : index a PeriodIndex named "period" without holes; columns `SERIES_COLUMNS`. A period without a
        row in the table has status "missing". `rate` is a proportion (or a mean); `rate_low` and `rate_high`
        equal it where it is exact, are the inclusive bounds of a blurred rate, and are NaN where hidden.
    sources : where the rows come from
    """

    indicator: Indicator
    site_id: str
    unit_id: str
    population: str
    dimension: str
    subgroup: str
    frame: pd.DataFrame = field(repr=False)
    sources: tuple[str, ...] = ()

    @property
    def frequency(self) -> str:
        """How often the indicator is measured, as the dictionary says."""
        return self.indicator.frequency

    @property
    def is_censored(self) -> bool:
        """Whether any period is known only by bounds."""
        return bool((self.frame["status"] == "censored").any())

    def breaks(self) -> list[tuple[pd.Period, str]]:
        """List the definition breaks after the first and up to the last period, with their reasons."""
        first, last = self.frame.index[0], self.frame.index[-1]
        known = [(to_period(item.period, self.frequency), item.reason) for item in self.indicator.breaks]
        return [(period, reason) for period, reason in known if first < period <= last]


@dataclass(frozen=True)
class IndicatorTable:
    """Indicator values in long format, a row per key, checked, sorted, and never edited.

    Make one with `from_frame` or a reader. The columns are `COLUMNS`; the first seven are the key. `period`
    is ISO text. Totals are rows of dimension "all" and subgroup "All". `status` keeps reported, censored
    (bounds only), suppressed and missing apart; a zero is a number.
    """

    _frame: pd.DataFrame = field(repr=False)
    dictionary: DataDictionary = field(repr=False)

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        dictionary: DataDictionary,
        origin: str = "table",
        lines: Sequence[int] | None = None,
    ) -> "IndicatorTable":
        """Check a frame and copy it in.

        Parameters
        ----------
        frame : the columns of `COLUMNS`; numbers and `source` may be absent; `unit_id` absent means "all",
            `dimension` and `subgroup` absent mean the total, `status` absent means reported
        origin : file name or other words for messages
        lines : the line of the file on which each row stands; rows are counted from 1 where absent

        Raises
        ------
        DataError : every problem of every row, each with its line and the mend.
        """
        filled = _with_defaults(frame, origin)
        places = np.asarray(lines if lines is not None else np.arange(1, len(filled) + 1))
        word = "line" if lines is not None else "row"
        found = sorted(row_problems(filled, dictionary), key=lambda item: item[0])
        sentences = [f"{origin}, {word} {places[row]}: {text}" for row, text in found[:MOST_PROBLEMS]]
        if len(found) > MOST_PROBLEMS:
            sentences.append(f"{origin}: and {len(found) - MOST_PROBLEMS:,} more problems of this kind")
        raise_together(DataError, sentences)
        repeated = np.flatnonzero(filled.duplicated(list(KEY), keep="first").to_numpy())
        if len(repeated):
            raise DataError(*repeated_keys(filled, repeated, places, origin, word))
        return cls(filled.sort_values(list(KEY), ignore_index=True), dictionary)

    @classmethod
    def concat(cls, tables: Iterable["IndicatorTable"]) -> "IndicatorTable":
        """Put tables of the same dictionary together; a key in two of them is an error."""
        parts = list(tables)
        if not parts:
            raise DataError("no table to put together")
        frame = pd.concat([part._frame for part in parts], ignore_index=True)
        return cls.from_frame(frame, dictionary=parts[0].dictionary, origin="combined table")

    @property
    def frame(self) -> pd.DataFrame:
        """The rows, as a copy that the caller may change."""
        return self._frame.copy()

    @property
    def empty(self) -> bool:
        """Whether there is no row."""
        return bool(self._frame.empty)

    def __len__(self) -> int:
        return len(self._frame)

    def __repr__(self) -> str:
        sites, names = self._frame["site_id"].nunique(), self._frame["indicator"].nunique()
        return f"IndicatorTable({len(self):,} rows, {names} indicators, {sites} sites)"

    def _repr_html_(self) -> str:
        head: str = self._frame.head(10).to_html(index=False, border=0)
        return f"<p>{self!r}; the first rows:</p>{head}"

    def where(
        self,
        *,
        indicator: str | Iterable[str] | None = None,
        site_id: str | Iterable[str] | None = None,
        unit_id: str | Iterable[str] | None = None,
        population: str | Iterable[str] | None = None,
        dimension: str | Iterable[str] | None = None,
        subgroup: str | Iterable[str] | None = None,
    ) -> "IndicatorTable":
        """Keep the rows that have one of the given values in every given column."""
        keep = np.ones(len(self._frame), dtype=bool)
        given = {
            "indicator": indicator,
            "site_id": site_id,
            "unit_id": unit_id,
            "population": population,
            "dimension": dimension,
            "subgroup": subgroup,
        }
        for column, wanted in given.items():
            if wanted is not None:
                values = [wanted] if isinstance(wanted, str) else list(wanted)
                keep &= self._frame[column].isin(values).to_numpy()
        return IndicatorTable(self._frame[keep].reset_index(drop=True), self.dictionary)

    def indicators(self) -> list[str]:
        """List the indicators that have rows, in the order of the dictionary."""
        present = set(self._frame["indicator"].unique())
        return [name for name in self.dictionary.indicators if name in present]

    def rates(self) -> pd.DataFrame:
        """Return the rows with `rate`, `rate_low`, `rate_high` and `time`.

        `rate` is numerator / denominator as a proportion, or the value of a mean; NaN where only bounds are
        known. `rate_low` and `rate_high` equal it where it is exact, are the bounds where it is censored, and
        are NaN where it is suppressed or missing. `time` is the pandas Period.
        """
        frame = self.frame
        reported = frame["status"].eq("reported")
        censored = frame["status"].eq("censored")
        from_counts = frame["numerator"] / frame["denominator"]
        frame["rate"] = from_counts.where(frame["numerator"].notna(), frame["value"]).where(reported)
        frame["rate_low"] = frame["rate"].where(~censored, frame["lower"])
        frame["rate_high"] = frame["rate"].where(~censored, frame["upper"])
        frequencies = {
            name: self.dictionary.indicator(name).frequency for name in frame["indicator"].unique()
        }
        pairs = frame[["indicator", "period"]].drop_duplicates()
        periods = {
            (name, text): to_period(text, frequencies[name])
            for name, text in pairs.itertuples(index=False, name=None)
        }
        frame["time"] = pd.Series(
            [periods[key] for key in zip(frame["indicator"], frame["period"], strict=True)],
            index=frame.index,
            dtype=object,
        )
        return frame

    def series(
        self,
        indicator: str,
        *,
        site_id: str,
        unit_id: str = ALL_UNITS,
        population: str | None = None,
        dimension: str = TOTAL_DIMENSION,
        subgroup: str = TOTAL_SUBGROUP,
    ) -> IndicatorSeries:
        """Cut one series; the only maker of `IndicatorSeries`.

        Raises
        ------
        DataError : there is no such row, or rows of several populations and the caller named none.
        """
        declared = self.dictionary.indicator(indicator)
        rows = self.where(
            indicator=indicator,
            site_id=site_id,
            unit_id=unit_id,
            population=population,
            dimension=dimension,
            subgroup=subgroup,
        )
        what = f"{site_id}, {indicator}, {subgroup}"
        if rows.empty:
            raise DataError(
                f"{what}: no rows; check the ids, or run `evalkit check` to see what the data hold"
            )
        populations = sorted(rows._frame["population"].unique())
        if len(populations) > 1:
            raise DataError(
                f"{what}: rows of {' and '.join(populations)} children; name the population you mean"
            )
        frame = rows.rates().set_index("time")
        frame.index = pd.PeriodIndex(frame.index, freq=PANDAS_FREQUENCY[declared.frequency], name="period")
        every = pd.period_range(frame.index.min(), frame.index.max(), name="period")
        full = frame[list(SERIES_COLUMNS)].reindex(every)
        full["status"] = full["status"].fillna("missing")
        sources = tuple(sorted(set(frame["source"]) - {""}))
        return IndicatorSeries(declared, site_id, unit_id, populations[0], dimension, subgroup, full, sources)


def total_over_units(table: IndicatorTable) -> IndicatorTable:
    """Add rows of unit "all": the sums over a site's schools or centers, where no such rows exist.

    Bounds add up as counts: the lowest possible numerators together, the highest together. The total of all
    children is made only for periods in which every unit has it; otherwise it is a row with status missing
    (or suppressed, where a unit's cell is). A unit without a row for a subgroup, but with its total, has no
    such children and adds nothing.
    """
    frame = table.frame
    have_total = frame[frame["unit_id"].eq(ALL_UNITS)][
        ["indicator", "site_id", "population"]
    ].drop_duplicates()
    merged = frame.merge(have_total.assign(_has=True), how="left", on=["indicator", "site_id", "population"])
    units = merged[merged["_has"].isna()].drop(columns="_has")
    rates_only = (
        units["indicator"].map(lambda name: table.dictionary.indicator(name).kind == "rate").astype(bool)
    )
    units = units[rates_only]
    if units.empty:
        return table
    low = (units["lower"] * units["denominator"]).where(units["status"].eq("censored"), units["numerator"])
    high = (units["upper"] * units["denominator"]).where(units["status"].eq("censored"), units["numerator"])
    units = units.assign(
        _low=low,
        _high=high,
        _known=units["status"].isin(["reported", "censored"]) & units["denominator"].notna(),
        _suppressed=units["status"].eq("suppressed"),
    )
    key = [name for name in KEY if name != "unit_id"]
    sums = units.groupby(key, as_index=False, sort=True).agg(
        _low=("_low", "sum"),
        _high=("_high", "sum"),
        denominator=("denominator", "sum"),
        _known=("_known", "all"),
        _suppressed=("_suppressed", "any"),
        _units=("unit_id", "nunique"),
        source=("source", "first"),
    )
    family = ["indicator", "site_id", "population"]
    sums = sums.merge(units.groupby(family, as_index=False).agg(_expected=("unit_id", "nunique")), on=family)
    is_total = sums["dimension"].eq(TOTAL_DIMENSION)
    complete = sums["_known"] & (~is_total | sums["_units"].eq(sums["_expected"]))
    exact = complete & sums["_low"].round(6).eq(sums["_high"].round(6))
    status = np.select(
        [exact, complete, sums["_suppressed"]], ["reported", "censored", "suppressed"], default="missing"
    )
    totals = pd.DataFrame(
        {
            **{name: sums[name] for name in key},
            "unit_id": ALL_UNITS,
            "numerator": sums["_low"].round().where(exact),
            "denominator": sums["denominator"].where(complete),
            "lower": (sums["_low"] / sums["denominator"]).where(complete & ~exact),
            "upper": (sums["_high"] / sums["denominator"]).where(complete & ~exact),
            "status": status,
            "source": sums["source"],
        }
    )
    both = pd.concat([frame, totals], ignore_index=True)
    return IndicatorTable.from_frame(both, dictionary=table.dictionary, origin="totals over units")


def _with_defaults(frame: pd.DataFrame, origin: str) -> pd.DataFrame:
    defaults: dict[str, object] = {
        "unit_id": ALL_UNITS,
        "dimension": TOTAL_DIMENSION,
        "subgroup": TOTAL_SUBGROUP,
        "status": "reported",
        "source": "",
        **dict.fromkeys(NUMBERS, np.nan),
    }
    needed = [name for name in COLUMNS if name not in defaults]
    absent = [name for name in needed if name not in frame.columns]
    extra = [str(name) for name in frame.columns if name not in COLUMNS]
    sentences = [f"{origin}: column {name!r} is missing; add it or map a column to it" for name in absent]
    for name in extra:
        hint = suggestion(name, COLUMNS)
        sentences.append(f"{origin}: unknown column {name!r}; {hint or 'map it or leave it out'}")
    raise_together(DataError, sentences)
    filled = frame.assign(**{name: value for name, value in defaults.items() if name not in frame.columns})
    filled = filled.loc[:, list(COLUMNS)].reset_index(drop=True)
    for name in NUMBERS:
        filled[name] = filled[name].astype("float64")
    for name in (*KEY, "status", "source"):
        if not all(isinstance(value, str) for value in filled[name].unique()):
            raise DataError(
                f"{origin}: column {name!r} holds values that are not text; read ids and labels as text"
            )
        filled[name] = filled[name].astype("str")
    return filled
