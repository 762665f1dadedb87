"""Read pages back as a reader's programs do: a browser, a PDF viewer, Word."""

import re
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup
from docx import Document
from docx.oxml.ns import qn
from pypdf import PdfReader


def web(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def squeezed(text: str) -> str:
    """Take the spaces out: a PDF breaks lines where it likes."""
    return re.sub(r"\s+", "", text)


def pdf_text(path: Path) -> list[str]:
    return [page.extract_text() for page in PdfReader(path).pages]


def pdf_alts(path: Path) -> list[str]:
    """Walk the structure tree that a screen reader follows and collect the alt texts."""
    found: list[str] = []

    def walk(node: Any) -> None:
        node = node.get_object()
        if isinstance(node, list):
            for child in node:
                walk(child)
        elif hasattr(node, "get"):
            if "/Alt" in node:
                found.append(str(node["/Alt"]))
            if "/K" in node:
                walk(node["/K"])

    walk(PdfReader(path).trailer["/Root"]["/StructTreeRoot"])
    return found


def word(path: Path) -> Any:
    return Document(str(path))


def word_alts(path: Path) -> list[str]:
    return [str(picture.get("descr")) for picture in word(path).element.body.iter(qn("wp:docPr"))]


def word_text(path: Path) -> str:
    document = word(path)
    return "".join(node.text or "" for node in document.element.body.iter(qn("w:t")))
