"""The frames of a contribution result, as one audience may see them."""

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from evalkit.contribution.beliefs import (
    Belief,
    Rival,
    belief_in,
    evidence_items,
    may_print,
    point_log_ratio,
)
from evalkit.contribution.draws import Floats, central_range
from evalkit.contribution.evidence import decibels, evidence_test, likelihood_ratio
from evalkit.contribution.graph import evidence_by_link, theory_graph
from evalkit.contribution.layout import lay_out
from evalkit.contribution.rival_tests import RivalTest
from evalkit.contribution.rivals import RIVAL_LABELS
from evalkit.contribution_model import ContributionModel, Evidence
from evalkit.dictionary import Indicator

WITHHELD = "withheld"
OBSERVED_WORDS = {"yes": "seen", "no": "looked for, not seen", "not_sought": "not looked for"}

# Columns of each frame and whether they hold text; also what an absent theory leaves behind.
TEXT, NUMBER, WHOLE, FLAG = "str", "float64", "int64", "bool"
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "nodes": {
        "id": TEXT, "label": TEXT, "kind": TEXT, "solution_type": TEXT, "indicator": TEXT,
        "layer": WHOLE, "x": NUMBER, "y": NUMBER,
    },
    "links": {
        "src": TEXT, "dst": TEXT, "src_label": TEXT, "dst_label": TEXT, "mechanism": TEXT,
        "assumptions": TEXT, "risks": TEXT, "items": WHOLE, "strength": NUMBER, "evidenced": FLAG,
    },
    "routes": {"src": TEXT, "dst": TEXT, "step": WHOLE, "x": NUMBER, "y": NUMBER},
    "evidence": {
        "id": TEXT, "hypothesis": TEXT, "statement": TEXT, "observed": TEXT, "test": TEXT, "s": NUMBER,
        "s_low": NUMBER, "s_high": NUMBER, "e": NUMBER, "e_low": NUMBER, "e_high": NUMBER,
        "likelihood_ratio": NUMBER, "party": TEXT, "source": TEXT, "date": TEXT, "rationale": TEXT,
        "printed": FLAG,
    },
    "rivals": {
        "hypothesis": TEXT, "indicator": TEXT, "id": TEXT, "label": TEXT, "statement": TEXT,
        "rival_type": TEXT, "examined": TEXT, "prior": NUMBER, "posterior": NUMBER, "low": NUMBER,
        "high": NUMBER, "together": NUMBER, "finding": TEXT,
    },
    "beliefs": {
        "id": TEXT, "label": TEXT, "statement": TEXT, "kind": TEXT, "indicator": TEXT, "examined": FLAG,
        "items": WHOLE, "prior": NUMBER, "prior_low": NUMBER, "prior_high": NUMBER, "posterior": NUMBER,
        "low": NUMBER, "high": NUMBER, "independent": NUMBER, "dependent": NUMBER, "decibels": NUMBER,
        "drawn_low": NUMBER, "drawn_median": NUMBER, "drawn_high": NUMBER,
    },
    "next_evidence": {
        "hypothesis": TEXT, "indicator": TEXT, "id": TEXT, "bears_on": TEXT, "statement": TEXT,
        "chance_seen": NUMBER, "if_seen": NUMBER, "if_absent": NUMBER, "information": NUMBER,
        "class_now": TEXT, "class_if_seen": TEXT, "class_if_absent": TEXT, "printed": FLAG,
    },
    "rival_tests": {
        "hypothesis": TEXT, "indicator": TEXT, "rival_type": TEXT, "label": TEXT, "measure": TEXT,
        "estimate": NUMBER, "conf_low": NUMBER, "conf_high": NUMBER, "change": NUMBER, "unit": TEXT,
        "reading": TEXT, "source": TEXT, "sentence": TEXT,
    },
    "partners": {
        "indicator": TEXT, "label": TEXT, "partner": TEXT, "name": TEXT, "alone": NUMBER, "share": NUMBER,
        "claimed": NUMBER, "claim_source": TEXT, "unit": TEXT, "note": TEXT,
    },
    "ceilings": {
        "hypothesis": TEXT, "indicator": TEXT, "label": TEXT, "unit": TEXT, "observed": NUMBER,
        "observed_low": NUMBER, "observed_high": NUMBER, "ceiling": NUMBER, "ceiling_low": NUMBER,
        "ceiling_high": NUMBER, "share": NUMBER, "share_low": NUMBER, "share_high": NUMBER,
        "effect_needed": NUMBER, "headroom": NUMBER, "reach_low": NUMBER, "reach_high": NUMBER,
        "dose": NUMBER, "effect_source": TEXT, "sentence": TEXT,
    },
    "glance": {
        "hypothesis": TEXT, "statement": TEXT, "indicator": TEXT, "class": TEXT, "grade": TEXT,
        "reason": TEXT, "posterior": NUMBER, "posterior_low": NUMBER, "posterior_high": NUMBER,
        "weakest": NUMBER, "guaranteed": NUMBER, "product": NUMBER, "items": WHOLE, "withheld": WHOLE,
        "independent_sources": WHOLE, "rivals_examined": WHOLE, "rivals_unexamined": WHOLE, "wording": TEXT,
        "drawn_plausible": NUMBER,
    },
}  # fmt: skip


def typed_frame(name: str, rows: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    """Lay rows out in the declared columns and types of a frame, also where there is none."""
    missing = {TEXT: None, NUMBER: math.nan}
    return pd.DataFrame(
        {
            column: pd.Series([row.get(column, missing.get(kind)) for row in rows], dtype=kind)
            for column, kind in COLUMNS[name].items()
        }
    )


def theory_frames(model: ContributionModel) -> dict[str, pd.DataFrame]:
    """Make `nodes`, `links` and `routes`: the picture of the theory, and the table that says the same.

    `strength` of a link is the joint likelihood ratio of its evidence in decibels: above 0 speaks for it.
    """
    layout = lay_out(theory_graph(model))
    label = {node.id: node.label for node in model.nodes}
    gathered = evidence_by_link(model)
    nodes = [
        {
            "id": node.id,
            "label": node.label,
            "kind": node.kind,
            "solution_type": node.solution_type or "",
            "indicator": node.indicator or "",
            "layer": layout.layers[node.id],
            "x": float(layout.layers[node.id]),
            "y": layout.places[node.id],
        }
        for node in model.nodes
    ]
    links = [
        {
            "src": link.src,
            "dst": link.dst,
            "src_label": label[link.src],
            "dst_label": label[link.dst],
            "mechanism": link.mechanism,
            "assumptions": "; ".join(link.assumptions),
            "risks": "; ".join(link.risks),
            "items": len(gathered[(link.src, link.dst)]),
            "strength": _strength(gathered[(link.src, link.dst)], model),
            "evidenced": bool(gathered[(link.src, link.dst)]),
        }
        for link in model.links
    ]
    routes = [
        {"src": src, "dst": dst, "step": step, "x": float(column), "y": y}
        for (src, dst), points in layout.routes.items()
        for step, (column, y) in enumerate(points)
    ]
    return {
        "nodes": typed_frame("nodes", nodes),
        "links": typed_frame("links", links),
        "routes": typed_frame("routes", routes),
    }


def evidence_frame(model: ContributionModel, *, audience: str) -> pd.DataFrame:
    """List the evidence; of what the audience may not read, only its weight and what it bears on."""
    parties = {source.id: source.party for source in model.sources}
    names = {source.id: source.label or source.id for source in model.sources}
    rows: list[dict[str, object]] = []
    hidden = 0
    for item in model.evidence:
        s, e = (item.s_lo + item.s_hi) / 2, (item.e_lo + item.e_hi) / 2
        printed = may_print(item, model, audience)
        hidden += not printed
        readable = {
            "id": item.id,
            "statement": item.statement,
            "party": parties.get(item.source, ""),
            "source": names.get(item.source, item.source),
            "date": item.date or "",
            "rationale": item.rationale,
        }
        if not printed:
            readable = dict.fromkeys(readable, WITHHELD) | {"id": f"{WITHHELD} {hidden}"}
        rows.append(
            {
                "hypothesis": " ".join(item.hypotheses),
                "observed": OBSERVED_WORDS[item.observed],
                "test": str(evidence_test(s, e)),
                "s": s,
                "s_low": item.s_lo,
                "s_high": item.s_hi,
                "e": e,
                "e_low": item.e_lo,
                "e_high": item.e_hi,
                "likelihood_ratio": float(likelihood_ratio(s, e, observed=item.observed)),
                "printed": printed,
                **readable,
            }
        )
    return typed_frame("evidence", rows)


def rival_rows(claim: Belief, indicator: str, rivals: Sequence[Rival]) -> list[dict[str, object]]:
    """Make a row for each rival of one claim; an unexamined one has no numbers."""
    rows: list[dict[str, object]] = []
    for rival in rivals:
        row: dict[str, object] = {
            "hypothesis": claim.hypothesis.id,
            "indicator": indicator,
            "id": rival.id,
            "label": rival.label,
            "statement": rival.statement,
            "rival_type": rival.rival_type,
            "examined": "yes" if rival.examined else "no",
            "together": rival.together,
            "finding": rival.finding,
        }
        if rival.belief is not None and rival.examined:
            value = rival.belief.posterior.value
            row |= {
                "prior": rival.belief.prior,
                "posterior": value.point,
                "low": value.low,
                "high": value.high,
            }
        rows.append(row)
    return rows


def measured_rows(case_id: str, indicator: str, tests: Sequence[RivalTest]) -> list[dict[str, object]]:
    """Make a row for each rival measured beside the change of one claim."""
    return [
        {
            "hypothesis": case_id,
            "indicator": indicator,
            "label": RIVAL_LABELS[test.rival_type],
            "sentence": test.sentence,
            **{name: getattr(test, name) for name in _TEST_FIELDS},
        }
        for test in tests
    ]


_TEST_FIELDS = (
    "rival_type", "measure", "estimate", "conf_low", "conf_high", "change", "unit", "reading", "source",
)  # fmt: skip


def belief_rows(
    model: ContributionModel, indicators: Mapping[str, Indicator], draws: Mapping[str, Floats]
) -> list[dict[str, object]]:
    """Make a row for each hypothesis, main ones first.

    Parameters
    ----------
    indicators : id of a claim -> its indicator
    draws : id of a hypothesis -> its posterior in each draw
    """
    rows: list[dict[str, object]] = []
    for hypothesis in sorted(model.hypotheses, key=lambda item: item.kind != "main"):
        belief = belief_in(hypothesis, model)
        value = belief.posterior.value
        indicator = indicators.get(hypothesis.id)
        drawn_low, drawn_median, drawn_high = central_range(draws[hypothesis.id])
        rows.append(
            {
                "id": hypothesis.id,
                "label": hypothesis.statement,
                "statement": hypothesis.statement,
                "kind": hypothesis.kind,
                "indicator": indicator.id if indicator else hypothesis.indicator or "",
                "examined": bool(belief.sought) or (hypothesis.examined and bool(hypothesis.finding.strip())),
                "items": len(belief.sought),
                "prior": belief.prior,
                "prior_low": hypothesis.prior_lo,
                "prior_high": hypothesis.prior_hi,
                "posterior": value.point,
                "low": value.low,
                "high": value.high,
                "independent": belief.posterior.independent,
                "dependent": belief.posterior.dependent,
                "decibels": belief.posterior.decibels,
                "drawn_low": drawn_low,
                "drawn_median": drawn_median,
                "drawn_high": drawn_high,
            }
        )
    return rows


def _strength(items: Sequence[Evidence], model: ContributionModel) -> float:
    return float(decibels(point_log_ratio(evidence_items(items, model))))
