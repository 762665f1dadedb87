"""Whether the pages that stand still show what would be published today; read without rendering any."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import evalkit
from evalkit.runs.pages import Publication
from evalkit.runs.plan import Plan
from evalkit.runs.record import hash_evalkit, hash_file, library_versions, write_whole
from evalkit.runs.seal import seal

NOTE = "published.json"
SITE = "site"


@dataclass(frozen=True, kw_only=True)
class StandingPublication:
    """A publication that stands.

    Attributes
    ----------
    problems : what was said of it when it was made
    """

    index: Path
    problems: tuple[str, ...]


def standing_publication(plan: Plan, publication: Publication) -> StandingPublication | None:
    """Return what was published from the same sources, if it is still there, file by file; else None."""
    try:
        note = json.loads((plan.folder / NOTE).read_text(encoding="utf-8"))
        same = note["stamp"] == _stamp(plan, publication) and note["files"] == _files(plan)
        if not same or not _index(plan).is_file():
            return None
        return StandingPublication(index=_index(plan), problems=tuple(note["problems"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def note_publication(plan: Plan, publication: Publication, problems: tuple[str, ...]) -> None:
    """Write down what has just been published, and from what."""
    stamp = _stamp(plan, publication)
    note = {"stamp": stamp, "problems": list(problems), "files": _files(plan)}
    write_whole(plan.folder / NOTE, json.dumps(note, indent=1, ensure_ascii=False) + "\n")


def _stamp(plan: Plan, publication: Publication) -> str:
    """Return one sealed SHA-256 over all that the pages of a plan's folder are made from."""
    choice = f"{publication.formats} {publication.renderer}"
    digest = hashlib.sha256(f"{choice} {hash_evalkit()} {sorted(library_versions().items())}\n".encode())
    for path in _sources(plan):
        digest.update(f"{path.as_posix()} {hash_file(path)}\n".encode())
    return seal(plan.root, digest.hexdigest())


def _index(plan: Plan) -> Path:
    return plan.folder / SITE / "index.html"


def _files(plan: Plan) -> dict[str, str]:
    """Hash every file of the website; one that is not there at all has no file."""
    paths = sorted(path for path in (plan.folder / SITE).rglob("*") if path.is_file())
    return {path.relative_to(plan.folder).as_posix(): hash_file(path) for path in paths}


def _sources(plan: Plan) -> Iterator[Path]:
    package = Path(evalkit.__file__).parent
    for folder, pattern in (
        (plan.root / "parameters" / plan.network_id, "**/*.yml"),
        (plan.root / "data_dictionary", "*.yml"),
        (plan.folder, "*/notebooks/*"),
        (plan.folder, "*/results/**/*"),
        (plan.folder, "*/run/*.json"),
        (package / "publish", "**/*.*"),
    ):
        yield from sorted(
            path
            for path in folder.glob(pattern)
            if path.is_file() and path.suffix not in (".pyc", ".partial")
        )
