"""What each partner could account for of one indicator's change, and whether their claims fit together."""

import math
from collections.abc import Sequence

from evalkit.contribution.ceiling import Exposure
from evalkit.contribution.exposure import reached_by, too_few
from evalkit.contribution.observed import ObservedChange
from evalkit.contribution.shapley import MOST_PARTNERS, coalition_values, over_claim, shapley_split
from evalkit.contribution_model import ContributionModel
from evalkit.dictionary import Indicator
from evalkit.sites import Site
from evalkit.wording import number


def partner_rows(
    site: Site, model: ContributionModel, indicator: Indicator, change: ObservedChange, *, fewest: int = 1
) -> list[dict[str, object]]:
    """Make a row for each partner with a count of persons served, or a claim, on this indicator.

    `alone` is what its own solutions could account for, `share` its Shapley share of what all could account
    for together, in the unit of the change, improvement positive; `claimed` is what it says itself, or
    `alone` where it says nothing. Without a stated effect, or where a count is, or leaves, fewer than
    `fewest` persons, the numbers are NaN; `note` says so of the latter.
    """
    reached = reached_by(
        None, model, indicator, start=site.start, last_period=change.last_period, fewest=fewest
    )
    hidden = reached is not None and reached.hidden
    exposures: dict[str, list[Exposure]] = {}
    owner = _owners(site, model)
    if reached is not None:
        for solution, exposure in zip(reached.solutions, reached.exposures, strict=True):
            exposures.setdefault(owner.get(solution, solution), []).append(exposure)
    known = {
        name: items for name, items in exposures.items() if not any(math.isnan(item.effect) for item in items)
    }
    lacking = reached.lacking(change) if reached is not None else math.nan
    alone: dict[str, float] = {}
    shares: dict[str, float] = {}
    if known and len(known) <= MOST_PARTNERS and not hidden:
        values = coalition_values(known, lacking=lacking)
        alone = {name: values[frozenset([name])] for name in known}
        shares = shapley_split(values)
    stated = {item.partner: item for item in model.partner_claims if item.indicator == indicator.id}
    rows: list[dict[str, object]] = []
    for name in sorted({*exposures, *stated}):
        own = indicator.per * alone.get(name, math.nan)
        rows.append(
            {
                "indicator": indicator.id,
                "label": indicator.short_label,
                "partner": name,
                "name": _names(site, model).get(name, name),
                "alone": own,
                "share": indicator.per * shares.get(name, math.nan),
                "claimed": stated[name].value if name in stated else own,
                "claim_source": stated[name].source if name in stated else "",
                "unit": indicator.difference_unit,
                "note": too_few(fewest) if hidden else "",
            }
        )
    return rows


def partners_sentence(rows: Sequence[dict[str, object]], indicator: Indicator, change: ObservedChange) -> str:
    """Say how the partners share what they could account for, with the alarm where they claim too much."""
    split = [row for row in rows if not math.isnan(_number(row["share"]))]
    unit = "points" if indicator.difference_unit == "percentage points" else indicator.difference_unit
    note = str(rows[0]["note"]) if rows else ""
    told = f"{note.capitalize()}, so what each partner could account for is not shown." if note else ""
    if len(split) > 1:
        parts = "; ".join(f"{row['name']} {number(_number(row['share']))}" for row in split)
        together = math.fsum(_number(row["share"]) for row in split)
        told = (
            f"Of the {number(together)} {unit} that all partners together could account for, each would be "
            f"given, over every order of joining: {parts}."
        )
    if change.reason:
        return told
    sign = 1 if indicator.favourable == "higher" else -1
    most = max(sign * change.conf_low, sign * change.conf_high)
    claims = over_claim(
        {str(row["partner"]): _number(row["claimed"]) for row in rows}, change_high=max(most, 0.0)
    )
    if not claims.alarm:
        return told
    alarm = (
        f"Alarm: what partners claim adds up to {number(claims.claimed)} {unit}, more than the "
        f"{number(claims.most)} by which the indicator improved at the very most; "
        "some of them count the same change."
    )
    return f"{told} {alarm}".strip()


def _owners(site: Site, model: ContributionModel) -> dict[str, str]:
    """Map each solution to its partner: the site's list of partners, else the theory's links."""
    kinds = {node.id: node.kind for node in model.nodes}
    linked = {link.dst: link.src for link in model.links if kinds.get(link.src) == "partner"}
    listed = {
        solution.solution_id: partner.partner_id
        for partner in site.partners
        for solution in partner.solutions
    }
    return {**linked, **listed}


def _names(site: Site, model: ContributionModel) -> dict[str, str]:
    labels = {node.id: node.label for node in model.nodes}
    return {**labels, **{partner.partner_id: partner.name for partner in site.partners}}


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan
