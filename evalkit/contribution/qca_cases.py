"""The cases of a comparison across sites: what each site did for each indicator, and how its curve moved."""

from collections.abc import Mapping

import pandas as pd

from evalkit.contribution.observed import observed_change
from evalkit.contribution.qca import METHOD, qualitative_comparison
from evalkit.contribution.qca_tables import calibrate
from evalkit.dictionary import DataDictionary
from evalkit.errors import DesignError
from evalkit.results import Result, tidy_frame
from evalkit.sites import Site

# Standard errors by which an indicator stands better than its projected baseline: out, crossover, in.
IMPROVED_ANCHORS = (0.0, 1.0, 2.0)
CONDITIONS = {
    "family": ("family",),
    "program": ("program",),
    "policy_or_system": ("policy", "system"),
}


def site_cases(
    sites: Mapping[str, Site],
    results: Mapping[str, Mapping[str, Result]],
    *,
    dictionary: DataDictionary,
    conf_level: float = 0.95,
) -> pd.DataFrame:
    """Make a case of every site and indicator whose change against the projected baseline is known.

    Parameters
    ----------
    results : site -> method -> saved result

    Returns
    -------
    A row per case, named "site: indicator", for `qualitative_comparison`. `family`, `program` and
    `policy_or_system` are crisp: a solution of the kind aims at the indicator and began in time. `improved`
    is fuzzy: how far the indicator stood better than its projected baseline, in standard errors (0 out, 1
    crossover, 2 in). Sites chose their solutions, so what is found is an association.
    """
    rows = {}
    for site_id, site in sites.items():
        methods = results.get(site_id, {})
        for indicator_id in _measured(methods):
            if indicator_id not in dictionary.indicators:
                continue
            change = observed_change(
                methods, indicator_id, site_id=site_id, start=site.start, conf_level=conf_level
            )
            if change.reason or not change.std_error > 0:
                continue
            indicator = dictionary.indicator(indicator_id)
            sign = 1 if indicator.favourable == "higher" else -1
            exclusion, crossover, inclusion = IMPROVED_ANCHORS
            improved = calibrate(
                sign * change.estimate / change.std_error,
                exclusion=exclusion,
                crossover=crossover,
                inclusion=inclusion,
            )
            kinds = {
                solution.kind
                for partner in site.partners
                for solution in partner.solutions
                if indicator_id in solution.indicators
                and (solution.start or "")[:4] <= (change.last_period or "9999")[:4]
            }
            rows[f"{site_id}: {indicator.short_label}"] = {
                **{name: float(bool(kinds & set(those))) for name, those in CONDITIONS.items()},
                "improved": float(improved),
            }
    columns = [*CONDITIONS, "improved"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).astype("float64")


def combinations_across_sites(
    sites: Mapping[str, Site],
    results: Mapping[str, Mapping[str, Result]],
    *,
    dictionary: DataDictionary,
) -> Result:
    """Ask which mixes of solutions go with a better curve across sites, or say why that cannot be told.

    Parameters
    ----------
    results : site -> method -> saved result

    Returns
    -------
    Result of method "qca" as `qualitative_comparison` gives it, over the cases of `site_cases`. Where the
    cases do not allow it, a row and a sentence with the reason, and an empty `truth_table`.
    """
    cases = site_cases(sites, results, dictionary=dictionary)
    try:
        return qualitative_comparison(cases, outcome="improved", conditions=list(CONDITIONS))
    except DesignError as error:
        return Result(
            method=METHOD,
            title="Which combinations go with improved?",
            design={"outcome": "improved", "conditions": list(CONDITIONS), "cases": len(cases)},
            tidy=tidy_frame([{"method": METHOD, "term": "consistency", "unit": "share", "note": str(error)}]),
            frames={"truth_table": pd.DataFrame(columns=[*CONDITIONS, "OUT", "n", "incl", "PRI"])},
            narrative=(f"Which mix of solutions goes with a better curve cannot be told: {error}.",),
        )


def _measured(methods: Mapping[str, Result]) -> list[str]:
    found: dict[str, None] = {}
    for method in ("interrupted_time_series", "turn_the_curve"):
        if method in methods:
            found |= dict.fromkeys(methods[method].tidy["indicator"].astype(str))
    return list(found)
