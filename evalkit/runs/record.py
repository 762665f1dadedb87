"""What a run leaves beside its outputs: inputs and outputs with hashes, versions, how it ended; no clock."""

import functools
import hashlib
import json
import os
import platform
from collections.abc import Hashable, Iterable, Iterator, Mapping, Set
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, NamedTuple

import evalkit
from evalkit.errors import EvalkitError
from evalkit.runs.plan import NOTEBOOK_NAME, NotebookRun, Plan, Terms
from evalkit.runs.seal import seal

LIBRARIES = ("matplotlib", "numpy", "pandas", "papermill", "scipy", "seaborn", "statsmodels")
PARTIAL = ".partial"
RELEASE = "release.json"  # beside the results; every notebook of a site that saves any writes the same
RECORDED = {
    "notebook_sha256": str,
    "parameters": dict,
    "agreements": dict,
    "inputs": dict,
    "data_sha256": str,
    "evalkit_sha256": str,
    "versions": dict,
    "status": str,
    "error": str,
    "outputs": dict,
}

OTHERS_CHANGED = "data files changed, but not what they hold of this site"

State = Literal["done", "stale", "failed", "never run"]


class RunState(NamedTuple):
    """How a planned run stands now: its state, and the reason where it is not done."""

    run: NotebookRun
    state: State
    reason: str


def run_states(plan: Plan) -> tuple[RunState, ...]:
    """Say for every planned run whether what it left is there and still rests on today's inputs."""
    return tuple(run_state(plan, run) for run in plan.runs)


def run_state(plan: Plan, run: NotebookRun) -> RunState:
    """Compare a run's record with the inputs as they are now.

    "done" means that notebook, parameters, every input file, evalkit's source and the libraries are those of
    the record, and that every output is there unchanged. Where only data files changed, it is enough that
    they hold the same of the run's own site; the reason then says so.
    """
    record = read_record(run)
    if record is None:
        return RunState(run, "never run", "")
    if record["status"] != "done":
        return RunState(run, record["status"], record["error"])
    now = _sealed(plan, describe_inputs(plan, run))
    for part, what in (
        ("notebook_sha256", "the notebook"),
        ("parameters", "the parameters"),
        ("agreements", "what the data agreements allow today"),
        ("evalkit_sha256", "evalkit itself"),
        ("versions", "the libraries"),
    ):
        if record[part] != now[part]:
            return RunState(run, "stale", f"{what} changed")
    changes = _changes(record["inputs"], now["inputs"])
    others_changed = bool(changes) and _is_of_others(plan, run, record, now["inputs"])
    if others_changed:
        changes = {}
    changes |= _changes(
        record["outputs"], {name: _hash_if_there(plan.root / name) for name in record["outputs"]}
    )
    if changes:
        more = f" and {len(changes) - 1} more" if len(changes) > 1 else ""
        return RunState(run, "stale", next(iter(changes.values())) + more)
    return RunState(run, "done", OTHERS_CHANGED if others_changed else "")


def renew_record(plan: Plan, run: NotebookRun) -> None:
    """Note the data files as they are now, for a run whose own site they still hold unchanged."""
    record = read_record(run)
    if record is not None:
        record["inputs"] = _sealed(plan, describe_inputs(plan, run))["inputs"]
        _write(run, record)


def describe_inputs(plan: Plan, run: NotebookRun) -> dict[str, Any]:
    """Hash all that a run rests on: its notebook, declared files, data, and the results of earlier runs."""
    return {
        "notebook": _name(run.notebook, plan.root),
        "notebook_sha256": hash_file(run.notebook),
        "parameters": dict(sorted(run.parameters.items())),
        "agreements": dict(sorted(run.terms.agreements.items())) if run.terms else {},
        "inputs": hash_files(plan, _input_files(plan, run)),
        "evalkit_sha256": hash_evalkit(),
        "versions": library_versions(),
    }


def own_data_sha256(terms: Terms | None, site_id: str | None, *, root: Path) -> str:
    """Hash what the data hold of a run's own site; "" where it has none, or the data cannot be read."""
    if terms is None or site_id is None:
        return ""
    from evalkit.views import own_data_hash

    try:
        return own_data_hash(network=terms.network, site_id=site_id, data=terms.data, workspace=str(root))
    except EvalkitError:
        return ""


def write_record(
    plan: Plan,
    run: NotebookRun,
    described: Mapping[str, Any],
    *,
    status: Literal["done", "failed"],
    error: str,
    outputs: Iterable[Path],
    data_sha256: str = "",
) -> Path:
    """Write a run's record; call it once its outputs are in place.

    A record stands beside what partners or the public are given, so the hashes of data and parameters, which
    hold small numbers, are sealed.

    Parameters
    ----------
    described : what `describe_inputs` gave before the run started
    outputs : files that the run made
    data_sha256 : of what the data hold of the run's site
    """
    record = {
        **_sealed(plan, described),
        "data_sha256": seal(plan.root, data_sha256),
        "status": status,
        "error": error,
        "outputs": {_name(path, plan.root): hash_file(path) for path in sorted(outputs)},
    }
    return _write(run, record)


def _write(run: NotebookRun, record: Mapping[str, Any]) -> Path:
    path = record_path(run)
    write_whole(path, json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    return path


def read_record(run: NotebookRun) -> dict[str, Any] | None:
    """Return a run's record; None where there is none, or none that this evalkit understands."""
    return _read(record_path(run))


def record_path(run: NotebookRun) -> Path:
    """Return where a run's record stands."""
    return run.folder / "run" / f"{run.name}.json"


def withdraw(plan: Plan, run: NotebookRun, made: Iterable[Path] = ()) -> None:
    """Remove the record of an earlier run, every output that it lists, and what a failed one has made.

    What another notebook of the folder has written to the same content stays, for that one still holds.
    """
    record = read_record(run)
    gone = {*made}
    if record is not None:
        record_path(run).unlink()
        listed = {plan.root / name for name in record["outputs"]}
        gone |= {path for path in listed if path.resolve().is_relative_to(run.folder)}
    others = {item for other in _records(run.folder).values() for item in other["outputs"].items()}
    for path in gone:
        if (_name(path, plan.root), _hash_if_there(path)) not in others:
            path.unlink(missing_ok=True)


def site_is_there(plan: Plan, site_id: str) -> bool:
    """Tell whether any notebook of a site has ended well."""
    return any(record["status"] == "done" for record in _records(plan.folder / site_id).values())


def result_files(run: NotebookRun) -> dict[Path, int]:
    """Return the results in the folder of a run and their release, with each file's change in nanoseconds."""
    found = (run.folder / RELEASE, *(run.folder / "results").rglob("*"))
    return {path: path.stat().st_mtime_ns for path in found if path.is_file()}


def write_whole(path: Path, content: str) -> None:
    """Write a text file so that a reader, or a power cut, finds the whole old one or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + PARTIAL)
    try:
        with partial.open("w", encoding="utf-8", newline="\n") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    status = path.stat()
    return _hash_content(path, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=4096)
def _hash_content(path: Path, modified: int, size: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@functools.cache
def hash_evalkit() -> str:
    """Return one SHA-256 over evalkit's own source files."""
    folder = Path(evalkit.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(f"{path.relative_to(folder).as_posix()} {hash_file(path)}\n".encode())
    return digest.hexdigest()


@functools.cache
def library_versions() -> dict[str, str]:
    """Return the version of Python, evalkit and every library that a number rests on."""
    found = {"python": platform.python_version(), "evalkit": evalkit.__version__}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def _input_files(plan: Plan, run: NotebookRun) -> list[Path]:
    parameters = plan.root / "parameters" / plan.network_id
    sites = [parameters / "sites" / f"{site_id}.yml" for site_id in plan.site_ids]
    data = _data_folder(plan)
    declared = {
        *parameters.glob("network.yml"),
        *(path for path in sites if run.site_id in (None, path.stem) and path.is_file()),
        *(plan.root / "data_dictionary").glob("*.yml"),
    }
    if run.site_id:
        others = [
            data / name
            for site_id, names in plan.own_data.items()
            if site_id != run.site_id
            for name in names
        ]
        declared |= {
            path for path in data_files(plan) if not any(path.is_relative_to(other) for other in others)
        }
    return sorted(declared | _earlier_results(plan, run))


def data_files(plan: Plan) -> list[Path]:
    """Find every file of a plan's data folder, behind links too; none that is hidden or evalkit's own."""
    data, outputs = _data_folder(plan).resolve(), (plan.root / "outputs").resolve()
    own = set() if data.is_relative_to(outputs) else {outputs}
    return sorted(_files_below(_data_folder(plan), apart=own))


def _files_below(folder: Path, *, apart: Set[Path]) -> Iterator[Path]:
    """Go through a folder and what it links to, but into none of `apart`, nor in a circle."""
    real = folder.resolve()
    if real in apart:
        return
    found: list[Path] = []
    # what cannot be listed, or has just gone, no notebook can read either
    with suppress(OSError):
        found = list(folder.iterdir())
    for path in found:
        if path.name.startswith(".") or path.name.endswith(PARTIAL):
            continue
        if path.is_dir():
            yield from _files_below(path, apart=apart | {real})
        elif path.is_file():
            yield path


def _sealed(plan: Plan, described: Mapping[str, Any]) -> dict[str, Any]:
    """Seal the hashes of inputs that an audience may not hold: all but the dictionary and its own results."""
    own = (f"{_name(plan.folder, plan.root)}/", "data_dictionary/")
    inputs = {
        name: digest if name.startswith(own) else seal(plan.root, digest)
        for name, digest in described["inputs"].items()
    }
    return {**described, "inputs": inputs}


def _data_folder(plan: Plan) -> Path:
    return plan.root / (plan.data or f"outputs/{plan.network_id}/data")


def _earlier_results(plan: Plan, run: NotebookRun) -> set[Path]:
    """Find the results of earlier runs in the same folder; for a network run those of every site too."""
    number = int(run.name.partition("_")[0])
    records = [
        record for name, record in _records(run.folder).items() if int(name.partition("_")[0]) < number
    ]
    if run.site_id is None:
        records += [
            record for site_id in plan.site_ids for record in _records(plan.folder / site_id).values()
        ]
    names = {name for record in records for name in record["outputs"]}
    return {
        plan.root / name for name in names if not name.endswith(".ipynb") and (plan.root / name).is_file()
    }


def _records(folder: Path) -> dict[str, dict[str, Any]]:
    """Read the records of a site or the network by the notebook's name; no other file there counts."""
    paths = (path for path in (folder / "run").glob("*.json") if NOTEBOOK_NAME.fullmatch(path.stem))
    return {path.stem: record for path in sorted(paths) if (record := _read(path)) is not None}


def _read(path: Path) -> dict[str, Any] | None:
    """Read a record; a torn one, or one of another version or shape, is none."""
    try:
        record: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(record, dict) or any(
        not isinstance(record.get(key), RECORDED[key]) for key in RECORDED
    ):
        return None
    texts = (*record["parameters"].values(), *record["inputs"].values(), *record["outputs"].values())
    whole = record["status"] in ("done", "failed") and all(isinstance(text, str) for text in texts)
    return record if whole else None


def _changes(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """Say of each file that is not as before what became of it."""
    return {
        name: f"{name} is new"
        if name not in before
        else f"{name} is gone"
        if not now.get(name)
        else f"{name} changed"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    }


def _is_of_others(plan: Plan, run: NotebookRun, record: Mapping[str, Any], now: Mapping[str, str]) -> bool:
    """Tell whether only data files changed, and these hold the same as before of the run's own site."""
    data = _name(_data_folder(plan), plan.root)
    if not record["data_sha256"] or any(
        not name.startswith(f"{data}/") for name in _changes(record["inputs"], now)
    ):
        return False
    files = tuple(item for item in sorted(now.items()) if item[0].startswith(f"{data}/"))
    found = _own_data_as_of(files, run.terms, run.site_id, plan.root)
    return bool(seal(plan.root, found) == record["data_sha256"])


@functools.lru_cache(maxsize=512)
def _own_data_as_of(_files: Hashable, terms: Terms | None, site_id: str | None, root: Path) -> str:
    return own_data_sha256(terms, site_id, root=root)


def hash_files(plan: Plan, paths: Iterable[Path]) -> dict[str, str]:
    """Hash files by their name in the workspace; one that has just gone is left out."""
    hashes = {_name(path, plan.root): _hash_if_there(path) for path in paths}
    return {name: digest for name, digest in hashes.items() if digest}


def _hash_if_there(path: Path) -> str:
    try:
        return hash_file(path) if path.is_file() else ""
    except FileNotFoundError:
        return ""


def _name(path: Path, root: Path) -> str:
    return Path(os.path.relpath(path, root)).as_posix()
