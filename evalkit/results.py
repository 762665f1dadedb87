"""The contract between methods and all that follows: one result, tidy frames, files to read back."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from evalkit.charts import draw
from evalkit.charts.display import Gallery, Table, show
from evalkit.errors import DataError

TIDY_COLUMNS = (
    "method",
    "indicator",
    "site_id",
    "unit_id",
    "population",
    "dimension",
    "subgroup",
    "period",
    "term",
    "estimate",
    "std_error",
    "conf_low",
    "conf_high",
    "p_value",
    "unit",
    "n",
    "note",
)
ROWS_SHOWN = 100  # of a result on a page; more make it slow to open, and nobody reads them there
NUMBER_COLUMNS = ("estimate", "std_error", "conf_low", "conf_high", "p_value", "n")
BREAKS = re.compile(r"[\r\n\t]+")
# What a spreadsheet runs: a sign, narrow or full-width, after nothing but blanks, quotes and unseen letters.
FORMULA = re.compile(r"[\s'\"\x00-\x1f\x7f\u200b-\u200f\u2060\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]")


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a method found; complete when it exists, the same when read back from its files.

    Attributes
    ----------
    method : its name, e.g. "turn_the_curve"; also the name of its chart
    title : the question answered, for a heading
    design : what was asked for, as plain JSON values (no clock, no path)
    tidy : a row per estimate, with the columns of `TIDY_COLUMNS`; an estimate that could not be made is a
        row with NaN and the reason in `note`. Rates are in percent, their differences in percentage points.
    glance : a row per fit
    augment : a row per period or cell, as the chart needs it
    frames : further named frames, e.g. the nodes and links of a theory of change
    narrative : the findings in plain words, a paragraph each
    """

    method: str
    title: str
    design: Mapping[str, Any]
    tidy: pd.DataFrame
    glance: pd.DataFrame = field(default_factory=pd.DataFrame)
    augment: pd.DataFrame = field(default_factory=pd.DataFrame)
    frames: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    narrative: tuple[str, ...] = ()

    def summary(self) -> str:
        """Say what was found in plain words, with the interval beside every number."""
        return "\n\n".join(self.narrative)

    def plot(self, ax: Axes | None = None, *, chart: str = "", **choice: Any) -> Axes:
        """Draw the method's chart.

        Parameters
        ----------
        chart : a further chart of the method, e.g. "evidence" of a contribution; "" for its own
        choice : what to draw, e.g. `indicator="graduation_rate"`
        """
        return draw(self.method, self.all_frames(), ax, chart=chart, **choice)

    def pictures(self, indicators: Sequence[str] = (), *, caption: str = "") -> Gallery:
        """Draw the chart of each indicator that has something to draw, in the order given.

        Parameters
        ----------
        indicators : ids in the order wanted; every indicator of the result by default
        caption : the words below each picture
        """
        drawn = list(self.augment["indicator"].unique()) if "indicator" in self.augment else []
        chosen = [name for name in (indicators or drawn) if name in drawn]
        return Gallery(tuple(show(self.plot(indicator=name), caption=caption) for name in chosen))

    def all_frames(self) -> dict[str, pd.DataFrame]:
        """Return every frame by its name."""
        return {"tidy": self.tidy, "glance": self.glance, "augment": self.augment, **self.frames}

    def _repr_html_(self) -> str:
        shown = self.tidy.drop(columns=["method", "site_id", "n"], errors="ignore")
        shown = shown.loc[:, shown.notna().any() & (shown != "").any()]
        note = (
            f"The first {ROWS_SHOWN} of {len(shown):,} estimates. All are in the CSV file of a published "
            "page, and in tidy of the result."
        )
        return Table(
            shown.head(ROWS_SHOWN), self.title, note if len(shown) > ROWS_SHOWN else ""
        )._repr_html_()

    def __repr__(self) -> str:
        return f"{self.title}\n\n{self.summary()}"


def tidy_frame(rows: Sequence[Mapping[str, Any]] | pd.DataFrame) -> pd.DataFrame:
    """Lay rows out in the columns of `TIDY_COLUMNS`; absent text is "", absent numbers are NaN.

    Raises
    ------
    ValueError : a row has a column that the contract does not know.
    """
    frame = pd.DataFrame(rows) if not isinstance(rows, pd.DataFrame) else rows.copy()
    unknown = sorted(set(frame.columns) - set(TIDY_COLUMNS))
    if unknown:
        raise ValueError(f"not a column of a tidy result: {', '.join(unknown)}")
    frame = frame.reindex(columns=list(TIDY_COLUMNS))
    for column in TIDY_COLUMNS:
        if column in NUMBER_COLUMNS:
            frame[column] = frame[column].astype("float64")
        else:
            frame[column] = (
                frame[column].map(lambda value: "" if _is_absent(value) else str(value)).astype("str")
            )
    return frame.reset_index(drop=True)


def save_result(result: Result, folder: Path, *, inputs: Mapping[str, str]) -> Path:
    """Write a result as parquet + csv for each frame and one small json.

    Parameters
    ----------
    folder : made where it is absent; every file is `<method>.<frame>.<ending>`
    inputs : name of each input and the hash of its content; "" for a hash that its readers may not hold

    Returns
    -------
    The path of the json, which is written last: where it stands, the rest stands.
    """
    from evalkit import __version__

    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in result.all_frames().items():
        frame.to_parquet(folder / f"{result.method}.{name}.parquet", index=False)
        _neutralised(frame).to_csv(folder / f"{result.method}.{name}.csv", index=False, lineterminator="\n")
    record = {
        "method": result.method,
        "title": result.title,
        "design": dict(result.design),
        "frames": sorted(result.all_frames()),
        "narrative": list(result.narrative),
        "evalkit": __version__,
        "inputs": dict(sorted(inputs.items())),
    }
    path = folder / f"{result.method}.json"
    path.write_text(
        json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
    )
    return path


def read_result(folder: Path, method: str) -> Result:
    """Read back what `save_result` wrote.

    Raises
    ------
    DataError : there is no such result in the folder; the message names the run that makes it.
    """
    path = folder / f"{method}.json"
    if not path.is_file():
        raise DataError(f"{folder.parent.name}: no saved result {method!r}; run `evalkit run` first")
    record = json.loads(path.read_text(encoding="utf-8"))
    frames = {name: pd.read_parquet(folder / f"{method}.{name}.parquet") for name in record["frames"]}
    return Result(
        method=method,
        title=record["title"],
        design=record["design"],
        tidy=frames.pop("tidy"),
        glance=frames.pop("glance"),
        augment=frames.pop("augment"),
        frames=frames,
        narrative=tuple(record["narrative"]),
    )


def _is_absent(value: Any) -> bool:
    return value is None or (not isinstance(value, str) and bool(pd.isna(value)))


def _neutralised(frame: pd.DataFrame) -> pd.DataFrame:
    """Make text and headings safe for a spreadsheet: on one line, and none that it would run as a formula."""
    safe = frame.copy()
    for column in safe.columns:
        if not pd.api.types.is_numeric_dtype(safe[column]):
            safe[column] = safe[column].map(_as_text)
    return safe.rename(columns=_as_text)


def _as_text(value: Any) -> Any:
    """Fold breaks and tabs of a text into blanks, and put an apostrophe before a formula."""
    if not isinstance(value, str):
        return value
    line = BREAKS.sub(" ", value)
    return f"'{line}" if FORMULA.match(line) else line
