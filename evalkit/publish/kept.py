"""Pages that have not changed are taken from the website that stands instead of being rendered again."""

import hashlib
import json
import pickle
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from evalkit.publish.pages import Format, Page, Surround
from evalkit.publish.renderers import Renderer

INDEX = "pages.json"
PROGRAMS = ("pypandoc_binary", "typst", "quarto-cli")


class KeptPages:
    """A renderer that copies a page which is, to the last byte, what the website that stands shows.

    Each file of the website is known by the content hash of its page's source, of this package and of the
    programs, and by that of the file itself; one that a person changed is made again.
    """

    def __init__(self, program: Renderer, *, outputs: Path, site: Path) -> None:
        self.program = program
        self.name = program.name
        self.site = site
        self.index = outputs / INDEX
        self.known = _read_index(self.index)
        self.made: dict[str, dict[str, object]] = {}
        self.ground = _hash_package() + program.name + "".join(_version(name) for name in PROGRAMS)

    def render(self, page: Page, surround: Surround, *, to: Format, folder: Path) -> tuple[Path, list[str]]:
        """Copy the page, or have it rendered, into `<folder>/<page.name>.<to>`."""
        source = pickle.dumps((page, surround, to, self.ground), protocol=4)
        key = hashlib.sha256(source).hexdigest()
        name = f"{page.name}.{to}"
        before = self.known.get(name)
        if before is not None and before["key"] == key and before["sha256"] == _hash_file(self.site / name):
            self.made[name] = before
            shutil.copyfile(self.site / name, folder / name)
            return folder / name, list(before["warnings"])  # type: ignore[call-overload]
        path, warnings = self.program.render(page, surround, to=to, folder=folder)
        self.made[name] = {"key": key, "sha256": _hash_file(path), "warnings": warnings}
        return path, warnings

    def remember(self) -> None:
        """Write down what stands in the website now."""
        partial = self.index.with_name(self.index.name + ".partial")
        partial.write_text(json.dumps(dict(sorted(self.made.items())), indent=1) + "\n", encoding="utf-8")
        partial.replace(self.index)


def _read_index(path: Path) -> dict[str, dict[str, object]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _hash_file(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _hash_package() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
