"""What a notebook shows: pictures with alt text, tables with captions, prose. All text from data is escaped.

A page is later made from exactly these outputs, so each is plain, semantic HTML or a PNG and looks
right in JupyterLab, on a web page, in Word and on paper.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from evalkit.charts.style import alt_text, figure_of, house_style

Bundle = tuple[dict[str, str], dict[str, Any]]


@dataclass(frozen=True)
class Picture:
    """A drawn chart as PNG (200 dots per inch) with its alt text and caption."""

    png: bytes
    alt: str
    caption: str = ""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Bundle:
        data = {"image/png": base64.b64encode(self.png).decode("ascii"), "text/plain": self.alt}
        return data, {"image/png": {"alt": self.alt, "caption": self.caption, "width": 720}}


@dataclass(frozen=True)
class Gallery:
    """Several pictures, shown one below the other."""

    pictures: tuple[Picture, ...]

    def _ipython_display_(self) -> None:
        from IPython.display import display

        for picture in self.pictures:
            display(picture)  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class Table:
    """A frame as a semantic HTML table; an empty one says so in words."""

    frame: pd.DataFrame
    caption: str = ""
    note: str = ""
    empty: str = "Nothing to show."

    def _repr_html_(self) -> str:
        if self.frame.empty:
            return f"<p><em>{escape(self.empty)}</em></p>"
        numeric = [_reads_as_number(self.frame[column]) for column in self.frame.columns]
        sides = ["right" if is_number else "left" for is_number in numeric]
        head = "".join(
            f'<th scope="col" style="text-align:{side}">{escape(str(column))}</th>'
            for column, side in zip(self.frame.columns, sides, strict=True)
        )
        body = "".join(
            "<tr>"
            + "".join(
                f'<td style="text-align:{side}">{escape(_cell(value))}</td>'
                for value, side in zip(row, sides, strict=True)
            )
            + "</tr>"
            for row in self.frame.itertuples(index=False, name=None)
        )
        caption = f"<caption>{escape(self.caption)}</caption>" if self.caption else ""
        note = f'<p class="table-note"><small>{escape(self.note)}</small></p>' if self.note else ""
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{note}"

    def __repr__(self) -> str:
        return self.empty if self.frame.empty else f"{self.caption}\n{self.frame.to_string(index=False)}"


@dataclass(frozen=True)
class Prose:
    """Plain sentences; each paragraph is escaped, so text from data can never become markup."""

    paragraphs: tuple[str, ...]
    kind: str = "p"

    def _repr_html_(self) -> str:
        if self.kind == "list":
            return "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in self.paragraphs) + "</ul>"
        return "".join(f"<p>{escape(text)}</p>" for text in self.paragraphs)

    def __repr__(self) -> str:
        return "\n\n".join(self.paragraphs)


def show(ax: Axes, *, caption: str = "") -> Picture:
    """Turn drawn axes into what a notebook displays: the picture, its alt text and its caption."""
    buffer = io.BytesIO()
    with house_style():
        figure_of(ax).savefig(buffer, format="png", dpi=200, metadata={"Software": None})
    return Picture(buffer.getvalue(), alt_text(ax), caption)


def table(
    frame: pd.DataFrame,
    columns: Mapping[str, str] | None = None,
    *,
    caption: str = "",
    note: str = "",
    empty: str = "Nothing to show.",
) -> Table:
    """Choose and rename columns for a reader; `columns` maps a frame's column to its heading."""
    chosen = frame if columns is None else frame[list(columns)].rename(columns=dict(columns))
    return Table(chosen, caption, note, empty)


def prose(text: str | Sequence[str]) -> Prose:
    """Show one paragraph or several."""
    return Prose((text,) if isinstance(text, str) else tuple(text))


def bullets(texts: Sequence[str]) -> Prose:
    """Show a list with a bullet for each text."""
    return Prose(tuple(texts), "list")


def _cell(value: Any) -> str:
    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return "–"
    if isinstance(value, float):
        return f"{value:,.0f}" if value == round(value) else f"{value:,.2f}".replace("-", "−")
    return str(value)


def _reads_as_number(column: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(column))
