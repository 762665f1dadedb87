"""Attribution words in what people have written about a site, and in what the methods wrote about it."""

from collections.abc import Iterator, Mapping

from evalkit.contribution.attribution import attribution_findings
from evalkit.contribution.claim import CLASSES
from evalkit.contribution.theory import Problem
from evalkit.documents import Location
from evalkit.parameters import Network
from evalkit.results import Result
from evalkit.sites import Site

UNASSESSED = "not yet assessed"


def lint_network(
    network: Network, classes: Mapping[str, Mapping[str, str]] | None = None
) -> dict[str, list[Problem]]:
    """Find the words that claim attribution in what the site files say about the work.

    A text about the site as a whole may use such words only where every claim of the site is in the top
    class; the statement of a claim only where that claim is. Evidence, rivals and key drivers are left alone:
    they tell what somebody said, or what else may lie behind a change.

    Parameters
    ----------
    classes : site -> claim -> class, from the saved contribution results; without them nothing is in the top
        class yet

    Returns
    -------
    site -> its problems, each with its place in the site's file; sites without one are left out.
    """
    found = {}
    for site_id, site in network.sites.items():
        problems = lint_site(site, (classes or {}).get(site_id, {}))
        if problems:
            found[site_id] = problems
    return found


def lint_site(site: Site, classes: Mapping[str, str]) -> list[Problem]:
    """Do for one site what `lint_network` does for all; `classes` maps each claim to its class."""
    whole = lowest_class(classes)
    return [
        Problem(location, f"`{_key(location)}`: {finding.sentence}")
        for location, text, claim_class in _texts(site, classes, whole)
        for finding in attribution_findings(text, claim_class)
    ]


def lint_results(results: Mapping[str, Result]) -> list[str]:
    """Find the words that claim attribution in the narratives of a site's saved results.

    Returns
    -------
    One sentence per finding, with the method and the number of its paragraph.
    """
    glance = results["contribution"].glance if "contribution" in results else None
    known = (
        {}
        if glance is None or "hypothesis" not in glance
        else dict(zip(glance["hypothesis"].astype(str), glance["class"].astype(str), strict=True))
    )
    whole = lowest_class(known)
    return [
        f"{method}, paragraph {number}: {finding.sentence}"
        for method, result in sorted(results.items())
        for number, paragraph in enumerate(result.narrative, start=1)
        for finding in attribution_findings(paragraph, whole)
    ]


def lowest_class(classes: Mapping[str, str]) -> str:
    """Return the class of the claim that says least: what holds for a text about all of them."""
    known = [name for name in classes.values() if name in CLASSES]
    if len(known) < len(classes) or not known:
        return UNASSESSED
    return min(known, key=CLASSES.index)


def _texts(site: Site, classes: Mapping[str, str], whole: str) -> Iterator[tuple[Location, str, str]]:
    for key in ("about", "start_note", "notes"):
        yield (key,), getattr(site, key), whole
    for place, milestone in enumerate(site.milestones):
        yield ("milestones", place, "text"), milestone.text, whole
    for place, decision in enumerate(site.decisions):
        for key in ("decision", "because", "then"):
            yield ("decisions", place, key), getattr(decision, key), whole
    for place, partner in enumerate(site.partners):
        for position, solution in enumerate(partner.solutions):
            yield ("partners", place, "solutions", position, "note"), solution.note, whole
        for position, measure in enumerate(partner.measures):
            yield ("partners", place, "measures", position, "label"), measure.label, whole
            yield ("partners", place, "measures", position, "note"), measure.note, whole
    if site.contribution is not None:
        for place, hypothesis in enumerate(site.contribution.hypotheses):
            if hypothesis.kind == "main":
                own = classes.get(hypothesis.id, UNASSESSED)
                yield ("contribution", "hypotheses", place, "statement"), hypothesis.statement, own


def _key(location: Location) -> str:
    return str([part for part in location if isinstance(part, str)][-1])
