"""What one claim adds to the tidy estimates, to the glance at all claims, and to the ceilings."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from evalkit.contribution.case import Case
from evalkit.contribution.claim import PLAUSIBLE_FROM
from evalkit.contribution.draws import Floats, central_range
from evalkit.contribution.pathway import grade
from evalkit.dictionary import TOTAL_DIMENSION, TOTAL_SUBGROUP
from evalkit.sites import Site

METHOD = "contribution"


def tidy_rows(site: Site, case: Case, draws: Mapping[str, Floats]) -> list[dict[str, object]]:
    """Make the tidy rows of one claim; `draws` holds the posterior of each hypothesis in every draw."""
    about = f"about {case.belief.hypothesis.id}"
    common: dict[str, object] = {
        "method": METHOD,
        "indicator": case.indicator.id,
        "site_id": site.site_id,
        "unit_id": "all",
        "population": case.indicator.population,
        "dimension": TOTAL_DIMENSION,
        "subgroup": TOTAL_SUBGROUP,
        "period": case.change.last_period,
        "note": about,
    }

    def row(
        term: str, estimate: float, unit: str, low: float = math.nan, high: float = math.nan, **more: Any
    ) -> dict[str, object]:
        values = {"term": term, "estimate": estimate, "conf_low": low, "conf_high": high, "unit": unit}
        return common | values | more

    drawn_low, drawn_median, drawn_high = central_range(draws[case.belief.hypothesis.id])
    hypothesis, posterior, change = case.belief.hypothesis, case.belief.posterior, case.change
    unit = case.indicator.difference_unit
    rows = [
        row(
            "observed_change",
            change.estimate,
            unit,
            change.conf_low,
            change.conf_high,
            std_error=change.std_error,
            note=change.reason or f"{change.term} of {change.method}",
        ),
        row("prior", case.belief.prior, "probability", hypothesis.prior_lo, hypothesis.prior_hi),
        row(
            "posterior",
            posterior.value.point,
            "probability",
            posterior.value.low,
            posterior.value.high,
            n=len(case.belief.sought),
        ),
        row("posterior_independent", posterior.independent, "probability"),
        row("posterior_dependent", posterior.dependent, "probability"),
        row("posterior_drawn", drawn_median, "probability", drawn_low, drawn_high),
    ]
    ceiling, per = case.ceiling, case.indicator.per
    if ceiling is None:
        rows += [
            row(term, math.nan, "share" if term == "share" else unit, note=case.no_ceiling)
            for term in ("ceiling", "share", "effect_needed", "headroom")
        ]
    else:
        no_effect = (
            {"note": "no study of the effect has been supplied"} if math.isnan(ceiling.ceiling) else {}
        )
        no_share: dict[str, Any] = (
            {} if ceiling.has_share else no_effect or {"note": "no share can be estimated"}
        )
        rows += [
            row(
                "ceiling",
                per * ceiling.ceiling,
                unit,
                per * ceiling.low,
                per * ceiling.high,
                std_error=per * ceiling.std_error,
                **no_effect,
            ),
            row("share", ceiling.share, "share", ceiling.share_low, ceiling.share_high, **no_share),
            row("effect_needed", per * ceiling.effect_needed, unit),
            row("headroom", per * ceiling.headroom, unit),
        ]
    return [*rows, row("claim", math.nan, "", note=case.claim.claim_class)]


def glance_row(case: Case, draws: Mapping[str, Floats]) -> dict[str, object]:
    """Make the row of one claim at a glance.

    `drawn_plausible` is the share of draws in which the weakest part of the pathway reaches the probability
    that a plausible claim needs.
    """
    value = case.belief.posterior.value
    weakest = np.minimum.reduce([draws[name] for name in case.chain.ids])
    return {
        "hypothesis": case.belief.hypothesis.id,
        "statement": case.statement,
        "indicator": case.indicator.id,
        "class": case.claim.claim_class,
        "grade": grade(case.chain.low),
        "reason": case.claim.reason,
        "posterior": value.point,
        "posterior_low": value.low,
        "posterior_high": value.high,
        "weakest": case.chain.confidence.weakest,
        "guaranteed": case.chain.confidence.guaranteed,
        "product": case.chain.confidence.product,
        "items": len(case.belief.sought),
        "withheld": case.withheld,
        "independent_sources": case.independent,
        "rivals_examined": sum(rival.examined for rival in case.rivals),
        "rivals_unexamined": sum(not rival.examined for rival in case.rivals),
        "wording": " ".join(case.wording),
        "drawn_plausible": float((weakest >= PLAUSIBLE_FROM).mean()),
    }


def ceiling_row(case: Case) -> dict[str, object]:
    """Make the row of one claim with a count of the people reached: what these could account for."""
    ceiling, reached, per = case.ceiling, case.reached, case.indicator.per
    assert reached is not None
    sign = 1 if case.indicator.favourable == "higher" else -1
    low, high = sorted((sign * case.change.conf_low, sign * case.change.conf_high))
    row: dict[str, object] = {
        "hypothesis": case.belief.hypothesis.id,
        "indicator": case.indicator.id,
        "label": case.indicator.short_label,
        "unit": case.indicator.difference_unit,
        "observed": sign * case.change.estimate,
        "observed_low": low,
        "observed_high": high,
        "effect_source": reached.effect_source,
        "sentence": case.sentence,
    }
    if ceiling is None:
        return row
    return row | {
        "ceiling": per * ceiling.ceiling,
        "ceiling_low": per * ceiling.low,
        "ceiling_high": per * ceiling.high,
        "share": ceiling.share,
        "share_low": ceiling.share_low,
        "share_high": ceiling.share_high,
        "effect_needed": per * ceiling.effect_needed,
        "headroom": per * ceiling.headroom,
        "reach_low": reached.bounds[0],
        "reach_high": reached.bounds[1],
        "dose": reached.dose,
    }
