"""The fictional network's hypotheses, and what was seen when somebody went to look."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from evalkit.fictional_network import INDICATORS, SITES, SOLUTIONS, YEARS

# Picked so that the demo (seed 2026) meets every kind of claim; other seeds draw freely.
EVIDENCE_STREAM = 52535

# hypothesis id -> (site, solution, indicator): "this solution contributed to the change in this indicator"
MAIN_HYPOTHESES = {
    "pre_k_readiness": ("alder-park", "pre-k-seats", "kindergarten_ready"),
    "teams_absence": ("alder-park", "attendance-teams", "chronic_absence"),
    "liaisons_absence": ("birchwater", "attendance-liaisons", "chronic_absence"),
    "desk_mobility": ("birchwater", "eviction-prevention", "mobility"),
    "reading_block_ela": ("cedar-flats", "reading-block", "ela_proficient"),
    "early_warning_graduation": ("dogwood-heights", "early-warning", "graduation_rate"),
    "rent_bridge_housing": ("dogwood-heights", "rent-bridge", "caregiver_stable_housing"),
    "parent_cafes_readiness": ("elm-crossing", "parent-cafes", "kindergarten_ready"),
    "walking_bus_absence": ("foxglove-hill", "walking-bus", "chronic_absence"),
    "transition_readiness": ("ginkgo-row", "transition-summer", "kindergarten_ready"),
    "broadband_access": ("ginkgo-row", "home-broadband", "technology_access"),
    "academy_ela": ("hawthorn-bend", "weekend-academy", "ela_proficient"),
    "ordinance_mobility": ("hawthorn-bend", "right-to-stay", "mobility"),
}
# A desk that opened when moves had already fallen, and an academy too small to be seen.
FALSE_MAINS = ("desk_mobility", "academy_ela")
# hypothesis id -> (site, solution, indicator): "this solution was delivered as planned"
LINK_HYPOTHESES = {"block_is_taught": ("cedar-flats", "reading-block", "ela_proficient")}
RIVALS = ("composition", "definition_or_roster", "regional_trend", "regression_to_mean")
TRUE_RIVALS = (("elm-crossing", "regional_trend"),)
# evidence that nobody went to look for: (site, item of EVIDENCE)
NOT_SOUGHT = (
    ("birchwater", "definition_or_roster"), ("cedar-flats", "delivery"), ("cedar-flats", "contrast"),
    ("cedar-flats", "families"), ("ginkgo-row", "regression_to_mean"),
)  # fmt: skip
CHANGES = {
    "kindergarten_ready": "the share of children ready for kindergarten",
    "ela_proficient": "the share of students reading at grade level",
    "chronic_absence": "chronic absence",
    "graduation_rate": "the graduation rate",
    "mobility": "student mobility",
    "technology_access": "the share of children with a device and broadband",
    "caregiver_stable_housing": "the share of caregivers in stable housing",
}


class EvidenceDesign(NamedTuple):
    """An item that is looked for: P(seen | the hypothesis is true) is s, P(seen | it is false) is e."""

    statement: str
    kind: str
    s: tuple[float, float]
    e: tuple[float, float]
    rationale: str
    source: str
    confidentiality: str
    cluster: str
    month_day: str


EVIDENCE = {
    "dose": EvidenceDesign(
        "Enrollment logs show most participants in “{solution}” getting at least half of what was planned.",
        "trace", (0.85, 0.95), (0.40, 0.60),
        "A contribution without a dose is hard to believe, but a dose alone proves little.",
        "partner_logs", "partner", "delivery", "06-20",
    ),
    "sequence": EvidenceDesign(
        "The first clear move in {change} came after “{solution}” opened, not before.",
        "sequence", (0.85, 0.95), (0.25, 0.40),
        "A cause comes first; a change that had begun earlier would need another explanation.",
        "state_records", "public", "", "09-30",
    ),
    "contrast": EvidenceDesign(
        "Those served by “{solution}” did better than neighbors on its waiting list.",
        "pattern", (0.65, 0.80), (0.05, 0.10),
        "Waiting families live on the same blocks and wanted the same help; few other stories predict this.",
        "independent_review", "public", "", "02-15",
    ),
    "places": EvidenceDesign(
        "Blocks where “{solution}” reached the most people saw the largest move in {change}.",
        "pattern", (0.60, 0.80), (0.10, 0.20),
        "A change from elsewhere would not follow the solution from block to block.",
        "state_records", "public", "", "11-10",
    ),
    "families": EvidenceDesign(
        "Asked an open question, families named “{solution}” first when they explained {change}.",
        "account", (0.50, 0.70), (0.10, 0.20),
        "Nobody prompted them; even so, people may name what was talked about most.",
        "family_conversations", "restricted", "", "04-05",
    ),
    "visits": EvidenceDesign(
        "The funder's visit notes describe cases in which “{solution}” made the difference.",
        "account", (0.80, 0.90), (0.55, 0.70),
        "Visitors are shown the good cases in either event, so these weigh little.",
        "funder_visits", "partner", "delivery", "05-12",
    ),
    "delivery": EvidenceDesign(
        "Visits without notice found “{solution}” in place on at least four days in five.",
        "trace", (0.80, 0.90), (0.10, 0.20),
        "A timetable is a promise; only a visit shows whether it is kept.",
        "independent_review", "public", "", "10-28",
    ),
    "composition": EvidenceDesign(
        "Newcomers and leavers differ enough in income to have moved the rate by a point or more.",
        "pattern", (0.80, 0.90), (0.05, 0.15),
        "If the people changed and not their chances, this is where it would show.",
        "state_records", "public", "", "08-25",
    ),
    "definition_or_roster": EvidenceDesign(
        "An audit found names dropped from the roster, or a definition changed in the window.",
        "trace", (0.80, 0.95), (0.03, 0.10),
        "The auditors read every withdrawal code; a changed roster would hardly have escaped them.",
        "independent_review", "public", "", "01-20",
    ),
    "regional_trend": EvidenceDesign(
        "The comparison neighborhood, which has no initiative, moved by as much in the same years.",
        "pattern", (0.85, 0.95), (0.05, 0.15),
        "Weather, economy and State policy reached both neighborhoods alike.",
        "state_records", "public", "", "10-05",
    ),
    "regression_to_mean": EvidenceDesign(
        "The last year before the start was worse than the usual scatter of the series.",
        "sequence", (0.70, 0.90), (0.10, 0.25),
        "A rebound needs an unusually bad year to rebound from.",
        "independent_review", "public", "", "03-18",
    ),
}  # fmt: skip


def true_hypotheses() -> dict[str, dict[str, bool]]:
    """Say which hypotheses are true: by default a main one whose indicator jumped the favourable way."""
    truth: dict[str, dict[str, bool]] = {site_id: {} for site_id in SITES}
    for identifier, (site_id, _, indicator) in MAIN_HYPOTHESES.items():
        change = SITES[site_id].level_changes[list(INDICATORS).index(indicator)]
        truth[site_id][identifier] = (
            change * INDICATORS[indicator].favourable > 0 and identifier not in FALSE_MAINS
        )
    for identifier, (site_id, _, _) in LINK_HYPOTHESES.items():
        truth[site_id][identifier] = True
    for site_id, rival in ((site_id, rival) for site_id in SITES for rival in RIVALS):
        truth[site_id][rival] = (site_id, rival) in TRUE_RIVALS
    return truth


def draw_evidence(hypotheses: Mapping[str, Mapping[str, bool]], rng: np.random.Generator) -> pd.DataFrame:
    """Draw whether each item was seen, with the midpoint of its range under the hypothesis that holds."""
    names = {(solution.site_id, solution.solution_id): solution.name for solution in SOLUTIONS}
    about = MAIN_HYPOTHESES | LINK_HYPOTHESES
    rows = []
    for site_id, known in hypotheses.items():
        items = [(identifier, item) for identifier in known for item in _items(identifier)]
        for count, (identifier, item) in enumerate(items, start=1):
            design = EVIDENCE[item]
            words = {}
            if identifier in about:
                _, solution_id, indicator = about[identifier]
                words = {"solution": names[site_id, solution_id], "change": CHANGES[indicator]}
            seen = rng.uniform() < np.mean(design.s if known[identifier] else design.e)
            rows.append(
                {
                    "site_id": site_id,
                    "id": f"{site_id}-{count:02d}",
                    "hypotheses": identifier,
                    "statement": design.statement.format(**words),
                    "observed": "not_sought" if (site_id, item) in NOT_SOUGHT else "yes" if seen else "no",
                    "kind": design.kind,
                    "s_lo": design.s[0],
                    "s_hi": design.s[1],
                    "e_lo": design.e[0],
                    "e_hi": design.e[1],
                    "rationale": design.rationale,
                    "source": design.source,
                    "date": f"{min(SITES[site_id].start + 1, YEARS[-1])}-{design.month_day}",
                    "confidentiality": design.confidentiality,
                    "cluster": f"{identifier}-{design.cluster}" if design.cluster else "",
                }
            )
    return pd.DataFrame(rows)


def _items(hypothesis: str) -> list[str]:
    """Name the items of `EVIDENCE` that bear on a hypothesis."""
    if hypothesis in RIVALS:
        return [hypothesis]
    if hypothesis in LINK_HYPOTHESES:
        return ["delivery"]
    return [item for item in EVIDENCE if item != "delivery" and item not in RIVALS]
