"""What people declare about one site, in the words of the field: parameters/<network>/sites/<site_id>.yml."""

from typing import Annotated, Literal

from pydantic import AfterValidator, model_validator

from evalkit.agreements import Audience, DataAgreement
from evalkit.contribution_model import ContributionModel, DateText, Measure, SolutionKind
from evalkit.dictionary import Id, PeriodText, Population
from evalkit.documents import Declared, suggestion
from evalkit.sources import Source

Stage = Literal[
    "planning", "early_implementation", "full_implementation", "reaching_scale", "sustaining_results"
]
Gateway = Literal["exploring", "emerging", "sustaining", "systems_change", "proof_point"]

# Folders of outputs/<network>/<audience>/ that are not a site's, and pages of the website that are not.
RESERVED_FOLDERS = frozenset({"network", "site"})
RESERVED_PAGES = frozenset({"index", "comparison", "learning-review"})
# Windows opens a device under these names, whatever the ending ("Naming Files, Paths, and Namespaces").
DEVICES = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10))}
)


def reserved_site_id(site_id: str) -> str:
    """Say why a site cannot have this id although it is well formed, and the mend; "" where it can."""
    if site_id in RESERVED_FOLDERS | RESERVED_PAGES:
        kept = "a folder or page that evalkit makes itself"
    elif site_id in DEVICES:
        kept = "a device of Windows, where no file can bear it"
    else:
        return ""
    return f"{site_id!r} is the name of {kept}; choose another id, such as '{site_id}-site'"


def _free(site_id: str) -> str:
    reason = reserved_site_id(site_id)
    if reason:
        raise ValueError(reason)
    return site_id


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

    site_id: Annotated[Id, AfterValidator(_free)]
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
