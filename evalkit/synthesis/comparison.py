"""Sites side by side: first who may be compared with whom, then what they have in common. Never a ranking."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from evalkit.dictionary import TOTAL_DIMENSION, DataDictionary
from evalkit.errors import DesignError
from evalkit.parameters import Network
from evalkit.results import Result, tidy_frame
from evalkit.synthesis.comparison_story import AVERAGE, BESIDE, CHANGE, LEVEL, bare_name, comparison_story
from evalkit.synthesis.harmonise import QUESTION, Source, gather
from evalkit.synthesis.pooling import Pool, pool_random_effects
from evalkit.wording import number

ALL_SITES = "all-sites"  # the site_id of a pooled row

ITS = "interrupted_time_series"
SOURCES = (
    Source(AVERAGE, ITS, AVERAGE, "distance from the earlier trend, averaged since the work began"),
    Source(LEVEL, ITS, LEVEL, "change in level when the work began"),
    Source(
        BESIDE,
        ITS,
        AVERAGE,
        "the same distance in the comparison sites, where the work was not done",
        comparison=True,
    ),
    Source(
        CHANGE,
        "turn_the_curve",
        "change_from_baseline",
        "change from the baseline period to the latest",
        bounded="change",
        pooled=False,
    ),
    Source("difference", "equity_gaps", "difference", "gap in the latest period", same_period=True),
)
# Higgins et al. (2003), BMJ 327:557-560: 25, 50 and 75 percent as low, moderate and high.
HETEROGENEITY = (
    (25.0, "the sites differ little beyond chance"),
    (50.0, "the sites differ somewhat beyond chance"),
    (75.0, "the sites differ clearly beyond chance"),
    (100.1, "the sites differ strongly: the average says little about any one of them"),
)


def compare_sites(
    results: Mapping[str, Mapping[str, Result]],
    network: Network,
    dictionary: DataDictionary,
    *,
    conf_level: float = 0.95,
) -> Result:
    """Compare what can be compared between sites, and pool it.

    Estimates are pooled only where the same thing was measured of the same kind of people; the gap also only
    where the latest period is the same. Sites stand in the order of their names, not of their estimates.

    Parameters
    ----------
    results : the saved results of each site, by site id and method; a site or method may be absent
    conf_level : coverage of every pooled interval, in (0, 1)

    Returns
    -------
    Result "comparison". `tidy` has a row for every site and question (an absent estimate with its reason);
    then for every question the pooled estimate (site_id "all-sites"), its prediction interval (term
    "<term>_prediction") and the share of variation that is not chance (term "<term>_heterogeneity", percent).
    Blurred counts give "<term>_worst_case" and "<term>_best_case" rows, which are never pooled.
    `augment` has a row a question and site. Frames: `comparable` (whether and why not, in words), `matrix`
    (the same with a column a site), `pooled` (a row a question).
    """
    sites = gather(results, network, dictionary, SOURCES)
    sites["fictional"] = network.synthetic
    rows = [_pooled(part, conf_level) for _, part in sites.groupby(QUESTION, sort=False)]
    pooled = pd.DataFrame(rows, columns=POOLED).assign(fictional=network.synthetic)
    design = {
        "network": network.network_id,
        "synthetic": network.synthetic,
        "sites": sorted(network.sites),
        "conf_level": conf_level,
        "pooling": "random effects, REML, Hartung-Knapp interval with the larger standard error",
        "order": "sites by name",
    }
    return Result(
        method="comparison",
        title=f"What the sites of {network.name} have in common, and where they differ",
        design=design,
        tidy=tidy_frame([*_site_rows(sites), *_pooled_rows(pooled)]),
        glance=pooled,
        augment=sites,
        frames={"comparable": _comparable(sites), "matrix": _matrix(sites), "pooled": pooled},
        narrative=tuple(comparison_story(sites, pooled, network, conf_level)),
    )


POOLED = [
    *QUESTION,
    "term_label",
    "label",
    "short_label",
    "favourable",
    "unit",
    "reference",
    "k",
    "shown",
    "estimate",
    "std_error",
    "conf_low",
    "conf_high",
    "p_value",
    "predict_low",
    "predict_high",
    "tau2",
    "tau2_low",
    "tau2_high",
    "q",
    "i2",
    "in_words",
    "note",
]


def _pooled(part: pd.DataFrame, conf_level: float) -> dict[str, Any]:
    first = part.iloc[0]
    told = part[part["comparable"] == "yes"]
    row: dict[str, Any] = dict.fromkeys(POOLED, np.nan) | {
        name: (told if len(told) else part).iloc[0][name]
        for name in (*QUESTION, "term_label", "label", "short_label", "favourable", "unit", "reference")
    }
    row |= {"k": len(told), "shown": int((part["comparable"] != "no").sum()), "in_words": "", "note": ""}
    if first["term"] == CHANGE:
        return row | {"note": "changes between other years in every site are shown and not averaged"}
    try:
        pool = pool_random_effects(told["estimate"], told["std_error"], conf_level=conf_level)
    except DesignError as error:
        return row | {"note": _unpooled(told, str(error))}
    numbers = (
        "conf_low",
        "conf_high",
        "p_value",
        "predict_low",
        "predict_high",
        "tau2",
        "tau2_low",
        "tau2_high",
    )
    row |= {name: getattr(pool, name) for name in (*numbers, "q", "i2")}
    row |= {"estimate": pool.mu, "std_error": pool.se_hk, "in_words": _heterogeneity(pool)}
    if pool.k == 2:
        row["note"] = "only two sites: the interval is very wide and there is no prediction interval"
    return row | {"favourable": first["favourable"]}


def _unpooled(told: pd.DataFrame, reason: str) -> str:
    if len(told) == 0:
        return "no site could be told, so nothing is pooled"
    if len(told) == 1:
        return f"only {told['site'].iloc[0]} could be told; one site is not pooled"
    return reason


def _heterogeneity(pool: Pool) -> str:
    words = next(text for limit, text in HETEROGENEITY if pool.i2 < limit)
    doubt = "; with so few sites this is itself uncertain" if pool.k < 5 else ""
    return f"{words} (I² {number(pool.i2, 0)}%{doubt})"


def _comparable(sites: pd.DataFrame) -> pd.DataFrame:
    """Say for every indicator, question and site whether it is compared, and why not."""
    columns = [
        "indicator",
        "label",
        "question",
        "site_id",
        "site",
        "population",
        "comparable",
        "because",
        "reason",
    ]
    frame = sites.assign(question=[_question(row) for row in sites.to_dict("records")])
    return frame[columns]


def _matrix(sites: pd.DataFrame) -> pd.DataFrame:
    """Fold that into a row an indicator and a column a site: "yes", or what stands against it.

    Of several gaps the cell counts those that can be compared.
    """
    told = sites[(sites["term"] == AVERAGE) | (sites["dimension"] != TOTAL_DIMENSION)]
    kind = np.where(told["dimension"] == TOTAL_DIMENSION, "change", "gaps")
    rows = []
    for (label, question), part in told.assign(question=kind).groupby(
        ["short_label", "question"], sort=False
    ):
        cells = {bare_name(site): _cell(own) for site, own in part.groupby("site", sort=False)}
        rows.append({"indicator": label, "question": question} | cells)
    return pd.DataFrame(rows)


def _cell(own: pd.DataFrame) -> str:
    agreed = int((own["comparable"] == "yes").sum())
    if len(own) > 1:
        return f"{agreed} of {len(own)} groups"
    return str(
        own["comparable"].iloc[0] if own["because"].iloc[0] in ("", "ranges") else own["because"].iloc[0]
    )


def _question(row: Mapping[str, Any]) -> str:
    if row["dimension"] == TOTAL_DIMENSION:
        return str(row["term_label"])
    return f"{row['term_label']}, {row['subgroup']} compared with {row['reference'] or 'the reference group'}"


def _site_rows(sites: pd.DataFrame) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for row in sites.to_dict("records"):
        key = {"method": "comparison", "unit_id": "all"} | {
            name: row[name]
            for name in ("indicator", "site_id", "population", "dimension", "subgroup", "period", "unit", "n")
        }
        reason = row["reason"] if row["comparable"] == "yes" else f"not pooled: {row['reason']}"
        numbers = {name: row[name] for name in ("estimate", "std_error", "conf_low", "conf_high")}
        rows.append(key | numbers | {"term": row["term"], "note": reason})
        if row["comparable"] == "range only":
            lower_is_better = row["favourable"] == "lower"
            ends = (row["high"], row["low"]) if lower_is_better else (row["low"], row["high"])
            rows += [
                key | {"term": f"{row['term']}_{name}", "estimate": end, "note": reason}
                for name, end in zip(("worst_case", "best_case"), ends, strict=True)
            ]
    return rows


def _pooled_rows(pooled: pd.DataFrame) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for row in pooled.to_dict("records"):
        key = {"method": "comparison", "site_id": ALL_SITES, "unit_id": "all", "n": row["k"]} | {
            name: row[name] for name in ("indicator", "dimension", "subgroup")
        }
        numbers = {name: row[name] for name in ("estimate", "std_error", "conf_low", "conf_high", "p_value")}
        note = row["note"] or f"average of {row['k']} sites; {row['in_words']}"
        rows.append(key | numbers | {"term": row["term"], "unit": row["unit"], "note": note})
        if np.isfinite(row["predict_low"]):
            expected = {"conf_low": row["predict_low"], "conf_high": row["predict_high"]}
            rows.append(
                key
                | expected
                | {"term": f"{row['term']}_prediction", "estimate": row["estimate"], "unit": row["unit"]}
                | {"note": "where the true value of one more, similar site would lie"}
            )
        if np.isfinite(row["i2"]):
            rows.append(
                key
                | {"term": f"{row['term']}_heterogeneity", "estimate": row["i2"], "unit": "percent"}
                | {"note": row["in_words"]}
            )
    return rows
