"""The data dictionary: ten results, their indicators in every numbering, the ways a population is split."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from evalkit.documents import Declared, Document, ModelT, build, read_document, suggestion
from evalkit.errors import ParameterError, raise_together
from evalkit.periods import check_period, period_text

Frequency = Literal["school_year", "year", "quarter", "month"]
Population = Literal["resident", "target_school", "served"]
PeriodText = Annotated[str, BeforeValidator(period_text), AfterValidator(check_period)]
Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=60)]

TOTAL_DIMENSION = "all"
TOTAL_SUBGROUP = "All"
CROSSING = "*"  # joins the parts of a crossed dimension or subgroup: "race_ethnicity*income"


class Result(Declared):
    """A population result: what is wanted for all children of a place."""

    result: int
    label: str
    plain: str = ""


class MilestoneKind(Declared):
    """A kind of qualitative, dated entry."""

    id: Id
    label: str
    plain: str = ""


class Break(Declared):
    """From this period on the definition or the test is another; no series may cross it silently."""

    period: PeriodText
    reason: str


class Indicator(Declared):
    """What is measured, of whom, and which way is better.

    `per` turns the proportion numerator/denominator into the unit: 100 for percent.
    `may_exceed_one` allows a numerator above its denominator (mobility counts moves, not children).
    """

    id: Id
    label: str
    short_label: str
    result: int | None = None
    numbering: dict[str, str] = {}
    kind: Literal["rate", "mean"] = "rate"
    numerator: str = ""
    denominator: str = ""
    unit: str = "percent"
    per: float = 100.0
    favourable: Literal["higher", "lower"]
    generation: Literal["child", "caregiver", "family"]
    population: Population
    frequency: Frequency
    source_kind: str = ""
    dimensions: tuple[str, ...] = ()
    may_exceed_one: bool = False
    breaks: tuple[Break, ...] = ()
    notes: str = ""

    @property
    def scale(self) -> float:
        """What a stored proportion (or mean, then 1) is multiplied by for a reader."""
        return self.per if self.kind == "rate" else 1.0

    @property
    def difference_unit(self) -> str:
        """Unit of a difference between two values of this indicator."""
        return "percentage points" if self.unit == "percent" else self.unit

    @model_validator(mode="after")
    def _counts_in_words(self) -> "Indicator":
        if self.kind == "rate" and not (self.numerator and self.denominator):
            raise ValueError(f"{self.id} is a rate; say its numerator and its denominator in words")
        return self


class Subgroup(Declared):
    """One part of a population."""

    id: str
    label: str


class Dimension(Declared):
    """A way the population is split; `ordered` says that its subgroups run from less to more advantaged."""

    id: str
    label: str
    ordered: bool = False
    subgroups: tuple[Subgroup, ...]


class _Results(Declared):
    results: tuple[Result, ...]
    milestones: tuple[MilestoneKind, ...] = ()


class _Indicators(Declared):
    indicators: tuple[Indicator, ...]


class _Dimensions(Declared):
    dimensions: tuple[Dimension, ...]


class DataDictionary(Declared):
    """Everything declared in data_dictionary/, by id."""

    results: Mapping[int, Result]
    indicators: Mapping[str, Indicator]
    dimensions: Mapping[str, Dimension]
    milestones: Mapping[str, MilestoneKind] = {}

    def indicator(self, indicator_id: str) -> Indicator:
        """Return the indicator of this id.

        Raises
        ------
        ParameterError : the dictionary does not know it; the nearest id is offered.
        """
        if indicator_id not in self.indicators:
            hint = suggestion(indicator_id, self.indicators)
            raise ParameterError(
                f"unknown indicator {indicator_id!r}; " + (hint or "add it to data_dictionary/indicators.yml")
            )
        return self.indicators[indicator_id]

    def subgroup_problem(self, dimension: str, subgroup: str) -> str:
        """Say what is wrong with a dimension and subgroup, or "" where both are known."""
        if dimension == TOTAL_DIMENSION:
            is_total = subgroup == TOTAL_SUBGROUP
            return "" if is_total else f"subgroup of dimension 'all' is {subgroup!r}; write 'All'"
        parts, names = dimension.split(CROSSING), subgroup.split(CROSSING)
        for part in parts:
            if part not in self.dimensions:
                hint = suggestion(part, self.dimensions)
                return f"unknown dimension {part!r}; {hint or 'add it to data_dictionary/dimensions.yml'}"
        if len(parts) != len(names):
            return f"subgroup {subgroup!r} does not have the {len(parts)} parts of dimension {dimension!r}"
        for part, name in zip(parts, names, strict=True):
            known_names = [item.id for item in self.dimensions[part].subgroups]
            if name not in known_names:
                hint = suggestion(name, known_names)
                mend = hint or "add it to data_dictionary/dimensions.yml"
                return f"unknown subgroup {name!r} of {part}; {mend}"
        return ""


def read_dictionary(folder: Path | None = None) -> DataDictionary:
    """Read results.yml, indicators.yml and dimensions.yml.

    Parameters
    ----------
    folder : the folder that holds them; by default data_dictionary/ of the workspace you are in

    Raises
    ------
    ParameterError : a file is absent or wrong; every problem of the three files, with file and line.
    """
    home = folder if folder is not None else _find_home()
    problems: list[str] = []
    results = _read_part(_Results, home / "results.yml", problems)
    indicators = _read_part(_Indicators, home / "indicators.yml", problems)
    dimensions = _read_part(_Dimensions, home / "dimensions.yml", problems)
    if results is None or indicators is None or dimensions is None or problems:
        raise ParameterError(*problems)
    dictionary = DataDictionary(
        results=MappingProxyType({item.result: item for item in results.results}),
        indicators=MappingProxyType({item.id: item for item in indicators.indicators}),
        dimensions=MappingProxyType({item.id: item for item in dimensions.dimensions}),
        milestones=MappingProxyType({item.id: item for item in results.milestones}),
    )
    raise_together(ParameterError, _dangling(dictionary))
    return dictionary


def _read_part(model: type[ModelT], path: Path, problems: list[str]) -> ModelT | None:
    try:
        document = read_document(path)
        problems.extend(_repeated(document, path.stem))
        return build(model, document)
    except ParameterError as error:
        problems.extend(error.problems)
        return None


def _dangling(dictionary: DataDictionary) -> Iterator[str]:
    for item in dictionary.indicators.values():
        if item.result is not None and item.result not in dictionary.results:
            yield f"indicators.yml: {item.id} is under result {item.result}, which results.yml does not have"
        for dimension in item.dimensions:
            if any(part not in dictionary.dimensions for part in dimension.split(CROSSING)):
                yield f"indicators.yml: {item.id} is split by {dimension!r}; add it to dimensions.yml"


def _repeated(document: Document, name: str) -> Iterator[str]:
    first: dict[str, int] = {}
    items = document.values.get(name)
    for index, item in enumerate(items if isinstance(items, list) else []):
        key = str(item.get("id", item.get("result", ""))) if isinstance(item, dict) else ""
        line = document.lines.get((name, index), 1)
        if key and key in first:
            yield document.problem(
                (name, index), f"{key!r} is declared a second time (first on line {first[key]}); remove one"
            )
        first.setdefault(key, line)


def _find_home() -> Path:
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "data_dictionary" / "indicators.yml").is_file():
            return folder / "data_dictionary"
    raise ParameterError(
        "no data_dictionary/ in this folder or above it; run inside a workspace (see `evalkit init`)"
    )
