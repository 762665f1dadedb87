"""The frames that the charts of equity gaps read: levels, gaps over time, and what there was to compare."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from evalkit.dictionary import DataDictionary
from evalkit.equity.differences import SHOWN
from evalkit.equity.findings import told_gaps
from evalkit.equity.study import Study, dimension_label, subgroup_label
from evalkit.periods import reader_label
from evalkit.sites import Site

AUGMENT_COLUMNS = (
    "indicator", "label", "short_label", "population", "dimension", "dimension_label", "subgroup",
    "subgroup_label", "period", "period_label", "rate", "rate_low", "rate_high", "conf_low", "conf_high",
    "denominator", "status", "is_reference", "order", "target", "favourable", "unit", "frequency", "latest",
    "source", "site_name",
)  # fmt: skip


def level_frame(studies: Sequence[Study], dictionary: DataDictionary, site: Site) -> pd.DataFrame:
    """Lay out a row per period and subgroup, in the indicator's unit, as the charts of levels need it."""
    frames = []
    for item in studies:
        indicator, scale = item.indicator, item.indicator.scale
        target = site.target(indicator.id)
        frame = item.cells.assign(
            label=indicator.label,
            short_label=indicator.short_label,
            subgroup_label=[
                subgroup_label(dictionary, item.dimension, name) for name in item.cells["subgroup"]
            ],
            is_reference=item.cells["subgroup"].eq(item.reference),
            order=item.cells["subgroup"].map(_order(dictionary, item)),
            period_label=_period_labels(item.cells["period"], item),
            dimension_label=dimension_label(dictionary, item.dimension),
            target=target.value if target else np.nan,
            favourable=indicator.favourable,
            unit=indicator.unit,
            frequency=indicator.frequency,
            latest=item.latest,
            site_name=site.name,
        )
        rates = ["rate", "rate_low", "rate_high", "conf_low", "conf_high"]
        frame[rates] *= scale
        frames.append(frame[list(AUGMENT_COLUMNS)])
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(AUGMENT_COLUMNS))


def _order(dictionary: DataDictionary, item: Study) -> dict[str, int]:
    """Place ordered subgroups as the dictionary does, others from the worst off to the best off of late."""
    declared = dictionary.dimensions.get(item.dimension)
    if declared is not None and declared.ordered:
        return {group.id: place for place, group in enumerate(declared.subgroups)}
    now = item.cells[item.cells["period"] == (item.latest or item.cells["period"].max())]
    middle = (now["rate_low"] + now["rate_high"]) / 2
    signed = middle if item.indicator.favourable == "higher" else -middle
    ranked = list(now.assign(_rank=signed).sort_values(["_rank", "subgroup"])["subgroup"])
    rest = sorted(set(item.cells["subgroup"]) - set(ranked))
    return {name: place for place, name in enumerate([*ranked, *rest])}


GAP_COLUMNS = (
    "indicator", "label", "short_label", "population", "dimension", "subgroup", "subgroup_label", "reference",
    "reference_label", "period", "period_label", "difference", "conf_low", "conf_high", "least", "most",
    "status", "reference_status", "note", "favourable", "unit", "frequency", "trend", "parity", "n", "source",
    "site_name", "std_error",
)  # fmt: skip


def _period_labels(periods: pd.Series, item: Study) -> pd.Series:
    return periods.map({text: reader_label(text, item.indicator.frequency) for text in periods.unique()})


def gap_frame(studies: Sequence[Study], dictionary: DataDictionary, site: Site) -> pd.DataFrame:
    """Lay out a row per period and compared subgroup, as the chart of gaps over time needs it."""
    frames = []
    for item in studies:
        parity = {trend.subgroup: trend.parity for trend in item.trends}
        slope = {trend.subgroup: trend.fit.slope if trend.fit else np.nan for trend in item.trends}
        label = {
            name: subgroup_label(dictionary, item.dimension, name)
            for name in {*item.compared["subgroup"], item.reference}
        }
        frame = item.compared.assign(
            label=item.indicator.label,
            short_label=item.indicator.short_label,
            period_label=_period_labels(item.compared["period"], item),
            subgroup_label=item.compared["subgroup"].map(label),
            reference=item.reference,
            reference_label=label[item.reference],
            favourable=item.indicator.favourable,
            unit=item.indicator.difference_unit,
            frequency=item.indicator.frequency,
            trend=item.compared["subgroup"].map(slope).astype(float) * item.indicator.scale,
            parity=item.compared["subgroup"].map(parity),
            n=item.compared["n"] + item.compared["reference_n"],
            std_error=item.compared["difference_error"],
            conf_low=item.compared["difference_low"],
            conf_high=item.compared["difference_high"],
            source=", ".join(sorted(set(item.cells["source"]) - {""})),
            site_name=site.name,
        )
        points = ["difference", "conf_low", "conf_high", "least", "most", "std_error"]
        frame[points] *= item.indicator.scale
        frames.append(frame[list(GAP_COLUMNS)])
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(GAP_COLUMNS))


def glance_frame(studies: Sequence[Study], site: Site) -> pd.DataFrame:
    """Lay out a row per indicator, population and dimension: what there was to compare.

    `told` is the place (1, 2, 3) of the gap that the narrative tells, else 0; `told_subgroup` says whose.
    """
    told = {
        id(item): (place, pair.subgroup) for place, (item, pair) in enumerate(told_gaps(studies, site), 1)
    }
    rows = [
        {
            "indicator": item.indicator.id,
            "population": item.population,
            "dimension": item.dimension,
            "reference": item.reference,
            "latest": item.latest,
            "periods": item.cells["period"].nunique(),
            "subgroups": item.cells["subgroup"].nunique(),
            "cells": len(item.cells),
            "cells_exact": int(item.cells["status"].eq("reported").sum()),
            "cells_as_range": int(item.cells["status"].eq("censored").sum()),
            "cells_hidden": int(item.cells["status"].eq("suppressed").sum()),
            "cells_missing": int((~item.cells["status"].isin([*SHOWN, "suppressed"])).sum()),
            "range": item.observed_range * item.indicator.scale,
            "range_by_chance": item.chance_range * item.indicator.scale,
            "is_headline": item.indicator.id in site.headline,
            "generation": item.indicator.generation,
            "told": told.get(id(item), (0, ""))[0],
            "told_subgroup": told.get(id(item), (0, ""))[1],
        }
        for item in studies
    ]
    return pd.DataFrame(rows)
