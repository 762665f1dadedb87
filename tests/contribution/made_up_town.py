"""A small made-up site: one solution, one pathway of three links, six items of evidence."""

import math

import pandas as pd

from evalkit.contribution_model import ContributionModel
from evalkit.results import Result, tidy_frame
from evalkit.sites import Site

MODEL = {
    "question": "Did coaching contribute to fewer absences?",
    "nodes": [
        {"id": "hub", "kind": "partner", "label": "Family hub"},
        {"id": "coaching", "kind": "solution", "solution_type": "family", "label": "Family coaching"},
        {"id": "calls", "kind": "output", "label": "Families are called within a day"},
        {"id": "barriers", "kind": "outcome", "label": "Barriers to attending are removed"},
        {"id": "absence", "kind": "indicator", "label": "Chronic absence", "indicator": "chronic_absence"},
    ],
    "links": [
        {"src": "hub", "dst": "coaching", "mechanism": "The hub hires the coaches"},
        {"src": "coaching", "dst": "calls", "mechanism": "Coaches see the list every morning"},
        {"src": "calls", "dst": "barriers", "mechanism": "A call tells what stands in the way"},
        {"src": "barriers", "dst": "absence", "mechanism": "What is removed keeps nobody at home"},
    ],
    "hypotheses": [
        {
            "id": "main",
            "statement": "Family coaching contributed to the fall in chronic absence.",
            "pathway": ["coaching", "calls", "barriers", "absence"],
        },
        *(
            {
                "id": rival,
                "kind": "rival",
                "rival_type": rival,
                "statement": f"It was {rival}.",
                "prior_lo": 0.2,
                "prior_hi": 0.4,
                "examined": True,
                "finding": "Nothing of the kind was found.",
            }
            for rival in ("composition", "definition_or_roster", "regional_trend", "regression_to_mean")
        ),
    ],
    "evidence": [
        {
            "id": name,
            "hypotheses": ["main"],
            "statement": f"Statement of {name}.",
            "observed": "yes",
            "s_lo": 0.6,
            "s_hi": 0.8,
            "e_lo": 0.05,
            "e_hi": 0.1,
            "rationale": f"Rationale of {name}.",
            "source": source,
            "confidentiality": confidentiality,
        }
        for name, source, confidentiality in (
            ("audit", "university", "public"),
            ("records", "district", "public"),
            ("logs", "hub_logs", "partner"),
            ("interviews", "residents", "restricted"),
        )
    ],
    "sources": [
        {"id": "university", "label": "University team", "party": "independent"},
        {"id": "district", "label": "District office", "party": "independent"},
        {"id": "hub_logs", "label": "Logs of the hub", "party": "partner"},
        {"id": "residents", "label": "Residents asked", "party": "resident"},
    ],
    "reach": [
        {
            "solution": "coaching",
            "indicator": "chronic_absence",
            "period": "2022",
            "served": 160,
            "population": 400,
            "dose": 0.75,
            "effect": 0.15,
            "effect_lo": 0.05,
            "effect_hi": 0.25,
            "effect_source": "A made-up trial",
        }
    ],
}


def changed(**parts) -> ContributionModel:
    return ContributionModel.model_validate(MODEL | parts)


def site_with(model: ContributionModel | None) -> Site:
    return Site(
        site_id="made-up",
        name="Made-up Town",
        start="2019",
        headline=("chronic_absence",),
        contribution=model,
    )


def time_series(estimate=-8.0, low=-11.0, high=-5.0, *, note="") -> dict[str, Result]:
    row = {
        "method": "interrupted_time_series",
        "indicator": "chronic_absence",
        "site_id": "made-up",
        "unit_id": "all",
        "population": "target_school",
        "dimension": "all",
        "subgroup": "All",
        "period": "2022",
        "term": "effect_average",
        "estimate": estimate,
        "conf_low": low,
        "conf_high": high,
        "unit": "percentage points",
        "note": note,
    }
    years = [str(year) for year in range(2013, 2023)]
    path = pd.DataFrame(
        {
            "indicator": "chronic_absence",
            "site_id": "made-up",
            "period": years,
            "counterfactual": [34.0 if year >= "2019" else math.nan for year in years],
        }
    )
    result = Result(
        method="interrupted_time_series", title="", design={}, tidy=tidy_frame([row]), augment=path
    )
    return {"interrupted_time_series": result}
