"""What the sites learn from one another: what turned where, under which solutions, and what to ask next."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from evalkit.contribution_model import CLAIM_CLASSES
from evalkit.dictionary import DataDictionary
from evalkit.parameters import Network
from evalkit.results import Result, tidy_frame
from evalkit.sites import Site
from evalkit.synthesis.comparison_story import FICTIONAL, bare_name
from evalkit.synthesis.findings import (
    BEAT,
    CANNOT,
    CLAIMS,
    NOT_YET,
    TURNED,
    difference_words,
    ledger,
    text_of,
)
from evalkit.synthesis.questions import SHOWN_CLAIMS, site_questions, would_tell
from evalkit.wording import listed

Row = dict[str, Any]

METHOD = "learning_review"
KINDS = ("family", "program", "policy", "system")
# Of several claims on one indicator the strongest is told.
CLASSES = CLAIM_CLASSES
NO_CLAIM = "no claim examined"
VERDICT_ORDER = (TURNED, BEAT, NOT_YET, CANNOT)


def learning_review(
    comparison: Result,
    results: Mapping[str, Mapping[str, Result]],
    network: Network,
    dictionary: DataDictionary,
) -> Result:
    """Lay side by side what turned where, under which solutions, at which stage, with which evidence.

    Association only: sites chose their solutions, and few sites cannot tell which mix works.

    Parameters
    ----------
    comparison : the result of `compare_sites`
    results : the saved results of each site, by site id and method

    Returns
    -------
    Result "learning_review". `tidy` has a "verdict" row a site and indicator (the verdict in `note`). Frames:
    `turned` (a row a site and indicator: verdict, change, class of claim, solutions by kind, stage), `mix`
    (in how many sites with and without a kind of solution the curve turned or beat its baseline),
    `two_generation` (a row a site), `untold` (what cannot be told and what data would tell it), `questions`
    (a row a question to a site).
    """
    sites = [site for _, site in sorted(network.sites.items(), key=lambda pair: pair[1].name)]
    turned_rows = [
        row for site in sites for row in _site_rows(site, results.get(site.site_id, {}), dictionary)
    ]
    turned = pd.DataFrame(turned_rows, columns=TURNED_COLUMNS)
    generations = pd.DataFrame([_generations(site, turned) for site in sites])
    untold = _untold(turned)
    questions = pd.DataFrame(
        [
            {"site_id": site.site_id, "site": bare_name(site.name), "question": question}
            for site in sites
            for question in site_questions(site, turned[turned["site_id"] == site.site_id], comparison)
        ],
        columns=["site_id", "site", "question"],
    )
    mix = _mix(turned)
    return Result(
        method=METHOD,
        title=f"What the sites of {network.name} can learn from one another",
        design={"network": network.network_id, "synthetic": network.synthetic, "order": "sites by name"},
        tidy=tidy_frame([_tidy(row) for row in turned_rows]),
        glance=_glance(turned),
        augment=turned,
        frames={
            "turned": turned,
            "mix": mix,
            "two_generation": generations,
            "untold": untold,
            "questions": questions,
        },
        narrative=tuple(_narrative(turned, mix, generations, untold, network)),
    )


TURNED_COLUMNS = [
    "site_id",
    "site",
    "stage",
    "gateway",
    "indicator",
    "label",
    "short_label",
    "generation",
    "verdict",
    "because",
    "change",
    "effect",
    "claim",
    "claim_reason",
    "solutions",
    *KINDS,
    "last_period",
    "population",
]


def _site_rows(site: Site, results: Mapping[str, Result], dictionary: DataDictionary) -> list[Row]:
    claims = _claims(results)
    rows = []
    for row in ledger(results, site, dictionary).to_dict("records"):
        solutions = [
            solution
            for partner in site.partners
            for solution in partner.solutions
            if row["indicator"] in solution.indicators
        ]
        claim, reason = claims.get(row["indicator"], (NO_CLAIM, ""))
        rows.append(
            {
                **{
                    name: row[name] for name in ("indicator", "label", "short_label", "generation", "verdict")
                },
                **{name: row[name] for name in ("because", "last_period", "population")},
                "site_id": site.site_id,
                "site": site.name,
                "stage": (site.stage or "not on file").replace("_", " "),
                "gateway": (site.gateway or "not on file").replace("_", " "),
                "change": difference_words(row, "change"),
                "effect": difference_words(row, "effect"),
                "claim": claim,
                "claim_reason": reason,
                "solutions": listed([f"{solution.name} ({solution.kind})" for solution in solutions]),
                **{kind: sum(solution.kind == kind for solution in solutions) for kind in KINDS},
            }
        )
    return rows


def _claims(results: Mapping[str, Result]) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    if CLAIMS not in results:
        return found
    for claim in results[CLAIMS].glance.to_dict("records"):
        name, rated = str(claim["indicator"]), str(claim["class"])
        if name not in found or CLASSES.index(rated) > CLASSES.index(found[name][0]):
            found[name] = (rated, text_of(claim["reason"]))
    return found


def _mix(turned: pd.DataFrame) -> pd.DataFrame:
    """Count the sites with and without a kind of solution in which the curve turned or beat its baseline."""
    rows = []
    told = turned[turned["verdict"] != CANNOT]
    for (_, label), part in told.groupby(["indicator", "short_label"], sort=False):
        for kind in KINDS:
            has, turned_here = part[kind] > 0, part["verdict"].isin([TURNED, BEAT])
            if has.any():
                rows.append(
                    {
                        "indicator": label,
                        "kind": kind,
                        "sites_with": int(has.sum()),
                        "better_with": int((has & turned_here).sum()),
                        "sites_without": int((~has).sum()),
                        "better_without": int((~has & turned_here).sum()),
                    }
                )
    columns = ["indicator", "kind", "sites_with", "better_with", "sites_without", "better_without"]
    return pd.DataFrame(rows, columns=columns)


def _generations(site: Site, turned: pd.DataFrame) -> Row:
    own = turned[(turned["site_id"] == site.site_id) & (turned["last_period"] != "")]
    row: Row = {"site_id": site.site_id, "site": bare_name(site.name)}
    for generation in ("child", "caregiver"):
        part = own[own["generation"] == generation]
        row[generation] = "; ".join(f"{item.short_label}: {item.verdict}" for item in part.itertuples())
    both = bool(row["child"]) and bool(row["caregiver"])
    return row | {"two_generation": "both measured" if both else "one generation only, so not two-generation"}


def _untold(turned: pd.DataFrame) -> pd.DataFrame:
    part = turned[turned["verdict"] == CANNOT]
    return pd.DataFrame(
        {
            "site": part["site"].map(bare_name),
            "indicator": part["short_label"],
            "reason": part["because"],
            "would_tell": [would_tell(reason) for reason in part["because"]],
        }
    ).reset_index(drop=True)


def _tidy(row: Row) -> Row:
    names = ("indicator", "site_id", "population")
    return {name: row[name] for name in names} | {
        "method": METHOD,
        "unit_id": "all",
        "dimension": "all",
        "subgroup": "All",
        "period": row["last_period"],
        "term": "verdict",
        "note": row["verdict"],
    }


def _glance(turned: pd.DataFrame) -> pd.DataFrame:
    """Count the sites of each verdict, a row an indicator."""
    rows = [
        {
            "indicator": indicator,
            "label": label,
            **{name: int((part["verdict"] == name).sum()) for name in VERDICT_ORDER},
        }
        for (indicator, label), part in turned.groupby(["indicator", "label"], sort=False)
    ]
    return pd.DataFrame(rows, columns=["indicator", "label", *VERDICT_ORDER])


def _narrative(
    turned: pd.DataFrame, mix: pd.DataFrame, generations: pd.DataFrame, untold: pd.DataFrame, network: Network
) -> list[str]:
    opening = [FICTIONAL] if network.synthetic else []
    if turned.empty:
        return [*opening, "No site has saved results yet."]
    paragraphs = list(opening)
    for (_, label), part in turned.groupby(["indicator", "label"], sort=False):
        parts = []
        for verdict in VERDICT_ORDER:
            names = [bare_name(name) for name in part.loc[part["verdict"] == verdict, "site"]]
            if names:
                parts.append(f"{verdict} in {listed(names)}")
        paragraphs.append(f"{label}: {'; '.join(parts)}.")
    if not mix.empty:
        paragraphs.append(
            "Which mix of solutions goes with a better curve is counted in the table. Sites chose their "
            f"solutions, and {turned['site_id'].nunique()} sites are too few to tell which of them works; "
            "the count raises questions and answers none."
        )
    else:
        paragraphs.append(
            "No solutions are on file, so nothing can be said about which mix goes with a better curve."
        )
    rated = turned[turned["claim"].isin(list(SHOWN_CLAIMS))]
    claims = [f"{bare_name(row.site)}, {row.short_label} ({row.claim})" for row in rated.itertuples()]
    paragraphs.append(
        f"Claims of contribution rated plausible or better: {listed(claims)}."
        if claims
        else "No claim of contribution is rated plausible or better."
    )
    both = generations[generations["two_generation"] == "both measured"]["site"]
    paragraphs.append(
        f"Children and caregivers are both measured in {len(both)} of {len(generations)} sites."
        + (
            ""
            if len(both) == len(generations)
            else " A site that measures one generation is not two-generation."
        )
    )
    if len(untold):
        data = untold.groupby("would_tell", sort=False).size()
        needed = [f"{name} ({count})" for name, count in data.items()]
        paragraphs.append(
            f"What could not be told ({len(untold)} times), and what would tell it: {'; '.join(needed)}."
        )
    return paragraphs
