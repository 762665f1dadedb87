"""Time the two heavy parts of contribution analysis: `python -m tests.benchmarks.contribution`.

Prints seconds, best of several runs, and their share of the second that each may take. Nothing is asserted:
clocks of shared machines tell little.
"""

import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from evalkit.contribution import beliefs, contribution_analysis
from evalkit.contribution.draws import DRAWS, draw_posteriors
from evalkit.contribution.evidence import EvidenceItem, update
from evalkit.contribution.qca import qualitative_comparison
from evalkit.contribution_model import ContributionModel
from evalkit.dictionary import read_dictionary
from evalkit.errors import DesignError
from evalkit.results import Result, tidy_frame
from evalkit.sites import Site

SECONDS_ALLOWED = 1.0
RUNS = 5
ITEMS, HYPOTHESES = 200, 40
CLAIMS = 4
CASES, CONDITIONS = 60, 8


def evidence_log(rng: np.random.Generator) -> list[EvidenceItem]:
    """Make items of twelve sources and four parties, a tenth of them not sought."""
    items = []
    for _ in range(ITEMS):
        low_s, low_e = rng.uniform(0.4, 0.8), rng.uniform(0.05, 0.4)
        source = int(rng.integers(12))
        items.append(
            EvidenceItem(
                (low_s, low_s + 0.15),
                (low_e, low_e + 0.15),
                rng.choice(["yes", "yes", "yes", "no", "not_sought"]),
                f"source {source}",
                f"party {source % 4}",
            )
        )
    return items


def memberships(rng: np.random.Generator) -> pd.DataFrame:
    """Make cases in which two conditions together, or a third alone, bring the outcome, with noise."""
    names = [f"C{place}" for place in range(CONDITIONS)]
    met = rng.uniform(size=(CASES, CONDITIONS))
    shown = np.maximum(np.minimum(met[:, 0], met[:, 1]), met[:, 2]) * 0.8 + rng.normal(0, 0.25, CASES)
    return pd.DataFrame(met, columns=names).assign(Y=np.clip(shown, 0, 1))


def whole_site(rng: np.random.Generator) -> tuple[Site, dict[str, Result]]:
    """Make a site of four claims and 36 rivals with 200 items, and the estimate its claims are about."""
    nodes = [{"id": f"n{place}", "kind": "output", "label": f"Step {place}"} for place in range(8)]
    nodes.append({"id": "end", "kind": "indicator", "label": "Absence", "indicator": "chronic_absence"})
    links = [{"src": f"n{place}", "dst": "end", "mechanism": "It helps"} for place in range(8)]
    hypotheses = [
        {"id": f"h{place}", "statement": f"Number {place}.", "pathway": [f"n{place}", "end"]}
        if place < CLAIMS
        else {"id": f"h{place}", "statement": "Another.", "kind": "rival", "rival_type": "direct"}
        for place in range(HYPOTHESES)
    ]
    evidence = [
        {
            "id": f"e{place}",
            "hypotheses": [f"h{number}" for number in rng.choice(HYPOTHESES, 3, replace=False)],
            "statement": "Seen.",
            "observed": item.observed,
            "s_lo": item.s[0],
            "s_hi": item.s[1],
            "e_lo": item.e[0],
            "e_hi": item.e[1],
            "rationale": "Because.",
            "source": item.source.replace(" ", "-"),
        }
        for place, item in enumerate(evidence_log(rng))
    ]
    sources = [{"id": f"source-{place}", "party": "independent"} for place in range(12)]
    model = ContributionModel.model_validate(
        {"question": "Did it?", "nodes": nodes, "links": links, "hypotheses": hypotheses}
        | {"evidence": evidence, "sources": sources}
    )
    row = {"indicator": "chronic_absence", "site_id": "oak", "term": "effect_average", "estimate": -8.0}
    method = "interrupted_time_series"
    tidy = tidy_frame([row | {"conf_low": -11.0, "conf_high": -5.0}])
    site = Site(site_id="oak", name="Oak", start="2019", contribution=model)
    return site, {method: Result(method=method, title="", design={}, tidy=tidy)}


def best(work: Callable[[], object]) -> float:
    """Return the shortest of several runs, in seconds."""
    spent = []
    for _ in range(RUNS):
        begin = time.perf_counter()
        work()
        spent.append(time.perf_counter() - begin)
    return min(spent)


def main() -> None:
    """Print a line per piece of work."""
    rng = np.random.default_rng(6)
    items = evidence_log(rng)
    priors = [(0.4, 0.6)] * HYPOTHESES
    each = [rng.choice(ITEMS, size=15, replace=False).tolist() for _ in range(HYPOTHESES)]
    every = [range(ITEMS)] * HYPOTHESES
    data = memberships(rng)
    names = [name for name in data.columns if name != "Y"]

    def compare() -> object:
        try:
            return qualitative_comparison(
                data, outcome="Y", conditions=names, expectations={"C0": "present"}, force=True
            )
        except DesignError as error:
            return print(error)

    site, results = whole_site(rng)
    dictionary = read_dictionary()

    def analyse() -> object:
        beliefs._weighed.cache_clear()  # as in a fresh process
        return contribution_analysis(site, results, audience="public", dictionary=dictionary)

    work: dict[str, Callable[[], object]] = {
        f"update {HYPOTHESES} hypotheses, each by all {ITEMS} items": lambda: [
            update(items, prior=prior) for prior in priors
        ],
        f"{DRAWS:,} draws, {ITEMS} items, {HYPOTHESES} hypotheses of 15 items": lambda: draw_posteriors(
            items, priors, each
        ),
        f"{DRAWS:,} draws, {ITEMS} items, {HYPOTHESES} hypotheses of all items": lambda: draw_posteriors(
            items, priors, every
        ),
        f"whole analysis of a site, {ITEMS} items, {HYPOTHESES} hypotheses, {DRAWS:,} draws": analyse,
        f"qualitative comparison, {CONDITIONS} conditions, {CASES} cases, three solutions": compare,
    }
    for words, task in work.items():
        seconds = best(task)
        print(f"{words}: {seconds:.3f} s, {seconds / SECONDS_ALLOWED:.2f} of the second allowed")


if __name__ == "__main__":
    main()
