"""What can be read in a written file: frames, rows of tables and passages of text, and what stands above."""

import base64
import binascii
import io
import json
import re
import struct
import threading
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd

SENTENCE_END = re.compile(r"(?<=[.;!?])\s+|\n+")
WORD_SPACE = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
# Captures the picture; of the attribute's value only its quotes are left.
DATA_PICTURE = re.compile(r"""=["']data:image/png;base64,([A-Za-z0-9+/=\s]*)(?=["'])""")
TABLE = re.compile(r"<table>(.*?)</table>", re.DOTALL)
TAG = re.compile(r"<([^>]*)>")
SIMPLE_TAG = re.compile(r"""/?(?:caption|thead|tbody|tr|th|td)(?: (?:class|style|scope)="[^"&]*")*""")
ONE_PDF = threading.Lock()  # PDFium serves one thread at a time
PNG_START = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of text that belongs together: a sentence.

    Attributes
    ----------
    text : the stretch itself
    around : what says what it is about: the caption, the heading above
    whole : the page or message that it was cut out of; only with its first stretch
    """

    text: str
    around: str = ""
    whole: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table: its cells, the headings of their columns, and the caption and headings above."""

    cells: tuple[str, ...]
    columns: tuple[str, ...] = ()
    above: str = ""

    def column(self, place: int) -> str:
        """Return the heading of the column in which the cell of this place stands; "" for none."""
        return self.columns[place] if place < len(self.columns) else ""


@dataclass
class Content:
    """Everything found in one file; `unread` says why a file could not be looked into."""

    frames: list[pd.DataFrame] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    passages: list[Passage] = field(default_factory=list)
    unread: str = ""


def read_content(path: Path) -> Content:
    """Read a file as its ending tells how; one of another ending is read as text where it is text."""
    content = Content()
    try:
        _READERS.get(path.suffix.lower(), _read_plain)(path.read_bytes(), content)
    except (ValueError, KeyError, OSError, zipfile.BadZipFile, ElementTree.ParseError, struct.error) as error:
        content.unread = f"cannot be read as {path.suffix or 'text'} ({type(error).__name__})"
    return content


def _add_text(text: str, content: Content, *, around: str = "") -> None:
    pieces = [piece.strip() for piece in SENTENCE_END.split(text) if piece.strip()]
    for position, piece in enumerate(pieces):
        content.passages.append(Passage(piece, around, text if position == 0 else ""))


def _read_plain(data: bytes, content: Content) -> None:
    if b"\x00" not in data[:4096]:
        _add_text(data.decode("utf-8", errors="replace"), content)


def _read_csv(data: bytes, content: Content) -> None:
    if data.strip():
        content.frames.append(pd.read_csv(io.BytesIO(data), dtype=str, keep_default_na=False))


def _read_parquet(data: bytes, content: Content) -> None:
    import pyarrow.parquet as pq

    table = pq.ParquetFile(io.BytesIO(data)).read(use_threads=False)
    content.frames.append(table.to_pandas(ignore_metadata=True))
    for value in (table.schema.metadata or {}).values():
        _add_text(value.decode("utf-8", errors="replace"), content)


def _read_html(data: bytes, content: Content) -> None:
    _add_html(data.decode("utf-8", errors="replace"), content)


def _add_html(text: str, content: Content) -> None:
    """Read a page; a table of nothing but text, which may hold thousands of cells, is read at once."""
    text = DATA_PICTURE.sub(lambda found: _take_picture(found, content), text)
    page = _Page(content)
    at = 0
    for table in TABLE.finditer(text):
        tokens = TAG.split(table.group(1))
        if all(map(SIMPLE_TAG.fullmatch, set(tokens[1::2]))):
            page.feed(text[at : table.start(1)])
            page.take_table(tokens)
            at = table.end(1)
    page.feed(text[at:])
    page.close()
    page.end_block()


def _take_picture(found: re.Match[str], content: Content) -> str:
    _add_png(found.group(1), content)
    return found.group()[:2]


class _Page(HTMLParser):
    """Collects tables cell by cell, other text block by block, attributes and comments as they come."""

    BLOCKS = frozenset(
        {"p", "li", "h1", "h2", "h3", "h4", "h5", "h6", "div", "figcaption", "caption", "title"}
    )
    HEADINGS = frozenset({"h1", "h2", "h3", "h4", "caption"})
    TELLING = frozenset({"alt", "title", "content", "aria-label"})

    def __init__(self, content: Content) -> None:
        super().__init__(convert_charrefs=True)
        self.content = content
        self.text: list[str] = []
        self.headings: dict[str, str] = {}
        self.columns: list[str] = []
        self.row: list[str] | None = None
        self.in_head = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and (name in self.TELLING or name.startswith("data-")):
                _add_text(value, self.content, around=self._above())
            if value and value.startswith("data:image/png;base64,"):
                _add_png(value.split(",", 1)[1], self.content)
        if tag == "table":
            self.columns = []
            self.headings.pop("caption", None)
        if tag in self.BLOCKS or tag == "tr":
            self.end_block()
        if tag == "tr":
            self.row, self.in_head = [], True
        if tag == "td":
            self.in_head = False
        if tag in {"td", "th"}:
            self.text = []

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"} and self.row is not None:
            self.row.append(" ".join("".join(self.text).split()))
            self.text = []
        elif tag == "tr" and self.row is not None:
            self._end_row(self.row)
            self.row = None
        elif tag in self.BLOCKS and self.row is None:
            if tag in self.HEADINGS:
                self.headings[tag] = "".join(self.text)
            self.end_block()

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def handle_comment(self, data: str) -> None:
        _add_text(data, self.content, around=self._above())

    def end_block(self) -> None:
        if self.row is None:
            _add_text("".join(self.text), self.content, around=self._above())
            self.text = []

    def _end_row(self, row: list[str]) -> None:
        if self.in_head and not self.columns:
            self.columns = row
        self.content.rows.append(Row(tuple(row), tuple(self.columns), self._above()))

    def take_table(self, tokens: Sequence[str]) -> None:
        """Read the inside of a table, cut into text, tag, text, tag and so on, as the parser would."""
        names = {tag: tag.split(" ", 1)[0] for tag in set(tokens[1::2])}
        for text, tag in zip(tokens[::2], tokens[1::2], strict=False):
            name = names[tag]
            if name in {"td", "th"} and self.row is not None:
                self.in_head = self.in_head and name == "th"
                self.text = []
                continue
            if name in {"/td", "/th"} and "&" not in text and not self.text and self.row is not None:
                self.row.append(" ".join(text.split()))
                continue
            if text:
                self.handle_data(unescape(text))
            if name.startswith("/"):
                self.handle_endtag(name[1:])
            else:
                self.handle_starttag(name, [])
        self.handle_data(unescape(tokens[-1]))

    def _above(self) -> str:
        return " | ".join(self.headings.values())


def _read_notebook(data: bytes, content: Content) -> None:
    def walk(value: Any, kind: str) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                between = "\n" if key == "traceback" else ""
                walk(between.join(item) if _is_lines(item) else item, str(key))
        elif isinstance(value, list):
            for item in value:
                walk(item, kind)
        elif isinstance(value, str) and kind == "image/png":
            _add_png(value, content)
        elif isinstance(value, str) and kind in {"text/html", "image/svg+xml"}:
            _add_html(value, content)
        elif isinstance(value, str):
            _add_text(re.sub(r"\x1b\[[0-9;]*m", "", value), content)

    walk(json.loads(data), "")


def _is_lines(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)


def _add_png(text: str, content: Content) -> None:
    try:
        _read_png(base64.b64decode(text), content)
    except binascii.Error:
        _add_text(text, content)


def _read_png(data: bytes, content: Content) -> None:
    """Read the texts that a picture carries beside its points."""
    if not data.startswith(PNG_START):
        raise ValueError("no PNG")
    place = len(PNG_START)
    while place + 8 <= len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        kind, body = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        if kind == b"tEXt":
            _add_text(body.replace(b"\x00", b": ").decode("latin-1"), content)
        elif kind == b"zTXt":
            _add_text(zlib.decompress(body.split(b"\x00", 1)[1][1:]).decode("latin-1"), content)
        elif kind == b"iTXt":
            packed, rest = body.split(b"\x00", 1)[1][0], body.split(b"\x00", 1)[1][2:]
            text = rest.split(b"\x00", 2)[2]
            _add_text((zlib.decompress(text) if packed else text).decode("utf-8", errors="replace"), content)
        place += 12 + length


def _read_docx(data: bytes, content: Content) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".png"):
                _read_png(archive.read(name), content)
            elif name.endswith(".xml"):
                _add_word(ElementTree.fromstring(archive.read(name)), content)


def _add_word(root: ElementTree.Element, content: Content) -> None:
    def said(element: ElementTree.Element) -> str:
        return "".join(part.text or "" for part in element.iter(f"{WORD_SPACE}t"))

    above = ""
    inside: set[int] = set()
    for element in root.iter():
        if element.tag == f"{WORD_SPACE}tbl":
            rows = [
                [said(cell) for cell in row.iter(f"{WORD_SPACE}tc")]
                for row in element.iter(f"{WORD_SPACE}tr")
            ]
            inside |= {id(paragraph) for paragraph in element.iter(f"{WORD_SPACE}p")}
            for row in rows:
                content.rows.append(Row(tuple(row), tuple(rows[0]), above))
        elif element.tag == f"{WORD_SPACE}p" and id(element) not in inside:
            _add_text(said(element), content, around=above)
            style = element.find(f"{WORD_SPACE}pPr/{WORD_SPACE}pStyle")
            name = "" if style is None else style.get(f"{WORD_SPACE}val", "")
            if name.startswith(("Heading", "Title", "Caption", "TableCaption")):
                above = said(element)
    for element in root.iter():
        if element.text and not element.tag.startswith(WORD_SPACE):
            _add_text(element.text, content)
        for name in ("descr", "title"):
            if value := element.get(name):
                _add_text(value, content)


def _read_pdf(data: bytes, content: Content) -> None:
    import pypdfium2

    with ONE_PDF:
        try:
            document = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError as error:
            raise ValueError(str(error)) from None
        with document:
            texts = [page.get_textpage().get_text_range() for page in document]
            texts += document.get_metadata_dict().values()
    for text in texts:
        _add_text(text, content)


_READERS = {
    ".csv": _read_csv,
    ".docx": _read_docx,
    ".htm": _read_html,
    ".html": _read_html,
    ".ipynb": _read_notebook,
    ".parquet": _read_parquet,
    ".pdf": _read_pdf,
    ".png": _read_png,
}
