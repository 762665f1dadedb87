"""The summary measures of every study's latest period, for the frames of a site's equity gaps."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from evalkit.dictionary import DataDictionary
from evalkit.equity.contrasts import level_of
from evalkit.equity.study import Study, dimension_label
from evalkit.equity.summary import COLUMNS, summary_measures

PLACE = ("indicator", "population", "dimension", "period", "reference")
MEASURE_COLUMNS = (*PLACE, "short_label", "dimension_label", *COLUMNS, "rate_unit")


def measure_frame(studies: Sequence[Study], dictionary: DataDictionary, *, conf_level: float) -> pd.DataFrame:
    """Sum up the inequality among all subgroups of each study in its latest period.

    Subgroups that are hidden, missing or known only as a range are left out and named in `note`; the measures
    are then those of the subgroups shown. Shares are of the persons counted.

    Returns
    -------
    `PLACE`, the names of indicator and dimension for a reader, the columns of `summary_measures` (its `label`
    is the measure's), and `rate_unit`: the unit that "rate" in `unit` stands for.
    """
    alike: dict[tuple[str | None, bool, float | None, str], list[pd.DataFrame]] = {}
    for item in studies:
        if not item.latest:
            continue
        rows = _rows(item, dictionary)
        declared = dictionary.dimensions.get(item.dimension)
        is_ordered = declared is not None and declared.ordered
        bounded = item.indicator.kind == "rate" and not item.indicator.may_exceed_one
        scale = item.indicator.scale if bounded else None
        has_reference = rows["subgroup"].eq(item.reference).any()
        key = (item.reference if has_reference else None, is_ordered, scale, item.indicator.favourable)
        alike.setdefault(key, []).append(rows)
    found = []
    for (reference, in_order, top, favourable), frames in alike.items():
        measured = summary_measures(
            pd.concat(frames, ignore_index=True),
            rate="rate",
            population="persons",
            std_error="std_error",
            favourable=favourable,
            scale=top,
            order="rank" if in_order else None,
            reference=reference,
            by=[*PLACE, "rate_unit"],
            conf_level=conf_level,
        )
        found.append(measured)
    if not found:
        return pd.DataFrame(columns=list(MEASURE_COLUMNS))
    together = pd.concat(found, ignore_index=True)
    together["short_label"] = [dictionary.indicator(name).short_label for name in together["indicator"]]
    together["dimension_label"] = [dimension_label(dictionary, name) for name in together["dimension"]]
    # Stable, so that the measures keep WHO's order.
    return together.sort_values(list(PLACE[:3]), kind="stable", ignore_index=True)[list(MEASURE_COLUMNS)]


def _rows(item: Study, dictionary: DataDictionary) -> pd.DataFrame:
    cells = item.cells[item.cells["period"].eq(item.latest)]
    level = level_of(cells, item.indicator)
    exact = cells["status"].eq("reported").to_numpy()
    declared = dictionary.dimensions.get(item.dimension)
    ranks = {group.id: at for at, group in enumerate(declared.subgroups, 1)} if declared else {}
    scale = item.indicator.scale
    return pd.DataFrame(
        {
            "indicator": item.indicator.id,
            "population": item.population,
            "dimension": item.dimension,
            "period": item.latest,
            "reference": item.reference,
            "rate_unit": item.indicator.difference_unit,
            "subgroup": cells["subgroup"].to_numpy(),
            "rate": np.where(exact, level.rate * scale, np.nan),
            "persons": level.n,
            "std_error": level.std_error * scale,
            "rank": cells["subgroup"].map(ranks).to_numpy(dtype=float),
        }
    )
