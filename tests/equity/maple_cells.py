"""Rows of a small made-up site, Maple, and a mean that the shipped dictionary does not have."""

import numpy as np

from evalkit.dictionary import Indicator

SCORE = Indicator(
    id="reading_score",
    label="Mean reading score",
    short_label="Reading score",
    kind="mean",
    unit="points",
    per=1,
    favourable="higher",
    generation="child",
    population="resident",
    frequency="school_year",
)


def cell(subgroup, x, n, **more):
    """Make one row of kindergarten readiness by race in 2019, unless told otherwise."""
    return {
        "indicator": "kindergarten_ready",
        "site_id": "maple",
        "population": "resident",
        "period": "2019",
        "dimension": "race_ethnicity",
        "subgroup": subgroup,
        "numerator": x,
        "denominator": n,
        "source": "school records",
        "status": "reported",
        **more,
    }


def hidden(subgroup, **more):
    return cell(subgroup, np.nan, np.nan, status="suppressed", **more)
