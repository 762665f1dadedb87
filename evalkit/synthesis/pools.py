"""The rest of a district as a comparison: which schools may be pooled, and what hangs on the choice."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from evalkit.errors import DesignError
from evalkit.indicators import IndicatorTable
from evalkit.readers.bands import printed_percents
from evalkit.results import Result, tidy_frame
from evalkit.sites import Site
from evalkit.synthesis.pool_flags import flags_in_words, pool_flags
from evalkit.wording import listed, number, percent, points, signed

# rule -> its schools, for a reader
RULES = {
    "naive": "all schools that have a rate and a cohort in that year",
    "constant_ids": "the schools listed in every year",
    "constant_cohort": "the schools that have a rate and a cohort in every year",
}
USED = "constant_cohort"
TITLE = "What hangs on the choice of schools to compare with?"
BOUNDS = ("low", "high", "counts_low", "counts_high")
AUGMENT_COLUMNS = ["indicator", "rule", "label", "period", "schools", "n", *BOUNDS]
BLURRING_ONLY = "bounds from blurring only, no sampling error"


def comparison_pool(
    table: IndicatorTable | None, site: Site, *, endpoints: Sequence[str] | None = None
) -> Result:
    """Compare the change at a site with that in the rest of its district, by what the site's parameters say.

    See `rest_of_district`. The indicator is the first of the site's headline that the table holds, the
    baseline the declared one or the first period.

    Parameters
    ----------
    table : all schools of the district under its LEAID; None where the site is not compared with a district
    endpoints : by default the last two periods, because one alone may mislead

    Returns
    -------
    As `rest_of_district`; where the site is not compared with a district, a result without
    estimates that says so.
    """
    lea_id = site.comparison.lea_id if site.comparison else None
    if table is None or lea_id is None:
        return _no_district(site)
    present = table.indicators()
    indicator = next((name for name in site.headline if name in present), present[0])
    periods = sorted(table.where(indicator=indicator).frame["period"].unique())
    baseline = site.baseline(indicator) or periods[0]
    later = [period for period in periods if period > baseline]
    return rest_of_district(
        table,
        site_unit_ids=[code for unit in site.units for code in unit.ids],
        lea_id=lea_id,
        baseline=baseline,
        endpoints=list(endpoints) if endpoints is not None else later[-2:],
        indicator=indicator,
    )


def rest_of_district(
    table: IndicatorTable,
    *,
    site_unit_ids: Sequence[str],
    lea_id: str,
    baseline: str,
    endpoints: Sequence[str],
    indicator: str = "graduation_rate",
) -> Result:
    """Compare the change at a site's schools with that in the rest of their district, under three rules.

    `naive` pools, year by year, every other school with a rate and a cohort in that year. `constant_ids`
    first keeps the schools that are listed in every year, then does the same. `constant_cohort` keeps the
    schools that have a rate and a cohort in every year, and is the rule in use: a school listed with a rate
    and no cohort has no weight until it reports a cohort, and then moves the pool although nothing has
    changed.

    A school weighs by its cohort. `low` and `high` of a year are the sums of cohort × lowest and of cohort ×
    highest printed percent of each school's band, over the sum of cohorts: the printed percents at face
    value. `counts_low` and `counts_high` take instead the fewest and the most graduates that rounding leaves
    possible.

    difference-in-differences = (site at endpoint - site at baseline) - (rest at endpoint - rest at
    baseline). Its lowest value has every band at its worst for the site, its highest at its best. These are
    bounds from blurring and hold no sampling error; midpoints are labelled and for orientation only.

    Parameters
    ----------
    table : has the district's schools as units of site `lea_id`; the site's own may stand under any site_id
    site_unit_ids : the site's schools, with both ids of a school whose code changed
    baseline, endpoints : periods

    Returns
    -------
    `tidy`: pooled bounds by rule and period in percent, differences by rule and endpoint in
    percentage points, the rule after a colon in `term`. `glance`: a row per rule and endpoint. `augment`: a
    row per rule (and "site") and period. Further frame `flags`: what to look at, a row per finding.

    Raises
    ------
    DesignError : the table holds no school of the site, or none of the rest of the district.
    """
    own = list(site_unit_ids)
    listed_schools = _listed(table, indicator, own, lea_id)
    weighted = _weighted(listed_schools)
    periods = sorted(listed_schools["period"].unique())
    rest = weighted.loc[~weighted["unit_id"].isin(own)]
    members = _members(listed_schools.loc[~listed_schools["unit_id"].isin(own)], rest, len(periods))
    pools = {rule: _pooled(rest.loc[rest["unit_id"].isin(members[rule])], periods) for rule in RULES}
    site = _pooled(weighted.loc[weighted["unit_id"].isin(own)], periods)
    augment = pd.concat(
        [
            pool.assign(rule=rule, label=RULES.get(rule, "the site"))
            for rule, pool in {"site": site, **pools}.items()
        ],
        ignore_index=True,
    )
    glance = pd.DataFrame(
        [
            {"rule": rule, "label": RULES[rule], "schools": len(members[rule])}
            | _difference_in_differences(site, pools[rule], baseline, endpoint)
            for rule in RULES
            for endpoint in endpoints
        ]
    )
    flags = pool_flags(listed_schools, weighted, pools, site_unit_ids=own, pooled_unit_ids=members[USED])
    identity = {
        "method": "comparison_pool",
        "indicator": indicator,
        "site_id": lea_id,
        "unit_id": "+".join(own),
        "population": listed_schools["population"].iloc[0],
        "dimension": "all",
        "subgroup": "All",
    }
    return Result(
        method="comparison_pool",
        title=TITLE,
        design={
            "indicator": indicator,
            "site_unit_ids": own,
            "lea_id": lea_id,
            "baseline": baseline,
            "endpoints": list(endpoints),
            "rule_used": USED,
        },
        tidy=tidy_frame([identity | row for row in _tidy_rows(augment, glance)]),
        glance=glance,
        augment=augment.assign(indicator=indicator)[AUGMENT_COLUMNS],
        frames={"flags": flags},
        narrative=tuple(_narrative(glance, pools[USED], flags, members, baseline)),
    )


def _no_district(site: Site) -> Result:
    if site.comparison and site.comparison.site_ids:
        others = site.comparison.note.rstrip(".") or f"Compared with {listed(list(site.comparison.site_ids))}"
        note = f"{others}; the rest of a district is not part of the comparison"
    else:
        note = (
            f"{site.name} is not compared with the rest of a district; declare `comparison` with its `lea_id`"
        )
    row = {"method": "comparison_pool", "site_id": site.site_id, "term": "pooled_rate", "note": note}
    return Result(
        method="comparison_pool",
        title=TITLE,
        design={"rule_used": USED},
        tidy=tidy_frame([row]),
        augment=pd.DataFrame({name: [] for name in AUGMENT_COLUMNS}, dtype="str"),
        narrative=(f"{note}.",),
    )


def _listed(table: IndicatorTable, indicator: str, own: list[str], lea_id: str) -> pd.DataFrame:
    """Keep every row of the district's schools and of the site's, each school once."""
    frame = table.where(indicator=indicator).frame
    is_own = frame["unit_id"].isin(own)
    frame = frame.loc[(frame["site_id"].eq(lea_id) & frame["unit_id"].ne("all")) | is_own]
    frame = frame.drop_duplicates(["unit_id", "period", "dimension", "subgroup"])
    is_own = frame["unit_id"].isin(own)
    if not is_own.any():
        raise DesignError(
            f"{indicator}: no school {listed(own, 'or')} in the table; correct the ids of the units"
        )
    if is_own.all():
        raise DesignError(f"{indicator}: no other school of district {lea_id}; read the whole district")
    return frame


def _weighted(schools: pd.DataFrame) -> pd.DataFrame:
    """Keep the totals with a rate and a cohort; the bounds are persons, a row per school and period."""
    can_weigh = schools["status"].isin(["reported", "censored"]) & (schools["denominator"] > 0)
    totals = schools.loc[can_weigh & schools["dimension"].eq("all")]
    cohort, exact = totals["denominator"].to_numpy(), totals["status"].eq("reported").to_numpy()
    rate = totals["numerator"].to_numpy() / cohort
    lower, upper = (np.where(exact, rate, totals[name]) for name in ("lower", "upper"))
    low, high = printed_percents(cohort, lower, upper)
    return totals[["unit_id", "period", "denominator"]].assign(
        low=np.where(exact, totals["numerator"], cohort * low / 100),
        high=np.where(exact, totals["numerator"], cohort * high / 100),
        counts_low=(cohort * lower).round(),
        counts_high=(cohort * upper).round(),
    )


def _members(listed_schools: pd.DataFrame, weighted: pd.DataFrame, every: int) -> dict[str, list[str]]:
    years_listed = listed_schools.groupby("unit_id")["period"].nunique()
    years_weighted = weighted.groupby("unit_id")["period"].nunique()
    return {
        "naive": sorted(years_weighted.index),
        "constant_ids": sorted(years_listed.index[years_listed == every]),
        "constant_cohort": sorted(years_weighted.index[years_weighted == every]),
    }


def _pooled(schools: pd.DataFrame, periods: Sequence[str]) -> pd.DataFrame:
    """Pool the schools of each period, in percent; NaN where no school can be weighted."""
    grouped = schools.groupby("period")
    sums = grouped[["denominator", *BOUNDS]].sum().reindex(list(periods))
    percents = 100 * sums[list(BOUNDS)].div(sums["denominator"], axis=0)
    pooled: pd.DataFrame = percents.assign(
        schools=grouped["unit_id"].nunique().reindex(list(periods), fill_value=0), n=sums["denominator"]
    )
    return pooled.rename_axis("period").reset_index()


def _difference_in_differences(
    site: pd.DataFrame, rest: pd.DataFrame, baseline: str, endpoint: str
) -> dict[str, Any]:
    own, others = (pool.set_index("period").reindex([baseline, endpoint]) for pool in (site, rest))
    found: dict[str, Any] = {"baseline": baseline, "endpoint": endpoint}
    for prefix in ("", "counts_"):
        low, high = f"{prefix}low", f"{prefix}high"
        own_change = (
            own.loc[endpoint, low] - own.loc[baseline, high],
            own.loc[endpoint, high] - own.loc[baseline, low],
        )
        rest_change = (
            others.loc[endpoint, low] - others.loc[baseline, high],
            others.loc[endpoint, high] - others.loc[baseline, low],
        )
        lowest, highest = own_change[0] - rest_change[1], own_change[1] - rest_change[0]
        found |= {
            f"{prefix}lowest": lowest,
            f"{prefix}highest": highest,
            f"{prefix}midpoint": (lowest + highest) / 2,
        }
    schools = own["schools"].fillna(0).astype(int)
    note = ""
    if np.isnan(found["lowest"]):
        blank = [period for period in (baseline, endpoint) if np.isnan(own["n"] + others["n"])[period]]
        note = f"no school can be weighted in {listed(blank)}"
    elif schools[baseline] != schools[endpoint]:
        counts = f"{schools[baseline]} in {baseline} and {schools[endpoint]} in {endpoint}"
        note = f"the site's schools number {counts}"
    return found | {"n": float(own["n"].sum() + others["n"].sum()), "note": note}


def _tidy_rows(augment: pd.DataFrame, glance: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for row in augment.itertuples(index=False):
        for end, value in (("lowest", row.low), ("highest", row.high)):
            note = "no school can be weighted" if np.isnan(value) else f"{row.label}; schools: {row.schools}"
            term = f"pooled_rate_{end}:{row.rule}"
            yield {
                "period": row.period,
                "term": term,
                "estimate": value,
                "unit": "percent",
                "n": row.n,
                "note": note,
            }
    for row in glance.itertuples(index=False):
        for end in ("lowest", "highest", "midpoint", "counts_lowest", "counts_highest"):
            kind = "midpoint of the bounds, for orientation only" if end == "midpoint" else BLURRING_ONLY
            yield {
                "period": row.endpoint,
                "term": f"difference_in_differences_{end}:{row.rule}",
                "estimate": getattr(row, end),
                "unit": "percentage points",
                "n": row.n,
                "note": "; ".join(filter(None, [row.label, f"since {row.baseline}", kind, row.note])),
            }


def _narrative(
    glance: pd.DataFrame,
    pool: pd.DataFrame,
    flags: pd.DataFrame,
    members: Mapping[str, Sequence[str]],
    baseline: str,
) -> Iterator[str]:
    rates = pool.set_index("period")
    yield (
        f"Of the rest of the district evalkit pools only the {len(members[USED])} schools that have a rate"
        f" and a cohort in every year. {len(members['constant_ids'])} schools are listed in every year, and"
        f" {len(members['naive'])} have a rate and a cohort in at least one."
    )
    for endpoint, rows in glance.groupby("endpoint", sort=True):
        by_rule = rows.set_index("rule")
        if np.isnan(by_rule.loc[USED, "lowest"]):
            yield f"{baseline} to {endpoint}: cannot be told; {by_rule.loc[USED, 'note']}."
            continue
        there, here = (
            f"between {number(rates.loc[period, 'low'])} and {percent(rates.loc[period, 'high'], 1)}"
            for period in (baseline, endpoint)
        )
        used, naive, constant = (by_rule.loc[rule] for rule in (USED, "naive", "constant_ids"))
        yield (
            f"{baseline} to {endpoint}: these schools' pooled rate was {there}, then {here}. The site's"
            f" change less theirs is {_between(used.lowest, used.highest)} ({BLURRING_ONLY}). Reading each"
            " printed band as the numbers of graduates that rounding leaves possible, it is"
            f" {_between(used.counts_lowest, used.counts_highest)}."
        )
        yield (
            f"With {RULES['naive']} the answer for {endpoint} would be"
            f" {_between(naive.lowest, naive.highest)}, with {RULES['constant_ids']}"
            f" {_between(constant.lowest, constant.highest)}. The choice of schools alone"
            f" moves the midpoint, which is for orientation only, from {points(by_rule['midpoint'].min())} to"
            f" {points(by_rule['midpoint'].max())}."
        )
        if used.note:
            yield f"For {endpoint}, {used.note}."
    yield from flags_in_words(flags, RULES)


def _between(low: float, high: float) -> str:
    return f"between {signed(low)} and {points(high)}"
