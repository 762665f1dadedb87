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
            f'<th scope="col" style="text-align:{side}">{escape(_heading(column))}</th>'
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
    """Plain sentences; each paragraph is escaped, so text from data can never become markup.

    Attributes
    ----------
    leads : words set in bold before the paragraph of the same place; "" for none
    kind : "p" for paragraphs, "list" for bullets, "finding" for the box at the top of a page
    """

    paragraphs: tuple[str, ...]
    kind: str = "p"
    leads: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        leads = self.leads or ("",) * len(self.paragraphs)
        inner = [
            (f"<strong>{escape(lead)}</strong> " if lead else "") + escape(text)
            for lead, text in zip(leads, self.paragraphs, strict=True)
        ]
        if self.kind == "list":
            return "<ul>" + "".join(f"<li>{text}</li>" for text in inner) + "</ul>"
        body = "".join(f"<p>{text}</p>" for text in inner)
        return f'<div class="finding">{body}</div>' if self.kind == "finding" else body

    def __repr__(self) -> str:
        leads = self.leads or ("",) * len(self.paragraphs)
        return "\n\n".join(
            f"{lead} {text}".strip() for lead, text in zip(leads, self.paragraphs, strict=True)
        )


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


def prose(text: str | Sequence[str], *, leads: Sequence[str] = ()) -> Prose:
    """Show one paragraph or several, each with its lead in bold where leads are given."""
    return Prose((text,) if isinstance(text, str) else tuple(text), leads=tuple(leads))


def finding(text: str | Sequence[str]) -> Prose:
    """Show the finding in the box at the top of a page."""
    return Prose((text,) if isinstance(text, str) else tuple(text), "finding")


def bullets(texts: Sequence[str]) -> Prose:
    """Show a list with a bullet for each text."""
    return Prose(tuple(texts), "list")


def _heading(column: Any) -> str:
    text = str(column).replace("_", " ")
    return text[:1].upper() + text[1:]


def _cell(value: Any) -> str:
    if value is None or value == "" or (not isinstance(value, str) and pd.isna(value)):
        return "–"
    if isinstance(value, float):
        return f"{value:,.0f}" if value == round(value) else f"{value:,.2f}".replace("-", "−")
    return str(value)


def _reads_as_number(column: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(column))
