"""Choose the program that turns a page source into a page."""

from pathlib import Path
from typing import Protocol, get_args

from evalkit.errors import PublishError
from evalkit.publish.pages import Format, Page, Surround
from evalkit.publish.pandoc import Pandoc
from evalkit.publish.quarto import Quarto, find_quarto

FORMATS: tuple[Format, ...] = get_args(Format)
RENDERERS = ("auto", "quarto", "pandoc")


class Renderer(Protocol):
    """A program that renders pages; the two there are give the same page."""

    @property
    def name(self) -> str:
        """The name a person gives it."""

    def render(self, page: Page, surround: Surround, *, to: Format, folder: Path) -> tuple[Path, list[str]]:
        """Render one page into `<folder>/<page.name>.<to>`; return its path and what was warned of."""
        ...


def choose_renderer(wanted: str = "auto") -> Renderer:
    """Return the renderer asked for; "auto" is quarto where it is found, else the embedded pandoc.

    Raises
    ------
    PublishError : no renderer bears that name, or quarto is asked for and is absent or too old.
    """
    if wanted == "pandoc":
        return Pandoc()
    if wanted == "quarto":
        return Quarto.found()
    if wanted == "auto":
        return Quarto.found() if find_quarto() else Pandoc()
    raise PublishError(f"unknown renderer {wanted!r}; use one of {', '.join(RENDERERS)}")


def check_formats(formats: tuple[str, ...]) -> tuple[Format, ...]:
    """Return the formats to make, each once; the web pages are always among them.

    Raises
    ------
    PublishError : a format that no renderer makes.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise PublishError(f"unknown format {unknown[0]!r}; use some of {', '.join(FORMATS)}")
    return tuple(name for name in FORMATS if name == "html" or name in formats)
