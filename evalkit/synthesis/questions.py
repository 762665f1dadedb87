"""What to ask each site next, and what data would break a silence."""

import pandas as pd

from evalkit.results import Result
from evalkit.sites import Site
from evalkit.synthesis.comparison_story import AVERAGE
from evalkit.synthesis.findings import BEAT, CANNOT, NOT_YET, TURNED
from evalkit.wording import listed

SHOWN_CLAIMS = ("plausible", "supported", "strongly supported")

# What a reason for silence says -> the data that would break it. The first that fits is told.
WOULD_TELL = (
    ("declares no", "the school year in which the first group that the work could reach was measured"),
    ("no pre-period", "the school year in which the first group that the work could reach was measured"),
    ("periods before", "earlier years of the same measure; four before the start are the least"),
    ("two values", "more years after the start; three are the least for a trend"),
    ("break", "figures by the old and the new definition for one shared year"),
    ("hidden values", "exact counts under a data-sharing agreement instead of published ranges"),
    ("bounds", "exact counts under a data-sharing agreement instead of published ranges"),
    ("hidden", "counts for this audience under a data-sharing agreement, or several years pooled"),
    ("so wide", "more years, or a comparison site that shares the same ups and downs"),
    ("no figures", "the indicator itself: nobody has supplied it for this site"),
)
WOULD_TELL_OTHERWISE = "a longer or more exact series of the same measure"


def would_tell(reason: str) -> str:
    """Name the data that would break a silence."""
    return next((data for sign, data in WOULD_TELL if sign in reason), WOULD_TELL_OTHERWISE)


def site_questions(site: Site, own: pd.DataFrame, comparison: Result) -> list[str]:
    """Ask what follows from the findings, at most one question of each kind."""
    questions = []
    better = own[own["verdict"].isin([TURNED, BEAT])]
    weak = better[~better["claim"].isin(list(SHOWN_CLAIMS))]
    if len(weak):
        questions.append(
            f"{listed(list(weak['short_label']))} did better than the past pointed to, but the work's part "
            "in it is not shown: which evidence would a doubter ask for, and who can gather it?"
        )
    not_yet = own[own["verdict"] == NOT_YET]
    unserved = not_yet[not_yet["solutions"] == ""]
    if len(unserved):
        questions.append(
            f"Nobody is on file as working on {listed(list(unserved['short_label']))}: who should be?"
        )
    served = not_yet[not_yet["solutions"] != ""]
    if len(served):
        has, it = ("has", "it") if len(served) == 1 else ("have", "them")
        questions.append(
            f"{listed(list(served['short_label']))} {has} not turned although solutions aim at {it}: do they "
            "reach enough people, for long enough?"
        )
    apart = _apart(site, comparison)
    if apart:
        questions.append(f"On {listed(apart)} this site lies apart from the other sites: what differs here?")
    silent = own[own["verdict"] == CANNOT]
    if len(silent):
        data = dict.fromkeys(would_tell(reason) for reason in silent["because"])
        questions.append(
            f"{listed(list(silent['short_label']))} cannot be told. Who has {'; or '.join(data)}?"
        )
    if not (own["generation"] == "caregiver").any():
        questions.append("Which outcome of parents and caregivers can be asked for in the same year?")
    return questions


def _apart(site: Site, comparison: Result) -> list[str]:
    """Name the indicators on which a site's interval leaves out the average of the sites."""
    sites, pooled = comparison.augment, comparison.frames.get("pooled")
    if pooled is None or sites.empty:
        return []
    averages = pooled[(pooled["term"] == AVERAGE) & pooled["estimate"].notna()].set_index("indicator")[
        "estimate"
    ]
    own = sites[
        (sites["term"] == AVERAGE)
        & (sites["site_id"] == site.site_id)
        & (sites["comparable"] == "yes")
        & sites["indicator"].isin(averages.index)
    ]
    return [
        row.short_label
        for row in own.itertuples()
        if averages[row.indicator] < row.conf_low or averages[row.indicator] > row.conf_high
    ]
