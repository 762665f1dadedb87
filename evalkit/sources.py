"""Where indicators come from: a file or folder, and how somebody's columns become ours."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, model_validator

from evalkit.dictionary import Id, PeriodText
from evalkit.documents import Declared


def _inside(path: str) -> str:
    if Path(path).is_absolute() or any(part.startswith(".") for part in Path(path).parts):
        raise ValueError(
            f"{path!r} is outside the data folder, or hidden in it; put the file into the data folder and "
            "name it as it stands there"
        )
    return path


# Only files that stand in the data folder are looked at when evalkit tells whether a run is up to date.
DataPath = Annotated[str, AfterValidator(_inside)]


class WideColumns(Declared):
    """A table with a column for each period or each subgroup: their column name -> ours."""

    periods: dict[str, PeriodText] = {}
    subgroups: dict[str, str] = {}

    @model_validator(mode="after")
    def _one_way(self) -> "WideColumns":
        if bool(self.periods) == bool(self.subgroups):
            raise ValueError(
                "a wide table has a column for each period or for each subgroup; give exactly one of them"
            )
        return self


class ColumnMapping(Declared):
    """How the columns of somebody's file become ours.

    `columns` maps their column to ours, `constants` fills a column of ours, `values` replaces their words
    by ours in a column, `missing` and `suppressed` are the marks their cells use, `percent` says that
    their values, bounds and standard errors are in percent.
    """

    columns: dict[str, str] = {}
    constants: dict[str, str] = {}
    values: dict[str, dict[str, str]] = {}
    wide: WideColumns | None = None
    missing: tuple[str, ...] = ("", ".", "NA")
    suppressed: tuple[str, ...] = ("*", "PS")
    percent: bool = False


class Source(Declared):
    """A file or folder that indicators come from; `protected` where its publisher has already blurred it."""

    source_id: Id
    kind: Literal["simulation", "tidy", "edfacts_acgr"]
    label: str = ""
    path: DataPath = ""
    sheet: str | None = None
    mapping: ColumnMapping | None = None
    seed: int = 2026
    protected: bool = False
    note: str = ""
