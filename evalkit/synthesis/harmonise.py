"""Which sites may be compared on which question, and the reason where they may not."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evalkit.dictionary import TOTAL_DIMENSION, DataDictionary
from evalkit.indicators import ALL_UNITS
from evalkit.parameters import Network
from evalkit.periods import is_period_of, reader_label
from evalkit.results import Result
from evalkit.sites import Site

POPULATION_WORDS = {
    "resident": "children and families who live in the neighborhood",
    "target_school": "students of the target schools",
    "served": "people served by the programs",
}

COMPARISON_SUFFIX = "-comparison"  # of the site_id of a site's comparison site

# Columns of a question: sites are compared only within one value of all four.
QUESTION = ["indicator", "term", "dimension", "subgroup"]
Question = tuple[str, str, str]  # indicator, dimension, subgroup


@dataclass(frozen=True)
class Source:
    """Where a kind of site estimate is found, and how it is called.

    Attributes
    ----------
    name : how the estimate is called in the frames
    method, term : which rows of which result
    label : the estimate in plain words
    comparison : whether it is that of the site's comparison site
    bounded : the beginning of the terms that stand in for it where counts are blurred; by default the term
    pooled : whether the sites' estimates answer one question and so may be averaged
    same_period : whether the estimates must describe the same period in every site
    """

    name: str
    method: str
    term: str
    label: str
    comparison: bool = False
    bounded: str = ""
    pooled: bool = True
    same_period: bool = False

    @property
    def bounds(self) -> tuple[str, str]:
        """The terms that stand in for it where counts are blurred."""
        stem = self.bounded or self.term
        return f"{stem}_worst_case", f"{stem}_best_case"


def gather(
    results: Mapping[str, Mapping[str, Result]],
    network: Network,
    dictionary: DataDictionary,
    sources: tuple[Source, ...],
) -> pd.DataFrame:
    """Lay one row a question and site, whether or not the site has an estimate.

    Returns
    -------
    The columns of `COLUMNS`; sites stand in the order of their names. `reference` is that of a gap. Blurred
    counts leave an estimate between `low` and `high`; `conf_low` and `conf_high` are then the outermost ends
    of both intervals. `comparable` is "yes", "no" or "range only", `because` the kind of reason and `reason`
    the same in words.
    """
    by_name = sorted(network.sites.items(), key=lambda pair: pair[1].name)
    rows = []
    for source in sources:
        told = {
            site_id: _by_question(by_method[source.method], source, site_id)
            for site_id, by_method in results.items()
            if source.method in by_method
        }
        rows += [
            _row(site, question, source, results.get(site_id, {}), told.get(site_id, {}), dictionary)
            for question in _asked(results, source, dictionary)
            for site_id, site in by_name
        ]
    if not rows:
        return pd.DataFrame(columns=COLUMNS)
    frame = pd.DataFrame(rows, columns=COLUMNS)
    judged = [
        _judge(part, next(source for source in sources if source.name == question[1]), dictionary)
        for question, part in frame.groupby(QUESTION, sort=False)
    ]
    return pd.concat(judged, ignore_index=True)


COLUMNS = [
    *QUESTION,
    "method",
    "term_label",
    "label",
    "short_label",
    "favourable",
    "generation",
    "site_id",
    "site",
    "start",
    "stage",
    "population",
    "period",
    "reference",
    "estimate",
    "std_error",
    "conf_low",
    "conf_high",
    "low",
    "high",
    "unit",
    "n",
    "comparable",
    "because",
    "reason",
]


def _asked(
    results: Mapping[str, Mapping[str, Result]], source: Source, dictionary: DataDictionary
) -> list[Question]:
    """List what any site has rows for, in the order of the dictionary."""
    found = {
        (str(row.indicator), str(row.dimension), str(row.subgroup))
        for by_method in results.values()
        if source.method in by_method
        for row in _rows(by_method[source.method], source, None).itertuples()
    }
    order = {name: place for place, name in enumerate(dictionary.indicators)}
    return sorted(found, key=lambda item: (order.get(item[0], len(order)), item[1], item[2]))


def _rows(result: Result, source: Source, site_id: str | None) -> pd.DataFrame:
    tidy = result.tidy
    wanted = tidy["term"].isin([source.term, *source.bounds]) & tidy["unit_id"].isin([ALL_UNITS, ""])
    wanted &= tidy["site_id"].str.endswith(COMPARISON_SUFFIX) == source.comparison
    if site_id is not None:
        wanted &= tidy["site_id"] == (f"{site_id}{COMPARISON_SUFFIX}" if source.comparison else site_id)
    wanted &= (
        tidy["subgroup"] != ""
    )  # an indicator that is not split in these data has one row without a group
    if source.method != "equity_gaps":
        wanted &= tidy["dimension"] == TOTAL_DIMENSION
    return tidy[wanted]


def _by_question(result: Result, source: Source, site_id: str) -> dict[Question, pd.DataFrame]:
    """Sort a site's rows by indicator, dimension and subgroup."""
    rows = _rows(result, source, site_id)
    return {
        (str(indicator), str(dimension), str(subgroup)): part
        for (indicator, dimension, subgroup), part in rows.groupby(
            ["indicator", "dimension", "subgroup"], sort=False
        )
    }


def _row(
    site: Site,
    question: Question,
    source: Source,
    by_method: Mapping[str, Result],
    told_by_site: Mapping[Question, pd.DataFrame],
    dictionary: DataDictionary,
) -> dict[str, object]:
    indicator_id, dimension, subgroup = question
    indicator = dictionary.indicator(indicator_id)
    row: dict[str, object] = {
        "indicator": indicator_id,
        "term": source.name,
        "dimension": dimension,
        "subgroup": subgroup,
        "method": source.method,
        "term_label": source.label,
        "label": indicator.label,
        "short_label": indicator.short_label,
        "favourable": indicator.favourable,
        "generation": indicator.generation,
        "site_id": site.site_id,
        "site": site.name,
        "start": period_label(site.start, indicator.frequency),
        "stage": (site.stage or "").replace("_", " "),
        "population": "",
        "period": "",
        "reference": "",
        **dict.fromkeys(["estimate", "std_error", "conf_low", "conf_high", "low", "high", "n"], np.nan),
        "unit": indicator.difference_unit,
        "comparable": "no",
        "because": "no data",
        "reason": "the site has no figures for this indicator",
    }
    if source.method not in by_method:
        return row | {"because": "no estimate", "reason": "this method was not run for the site"}
    found = told_by_site.get(question)
    if found is None:
        return row
    result = by_method[source.method]
    bounds = found[found["term"].isin(source.bounds)]
    exact = found[found["term"] == source.term]
    told = exact[exact["estimate"].notna() & (exact["std_error"].notna() | (not source.pooled))]
    if not told.empty and not bounds.empty and bounds["period"].max() > told["period"].max():
        told = told.iloc[:0]
    latest = _latest(told if not told.empty else bounds if not bounds.empty else exact)
    row |= {name: latest[name] for name in ("population", "period", "unit", "n")}
    row["reference"] = str(dict(result.design.get("references", {})).get(dimension, ""))
    if not told.empty:
        numbers = ("estimate", "std_error", "conf_low", "conf_high")
        return (
            row
            | {name: latest[name] for name in numbers}
            | {"comparable": "yes", "because": "", "reason": ""}
        )
    reason = (
        plain_reason(str((latest if exact.empty else _latest(exact))["note"]), site.site_id, indicator_id)
        or "no standard error is given"
    )
    row |= {"because": "refused", "reason": reason}
    bounds = bounds[bounds["estimate"].notna() & (bounds["period"] == bounds["period"].max())]
    if len(bounds) == 2:
        values = [float(value) for value in bounds["estimate"]]
        blurred = "its counts are published as ranges, so there is a worst and a best case only"
        row |= {"low": min(values), "high": max(values), "comparable": "range only"}
        row |= {"conf_low": bounds["conf_low"].min(), "conf_high": bounds["conf_high"].max()}
        row |= {"because": "ranges", "reason": blurred}
    return row


def _latest(rows: pd.DataFrame) -> pd.Series:
    return rows.sort_values("period", kind="stable").iloc[-1]


def plain_reason(note: str, site_id: str, indicator: str) -> str:
    """Leave out the ids with which a method's error begins: the reader knows site and indicator already."""
    for name in (site_id, f"{site_id}{COMPARISON_SUFFIX}"):
        for prefix in (f"{name}, {indicator}, All: ", f"{name}, {indicator}: "):
            note = note.removeprefix(prefix)
    return note.rstrip(".")


def period_label(text: str | None, frequency: str) -> str:
    """Write a period as a reader knows it, where it is one of this frequency; otherwise as it stands."""
    if text and is_period_of(text, frequency):
        return reader_label(text, frequency)
    return text or ""


def _judge(part: pd.DataFrame, source: Source, dictionary: DataDictionary) -> pd.DataFrame:
    """Take back "yes" where population, unit or period is not that of the others."""
    judged = part.copy()
    told = judged["comparable"] == "yes"
    if not told.any():
        return judged
    indicator = dictionary.indicator(str(judged["indicator"].iloc[0]))
    agreed = {
        "population": _agreed(judged.loc[told, "population"], indicator.population),
        "unit": _agreed(judged.loc[told, "unit"], indicator.difference_unit),
        "reference": _agreed(judged.loc[told, "reference"], None),
    }
    if source.same_period:
        agreed["period"] = _agreed(judged.loc[told, "period"], None)
    for column, value in agreed.items():
        for place in judged.index[told & (judged[column] != value)]:
            own = str(judged.loc[place, column])
            because, reason = _disagreement(column, own, value, indicator.frequency)
            judged.loc[place, ["comparable", "because", "reason"]] = ["no", because, reason]
        told = judged["comparable"] == "yes"
    return judged


def _agreed(values: pd.Series, declared: str | None) -> str:
    """Choose what the dictionary declares where a site has it, else what most sites have, then the latest."""
    counts = values.value_counts()
    if declared is not None and declared in counts.index:
        return declared
    return str(max(counts.index, key=lambda value: (counts[value], value)))


def _disagreement(column: str, own: str, value: str, frequency: str) -> tuple[str, str]:
    if column == "population":
        words = POPULATION_WORDS.get(own, own), POPULATION_WORDS.get(value, value)
        return "population", f"describes {words[0]}; the other sites describe {words[1]}"
    if column == "unit":
        return "definition", f"measured in {own}; the other sites in {value}"
    if column == "reference":
        return "definition", f"the gap is to {own}; that of the other sites is to {value}"
    labels = [period_label(text, frequency) for text in (own, value)]
    return "period", f"its latest period is {labels[0]}; that of the other sites is {labels[1]}"
