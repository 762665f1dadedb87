"""What people declare about contribution: theory of change, evidence, reach, and what partners measure."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from evalkit.dictionary import Id, PeriodText
from evalkit.documents import Declared
from evalkit.periods import period_text
from evalkit.sources import DataPath

DateText = Annotated[str, BeforeValidator(period_text)]
Probability = Annotated[float, Field(ge=0, le=1)]
# Classes of a claim of contribution, from the weakest to the strongest.
CLAIM_CLASSES = (
    "not assessable",
    "no change to explain",
    "too small",
    "not supported",
    "possible",
    "plausible",
    "supported",
    "strongly supported",
)
SolutionKind = Literal["family", "program", "policy", "system"]
RivalType = Literal[
    "direct",
    "commingled",
    "implementation",
    "composition",
    "definition_or_roster",
    "regional_trend",
    "regression_to_mean",
    "chance",
]


class Node(Declared):
    """A box of the theory of change."""

    id: Id
    kind: Literal["partner", "solution", "output", "outcome", "indicator"]
    label: str
    solution_type: SolutionKind | None = None
    indicator: Id | None = None


class Link(Declared):
    """A causal link: how and under which assumptions one thing is thought to bring about the next."""

    src: Id
    dst: Id
    mechanism: str = ""
    assumptions: tuple[str, ...] = ()
    risks: tuple[str, ...] = ()
    lag_min: int | None = None
    lag_max: int | None = None


class Hypothesis(Declared):
    """A statement about what contributed, or a rival to it, with its prior range."""

    id: Id
    statement: str
    kind: Literal["main", "rival"] = "main"
    rival_type: RivalType | None = None
    indicator: Id | None = None
    pathway: tuple[Id, ...] = ()
    prior_lo: Probability = 0.4
    prior_hi: Probability = 0.6
    examined: bool = False
    finding: str = ""


class Evidence(Declared):
    """One item of evidence; s is its probability if the hypothesis is true, e if it is false.

    An item may cite a saved estimate instead, e.g. `estimate: its:chronic_absence:level_change`; whether it
    was seen, and its s and e, then follow from the estimate and its interval.
    """

    id: Id
    hypotheses: tuple[Id, ...]
    statement: str
    estimate: str = ""
    observed: Literal["yes", "no", "not_sought"]
    kind: Literal["trace", "account", "pattern", "sequence"] = "trace"
    s_lo: Probability
    s_hi: Probability
    e_lo: Probability
    e_hi: Probability
    rationale: str
    source: Id
    date: DateText | None = None
    confidentiality: Literal["public", "partner", "restricted"] = "public"
    cluster: str = ""

    @model_validator(mode="before")
    @classmethod
    def _left_to_the_estimate(cls, values: Any) -> Any:
        """Take an item that cites an estimate for one not yet sought, until the estimate is read."""
        if isinstance(values, dict) and values.get("estimate"):
            return {
                "observed": "not_sought",
                **dict.fromkeys(("s_lo", "s_hi", "e_lo", "e_hi"), 0.5),
                **values,
            }
        return values


class EvidenceSource(Declared):
    """Where evidence comes from; `party` decides how far items are independent of one another."""

    id: Id
    label: str = ""
    party: Literal["independent", "partner", "funder", "resident"]
    type: str = ""
    consent: bool = True


class Reach(Declared):
    """How many of an indicator's denominator a solution served, at which mean fraction of the full dose.

    `effect` is a proportion (15 percentage points are 0.15), its improvement at full dose: positive is
    better, also where a lower indicator is better. `effect_lo` to `effect_hi` is its 95 % range.
    """

    solution: Id
    indicator: Id
    period: PeriodText
    served: int = Field(ge=0)
    population: int = Field(gt=0)
    dose: Probability = 1.0
    effect: float | None = None
    effect_lo: float | None = None
    effect_hi: float | None = None
    effect_source: str = ""


class JointReach(Declared):
    """How many of an indicator's denominator any of its solutions served, each person counted once."""

    indicator: Id
    period: PeriodText
    served: int = Field(ge=0)
    population: int = Field(gt=0)
    source: str = ""


class EntryScore(Declared):
    """Where those served stood when they entered and later, and where everybody stood, on one test.

    `reliability` is the correlation of the test with itself, in (0, 1]; scores are in the test's own unit.
    """

    solution: Id
    indicator: Id
    entry_mean: float
    later_mean: float
    population_mean: float
    reliability: float = Field(gt=0, le=1)
    source: str = ""


class PartnerClaim(Declared):
    """How far a partner says that it moved an indicator, in the indicator's unit; positive is better."""

    partner: Id
    indicator: Id
    value: float
    source: str = ""


class ContributionModel(Declared):
    """Theory of change, hypotheses, evidence, sources and reach of one site."""

    question: str
    nodes: tuple[Node, ...] = ()
    links: tuple[Link, ...] = ()
    hypotheses: tuple[Hypothesis, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    evidence_file: DataPath = ""
    sources: tuple[EvidenceSource, ...] = ()
    reach: tuple[Reach, ...] = ()
    reach_together: tuple[JointReach, ...] = ()
    entry_scores: tuple[EntryScore, ...] = ()
    partner_claims: tuple[PartnerClaim, ...] = ()


class MeasuredValue(Declared):
    """What a performance measure came to in a period: a count, or persons out of those it is about."""

    period: PeriodText
    count: int = Field(ge=0)
    of: int | None = Field(default=None, gt=0)
    target: float | None = None

    @model_validator(mode="after")
    def _part_of_whole(self) -> "MeasuredValue":
        if self.of is not None and self.count > self.of:
            raise ValueError(f"{self.count} persons are more than the {self.of} they are counted of")
        return self


class Measure(Declared):
    """A measure of a partner's own performance: how much it did, how well, and is anyone better off.

    `target` is in the number counted, or in percent where the values say of how many; a value may have one
    of its own. `contract` names the agreement that sets it. `counts` says what is counted: persons, of whom
    small numbers are hidden, or anything else.
    """

    measure_id: Id
    label: str
    question: Literal["how_much", "how_well", "better_off"]
    solution: Id | None = None
    favourable: Literal["higher", "lower"] = "higher"
    counts: Literal["persons", "services"] = "persons"
    target: float | None = None
    contract: str = ""
    values: tuple[MeasuredValue, ...] = ()
    note: str = ""
