"""What people declare about a network and its sites, in the words of the field: parameters/<network>/."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from evalkit.agreements import AUDIENCES, Audience, DataAgreement
from evalkit.contribution_model import (
    ContributionModel,
    DateText,
    EntryScore,
    Evidence,
    EvidenceSource,
    Hypothesis,
    JointReach,
    Link,
    Measure,
    MeasuredValue,
    Node,
    PartnerClaim,
    Probability,
    Reach,
    RivalType,
    SolutionKind,
)
from evalkit.dictionary import DataDictionary, Id, PeriodText, Population
from evalkit.documents import Declared, Document, Location, build, read_document, suggestion
from evalkit.errors import ParameterError, raise_together
from evalkit.sources import Source

__all__ = [
    "AUDIENCES",
    "MINIMUM_CELL",
    "Agreement",
    "Audience",
    "Baseline",
    "Comparison",
    "ContributionModel",
    "DataAgreement",
    "DateText",
    "Decision",
    "EntryScore",
    "Evidence",
    "EvidenceSource",
    "Gateway",
    "Hypothesis",
    "JointReach",
    "KeyDriver",
    "Link",
    "Measure",
    "MeasuredValue",
    "Milestone",
    "Network",
    "Node",
    "Partner",
    "PartnerClaim",
    "Probability",
    "PublishedFigure",
    "Reach",
    "RivalType",
    "Role",
    "Site",
    "Solution",
    "SolutionKind",
    "Stage",
    "Target",
    "Unit",
    "read_network",
]

Stage = Literal[
    "planning", "early_implementation", "full_implementation", "reaching_scale", "sustaining_results"
]
Gateway = Literal["exploring", "emerging", "sustaining", "systems_change", "proof_point"]
MINIMUM_CELL = 10  # persons; cells of 1 to 9 are hidden (the usual rule of state education agencies)


class Unit(Declared):
    """A school, center or zone of a site; several ids where its code changed over the years."""

    unit_id: Id
    name: str
    ids: tuple[str, ...]
    note: str = ""


class Comparison(Declared):
    """Whom the site is compared with: the rest of its district, or named comparison sites in the data."""

    kind: Literal["district", "sites"]
    lea_id: str | None = None
    site_ids: tuple[str, ...] = ()
    note: str = ""

    @model_validator(mode="after")
    def _named(self) -> "Comparison":
        if self.kind == "district" and not self.lea_id:
            raise ValueError("a district comparison needs `lea_id`")
        if self.kind == "sites" and not self.site_ids:
            raise ValueError("a comparison with sites needs `site_ids`")
        return self


class Role(Declared):
    """Who does what in the partnership."""

    role: str
    who: str


class Agreement(Declared):
    """An MOU or contract between partners: its purpose and its dates; what data may go where is apart."""

    parties: tuple[str, ...]
    purpose: str
    start: DateText | None = None
    end: DateText | None = None


class KeyDriver(Declared):
    """Dated context, and a candidate rival explanation."""

    date: DateText
    driver: Literal["financing", "racial_equity", "policy", "best_practices", "capacity"]
    text: str
    source: str = ""


class Milestone(Declared):
    """A qualitative, dated, sourced entry."""

    date: DateText
    kind: Id
    text: str
    source: str


class Decision(Declared):
    """What was decided because of the data, by whom, and what happened next."""

    date: DateText
    by: str
    decision: str
    because: str
    then: str = ""


class Solution(Declared):
    """What a partner does, for which indicators, since when."""

    solution_id: Id
    name: str
    kind: SolutionKind
    indicators: tuple[Id, ...] = ()
    start: PeriodText | None = None
    note: str = ""


class Partner(Declared):
    """An organisation chosen for an indicator, with the measures of its performance contract."""

    partner_id: Id
    name: str
    solutions: tuple[Solution, ...] = ()
    measures: tuple[Measure, ...] = ()

    @model_validator(mode="after")
    def _measures_its_own(self) -> "Partner":
        own = {solution.solution_id for solution in self.solutions}
        for measure in self.measures:
            if measure.solution is not None and measure.solution not in own:
                hint = suggestion(measure.solution, own) or "name a solution of this partner"
                raise ValueError(
                    f"measure {measure.measure_id!r} names the solution {measure.solution!r}, which this "
                    f"partner does not have; {hint}"
                )
        return self


class Target(Declared):
    """Where an indicator is meant to be in a period, in the indicator's unit (percent)."""

    indicator: Id
    period: PeriodText
    value: float
    source: str = ""


class Baseline(Declared):
    """The period that later ones are measured against."""

    indicator: Id
    period: PeriodText


class PublishedFigure(Declared):
    """A figure the initiative itself has published, quoted with its source."""

    indicator: Id
    period: PeriodText
    value: float
    source: str
    subgroup: str = "All"


class Site(Declared):
    """One neighborhood: place, partners, what they aim at, and how its data are found."""

    site_id: Id
    name: str
    place: str = ""
    initiative: str = ""
    lead_agency: str = ""
    about: str = ""
    stage: Stage | None = None
    gateway: Gateway | None = None
    start: PeriodText | None = None
    start_note: str = ""
    population: Population | None = None
    headline: tuple[Id, ...] = ()
    units: tuple[Unit, ...] = ()
    comparison: Comparison | None = None
    reference: dict[str, str] = {}
    partnership: tuple[Role, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    data_agreements: tuple[DataAgreement, ...] = ()
    key_drivers: tuple[KeyDriver, ...] = ()
    family_priorities: tuple[str, ...] = ()
    milestones: tuple[Milestone, ...] = ()
    decisions: tuple[Decision, ...] = ()
    partners: tuple[Partner, ...] = ()
    targets: tuple[Target, ...] = ()
    baselines: tuple[Baseline, ...] = ()
    published_figures: tuple[PublishedFigure, ...] = ()
    sources: tuple[Source, ...] = ()
    audiences: tuple[Audience, ...] = ("internal", "partners", "public")
    contribution: ContributionModel | None = None
    notes: str = ""

    def references(self, network: "Network") -> dict[str, str]:
        """Return dimension -> reference subgroup: the network's, with the site's own in their place."""
        return {**network.reference, **self.reference}

    def solution_starts(self, indicator: str) -> list[tuple[str, str]]:
        """List (name, start) of the solutions that aim at an indicator and say when they began."""
        return sorted(
            (
                (solution.name, solution.start)
                for partner in self.partners
                for solution in partner.solutions
                if indicator in solution.indicators and solution.start
            ),
            key=lambda pair: pair[1],
        )

    def baseline(self, indicator: str) -> str | None:
        """Return the baseline period of an indicator, where one is declared."""
        return next((item.period for item in self.baselines if item.indicator == indicator), None)

    def target(self, indicator: str) -> Target | None:
        """Return the latest target of an indicator, where one is declared."""
        targets = [item for item in self.targets if item.indicator == indicator]
        return max(targets, key=lambda item: item.period, default=None)


class _NetworkFile(Declared):
    network_id: Id
    name: str
    about: str = ""
    synthetic: bool = False
    minimum_cell: int = Field(default=MINIMUM_CELL, ge=1)
    reference: dict[str, str] = {}
    sources: tuple[Source, ...] = ()
    data_agreements: tuple[DataAgreement, ...] = ()
    cite: str = ""


class Network(_NetworkFile):
    """A family of sites that learn together, read from parameters/<network>/."""

    sites: Mapping[str, Site]

    def site(self, site_id: str) -> Site:
        """Return the site of this id.

        Raises
        ------
        ParameterError : the network has no such site; the nearest id is offered.
        """
        if site_id not in self.sites:
            hint = suggestion(site_id, self.sites)
            raise ParameterError(
                f"network {self.network_id} has no site {site_id!r}" + (f"; {hint}" if hint else "")
            )
        return self.sites[site_id]


def read_network(folder: Path, *, dictionary: DataDictionary | None = None) -> Network:
    """Read network.yml and every file of sites/.

    Parameters
    ----------
    folder : parameters/<network>
    dictionary : where given, every indicator, dimension and milestone kind named must be in it

    Raises
    ------
    ParameterError : every problem of every file, each with file, line, key and the mend.
    """
    if not (folder / "network.yml").is_file():
        known = sorted(path.parent.name for path in folder.parent.glob("*/network.yml"))
        hint = suggestion(folder.name, known)
        raise ParameterError(
            f"unknown network {folder.name!r}"
            + (f"; {hint}" if hint else "; add parameters/<network>/network.yml")
        )
    problems: list[str] = []
    document = read_document(folder / "network.yml")
    network: _NetworkFile | None = None
    try:
        network = build(_NetworkFile, document)
        if network.network_id != folder.name:
            problems.append(
                document.problem(
                    ("network_id",),
                    f"`network_id` is {network.network_id!r} but its folder is {folder.name!r}; rename one",
                )
            )
        if dictionary is not None:
            problems.extend(_unknown_references(document, network.reference, dictionary))
            problems.extend(_unknown_ids(document, dictionary))
        problems.extend(_unknown_sources(document, network.data_agreements, network.sources))
    except ParameterError as error:
        problems.extend(error.problems)
    sites: dict[str, Site] = {}
    paths = sorted((folder / "sites").glob("*.yml"))
    if not paths:
        problems.append(f"{folder.name}: no site files; add {folder.name}/sites/<site_id>.yml")
    for path in paths:
        try:
            site_document = read_document(path)
            site = build(Site, site_document)
        except ParameterError as error:
            problems.extend(error.problems)
            continue
        if site.site_id != path.stem:
            problems.append(
                site_document.problem(
                    ("site_id",),
                    f"`site_id` is {site.site_id!r} but the file is {path.name}; rename one",
                )
            )
        shared = network.sources if network is not None else ()
        problems.extend(_unknown_sources(site_document, site.data_agreements, (*shared, *site.sources)))
        if dictionary is not None:
            problems.extend(_unknown_ids(site_document, dictionary))
            problems.extend(_unknown_references(site_document, site.reference, dictionary))
        sites[site.site_id] = site
    raise_together(ParameterError, problems)
    assert network is not None
    return Network(**dict(network), sites=sites)


def _unknown_references(
    document: Document, reference: Mapping[str, str], dictionary: DataDictionary
) -> Iterator[str]:
    for dimension, subgroup in reference.items():
        problem = dictionary.subgroup_problem(dimension, subgroup)
        if problem:
            yield document.problem(("reference", dimension), problem)


def _unknown_sources(
    document: Document, agreements: tuple[DataAgreement, ...], sources: tuple[Source, ...]
) -> Iterator[str]:
    known = [source.source_id for source in sources]
    for index, item in enumerate(agreements):
        if item.source not in known:
            hint = suggestion(item.source, known) or "declare it under `sources`"
            yield document.problem(
                ("data_agreements", index, "source"), f"unknown source {item.source!r}; {hint}"
            )


def _unknown_ids(document: Document, dictionary: DataDictionary) -> Iterator[str]:
    def check(location: Location, indicator: object, known: Mapping[str, object], what: str) -> Iterator[str]:
        if isinstance(indicator, str) and indicator not in known:
            hint = suggestion(indicator, known)
            yield document.problem(
                location, f"unknown {what} {indicator!r}; {hint or 'add it to data_dictionary/'}"
            )

    for location, key, value in _walk(document.values, ()):
        if key in {"indicators", "headline"} and isinstance(value, list):
            for index, item in enumerate(value):
                yield from check((*location, index), item, dictionary.indicators, "indicator")
        elif key == "indicator":
            yield from check(location, value, dictionary.indicators, "indicator")
        elif key == "kind" and location[0] == "milestones":
            yield from check(location, value, dictionary.milestones, "kind of milestone")


def _walk(value: object, location: Location) -> Iterator[tuple[Location, str, object]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield (*location, key), key, item
            yield from _walk(item, (*location, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, (*location, index))
