"""A page, and the one source of it that every renderer reads."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Literal

from evalkit.publish.word import reference_document

Format = Literal["html", "pdf", "docx"]

LOOK = files("evalkit.publish") / "look"
SYNTHETIC = (
    "These places, people and numbers are made up to show what the toolkit does. "
    "Nothing here describes a real child, family or neighborhood."
)
MARKDOWN = "markdown+lists_without_preceding_blankline-citations-yaml_metadata_block"


@dataclass(frozen=True)
class Link:
    """Where a reader can go from a page; `current` marks the page itself."""

    label: str
    href: str
    current: bool = False


@dataclass(frozen=True)
class Page:
    """What one page says, in Markdown with every notebook output as a raw HTML block.

    Attributes
    ----------
    name : the stem of the page's files
    title : the one heading of level 1, plain text
    body : the page source below its title
    pictures : the bytes of every picture, by the name the body gives it
    dropped : what the notebook shows and the page does not, a sentence each
    estimates : every estimate behind the page as CSV, a file of its own beside the page; "" for none
    """

    name: str
    title: str
    body: str
    kicker: str = ""
    subtitle: str = ""
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    downloads: tuple[Link, ...] = ()
    working: tuple[Link, ...] = ()
    dropped: tuple[str, ...] = ()
    estimates: str = ""


@dataclass(frozen=True)
class Surround:
    """What stands around every page of a network: its name, the ways through it, and the marks."""

    network: str
    audience: str
    synthetic: bool
    nav: tuple[Link, ...]

    def nav_for(self, page: Page) -> tuple[Link, ...]:
        """Return the navigation with the page itself marked in it."""
        here = f"{page.name}.html"
        return tuple(Link(link.label, link.href, link.href == here) for link in self.nav)


def write_source(page: Page, surround: Surround, folder: Path) -> Path:
    """Write a page's source and the look of the house into a fresh folder.

    Returns
    -------
    The path of `page.qmd`; beside it stand `metadata.json`, the pictures, the templates and the filter.
    """
    (folder / "page.qmd").write_text(page.body, encoding="utf-8")
    for name, picture in page.pictures.items():
        (folder / name).write_bytes(picture)
    style = (LOOK / "style.css").read_text(encoding="utf-8")
    web = (LOOK / "page.html").read_text(encoding="utf-8").replace("/*STYLE*/", style)
    (folder / "page.html.template").write_text(web, encoding="utf-8")
    for name in ("page.typ", "native.lua"):
        (folder / name).write_text((LOOK / name).read_text(encoding="utf-8"), encoding="utf-8")
    reference_document(
        folder / "reference.docx",
        network=surround.network,
        audience=surround.audience,
        synthetic=surround.synthetic,
    )
    metadata = json.dumps(_metadata(page, surround), ensure_ascii=False, indent=1)
    (folder / "metadata.json").write_text(metadata, encoding="utf-8")
    return folder / "page.qmd"


def html_block(html: str) -> str:
    """Fence HTML so that nothing in it can end the fence."""
    longest = max((len(run) for run in re.findall(r"`+", html)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{{=html}}\n{html}\n{fence}\n"


def figure(name: str, *, alt: str, caption: str) -> str:
    """Return a figure as HTML; alt text and caption are escaped."""
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f'<figure><img src="{escape(name)}" alt="{escape(alt)}">{below}</figure>'


def plain(text: str) -> str:
    r"""Write text so that Markdown reads every sign of it as itself: "*" becomes "\*"."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(text.split()))


def _metadata(page: Page, surround: Surround) -> dict[str, object]:
    from evalkit import __version__

    lead = f"{page.kicker}: " if page.kicker else ""
    whole = page.title if page.title == surround.network else f"{lead}{page.title} – {surround.network}"
    metadata: dict[str, object] = {
        "lang": "en",
        "title": plain(page.title),
        "pagetitle": plain(whole),
        "description": plain(page.subtitle or whole),
        "network": plain(surround.network),
        "audience": plain(surround.audience),
        "version": plain(__version__),
        "nav": _links(surround.nav_for(page)),
        "downloads": _links(page.downloads),
        "working": _links(page.working),
    }
    if page.kicker:
        metadata["kicker"] = plain(page.kicker)
    if page.subtitle:
        metadata["subtitle"] = plain(page.subtitle)
    if surround.synthetic:
        metadata["synthetic"] = plain(SYNTHETIC)
    return metadata


def _links(links: tuple[Link, ...]) -> list[dict[str, object]]:
    return [
        {"label": plain(link.label), "href": plain(link.href), **({"current": True} if link.current else {})}
        for link in links
    ]
