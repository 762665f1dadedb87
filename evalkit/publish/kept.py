"""Pages are made once: taken from the website that stands, or from those prepared while notebooks ran."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from evalkit.errors import PublishError
from evalkit.publish.pages import Format, Page, Surround
from evalkit.publish.renderers import Renderer

INDEX = "pages.json"
PREPARED = ".pages-prepared"
PROGRAMS = ("pypandoc_binary", "typst", "quarto-cli")


class KeptPages:
    """A renderer that copies a page which is, to the last byte, what has been made before.

    Each file is known by the content hash of its page's source, of this package and of the programs, and by
    that of the file itself; one that a person changed is made again. A page that is made is looked through
    before anybody can read it.

    Parameters
    ----------
    outputs : the folder of one network and audience
    site : the website that stands there
    look_through : takes a file; says, a sentence each, what it shows that it may not
    """

    def __init__(
        self,
        program: Renderer,
        *,
        outputs: Path,
        site: Path,
        look_through: Callable[[Path], list[str]] = lambda path: [],
    ) -> None:
        self.program = program
        self.name = program.name
        self.site = site
        self.prepared = outputs / PREPARED
        self.index = outputs / INDEX
        self.look_through = look_through
        self.known = _read_index(self.index)
        self.made: dict[str, dict[str, object]] = {}
        self.kept_back: list[str] = []
        self.ground = _hash_package() + program.name + "".join(_version(name) for name in PROGRAMS)

    def render(self, page: Page, surround: Surround, *, to: Format, folder: Path) -> tuple[Path, list[str]]:
        """Copy the page, or have it rendered, into `<folder>/<page.name>.<to>`.

        Raises
        ------
        PublishError : the page cannot be made, or shows what it may not; then there is no such file.
        """
        key, name = self._key(page, surround, to), f"{page.name}.{to}"
        found = self._find(key, name)
        if found is not None:
            store, self.made[name] = found
            shutil.copyfile(store, folder / name)
            return folder / name, list(self.made[name]["warnings"])  # type: ignore[call-overload]
        path, warnings = self.program.render(page, surround, to=to, folder=folder)
        shown = self.look_through(path)
        if shown:
            path.unlink()
            problem = f"{name} is kept back, because its audience may not see this: {shown[0]}"
            self.kept_back.append(problem)
            raise PublishError(problem)
        self.made[name] = {"key": key, "sha256": _hash_file(path), "warnings": warnings}
        return path, warnings

    def prepare(self, page: Page, surround: Surround, *, to: Format, folder: Path) -> None:
        """Make a page ahead, for `render` to find; the parameters and errors are those of `render`."""
        key, name = self._key(page, surround, to), f"{page.name}.{to}"
        if self._find(key, name) is None:
            path, _ = self.render(page, surround, to=to, folder=folder)
            self.prepared.mkdir(exist_ok=True)
            shutil.move(path, self.prepared / f"{key}.{name}")
            (self.prepared / f"{key}.json").write_text(json.dumps(self.made[name]) + "\n", encoding="utf-8")

    def remember(self) -> None:
        """Write down what stands in the website now, and forget what was prepared."""
        partial = self.index.with_name(self.index.name + ".partial")
        partial.write_text(json.dumps(dict(sorted(self.made.items())), indent=1) + "\n", encoding="utf-8")
        partial.replace(self.index)
        shutil.rmtree(self.prepared, ignore_errors=True)

    def _key(self, page: Page, surround: Surround, to: Format) -> str:
        pictures = {name: hashlib.sha256(content).hexdigest() for name, content in page.pictures.items()}
        described = [asdict(replace(page, pictures=pictures)), asdict(surround), to, self.ground]  # type: ignore[arg-type]
        return hashlib.sha256(json.dumps(described).encode()).hexdigest()

    def _find(self, key: str, name: str) -> tuple[Path, dict[str, object]] | None:
        """Find a file made from the same source: in the website that stands, or among those prepared."""
        prepared = self.prepared / f"{key}.{name}", _read_index(self.prepared / f"{key}.json")
        for store, note in ((self.site / name, self.known.get(name, {})), prepared):
            if note.get("key") == key and note["sha256"] == _hash_file(store):
                return store, note
        return None


def _read_index(path: Path) -> dict[str, Any]:
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
