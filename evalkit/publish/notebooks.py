"""An executed notebook becomes a page: its prose and what it shows, never its code.

A cell tagged `keep-text` shows its plain text output as it is; of all others plain text is left out.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from evalkit.errors import PublishError
from evalkit.publish.pages import Page, figure, html_block

TITLE = re.compile(r"^#[ \t]+(.+?)[ \t#]*$", re.MULTILINE)


@dataclass
class _Harvest:
    """What has been read of a notebook so far."""

    name: str
    title: str = ""
    pictures: dict[str, bytes] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)


def read_page(path: Path, *, name: str) -> Page:
    """Read an executed notebook as a page.

    Parameters
    ----------
    path : the notebook, as a run left it
    name : the stem of the page's files

    Returns
    -------
    The page: Markdown cells as they stand, pictures as figures with caption and alt text, HTML outputs as raw
    HTML blocks. Code, messages on stderr and plain text are left out.

    Raises
    ------
    PublishError : the notebook is absent, is no notebook, holds an error or a code cell that did not run,
        shows a picture without alt text, or has no title. One sentence says which and where.
    """
    where = _place(path)
    harvest = _Harvest(name)
    parts = [
        part.strip()
        for number, cell in enumerate(_cells(path, where), start=1)
        for part in _cell(cell, number, harvest, where)
    ]
    if not harvest.title:
        raise PublishError(f"{where}: has no title; begin its first Markdown cell with a line '# Title'")
    return Page(
        name=name,
        title=harvest.title,
        body="\n\n".join(part for part in parts if part) + "\n",
        pictures=harvest.pictures,
        dropped=tuple(harvest.dropped),
    )


def _cells(path: Path, where: str) -> list[dict[str, Any]]:
    if not path.is_file():
        raise PublishError(f"{where}: there is no such executed notebook; run `evalkit run` first")
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
        cells = notebook["cells"]
    except _NotANumber as error:
        raise PublishError(
            f"{where}: holds {error} as a number, which no other program reads; show a dash instead"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise PublishError(f"{where}: is not a Jupyter notebook; run `evalkit run --force` again") from None
    return list(cells)


class _NotANumber(ValueError):
    """JSON that holds NaN or Infinity."""


def _refuse_constant(constant: str) -> NoReturn:
    raise _NotANumber(constant)


def _cell(cell: Mapping[str, Any], number: int, harvest: _Harvest, where: str) -> Iterator[str]:
    source = _text(cell.get("source", ""))
    if cell.get("cell_type") == "markdown":
        yield _prose(source, harvest)
    elif cell.get("cell_type") == "code" and source.strip():
        outputs = cell.get("outputs", [])
        for output in outputs:
            if output.get("output_type") == "error":
                what = output.get("ename", "error")
                raise PublishError(f"{where}: cell {number} ended with {what}; mend it and run it again")
        if cell.get("execution_count") is None:
            raise PublishError(f"{where}: cell {number} was never run; run the notebook to its end")
        keep_text = "keep-text" in cell.get("metadata", {}).get("tags", ())
        for place, output in enumerate(outputs, start=1):
            yield from _output(output, f"{number}-{place}", keep_text, harvest, where)


def _prose(source: str, harvest: _Harvest) -> str:
    """Take the notebook's title out of its first heading."""
    if harvest.title or not (found := TITLE.search(source)):
        return source
    harvest.title = re.sub(r"[*_`]", "", found.group(1)).strip()
    return source[: found.start()] + source[found.end() :]


def _output(
    output: Mapping[str, Any], place: str, keep_text: bool, harvest: _Harvest, where: str
) -> Iterator[str]:
    kind = output.get("output_type")
    if kind == "stream":
        if output.get("name") == "stdout" and keep_text:
            yield _verbatim(_text(output.get("text", "")))
        return
    data = output.get("data", {})
    if "image/png" in data:
        yield _picture(output, place, harvest, where)
    elif "text/html" in data:
        yield html_block(_text(data["text/html"]))
    elif "text/plain" in data and keep_text:
        yield _verbatim(_text(data["text/plain"]))
    elif strange := sorted(set(data) - {"text/plain"}):
        harvest.dropped.append(f"{where}: output {place} is {strange[0]}, which a page does not show")


def _picture(output: Mapping[str, Any], place: str, harvest: _Harvest, where: str) -> str:
    about = output.get("metadata", {}).get("image/png", {})
    alt = " ".join(str(about.get("alt", "")).split())
    if not alt:
        raise PublishError(
            f"{where}: the picture of output {place} has no alt text; show it with evalkit.show"
        )
    try:
        picture = base64.b64decode(_text(output["data"]["image/png"]))
    except binascii.Error:
        raise PublishError(
            f"{where}: the picture of output {place} is broken; run the notebook again"
        ) from None
    name = f"{harvest.name}-{place}.png"
    harvest.pictures[name] = picture
    return html_block(figure(name, alt=alt, caption=str(about.get("caption", ""))))


def _verbatim(text: str) -> str:
    """Show text as it is, in a block that nothing in it can end."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text.rstrip()}\n{fence}\n"


def _text(value: Any) -> str:
    """Join what notebooks keep as a list of lines."""
    return "".join(value) if isinstance(value, list) else str(value)


def _place(path: Path) -> str:
    """Name a notebook as a person knows it: its site and its file."""
    return f"{path.parent.parent.name}/{path.name}"
