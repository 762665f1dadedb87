"""What the machines of a cluster share for one batch: jobs, receipts and, without a common folder, files.

A file travels under the SHA-256 of its content, so whoever takes it knows that it is whole and the right one.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from time import monotonic, sleep
from typing import Any, get_args
from uuid import uuid4

from evalkit.errors import RunError
from evalkit.runs.kernels import Receipt, Status
from evalkit.runs.plan import NotebookRun, Plan
from evalkit.runs.record import PARTIAL, data_files, describe_inputs, hash_file, hash_files

SHA256 = re.compile(r"[0-9a-f]{64}")
BLOBS = "blobs"
KEPT_FOR_OTHERS = ("notebooks", "run")  # in a run's folder: other runs' notebooks, and this machine's records
VISIBLE_LIMIT = 60.0  # seconds for which a network file system may show an old state
VISIBLE_CHECK = 0.1  # seconds


@dataclass(frozen=True, kw_only=True)
class ClusterJob:
    """One attempt at one run, as it is sent to a worker.

    Attributes
    ----------
    batch : the batch's id
    attempt : 0, or 1 for a run whose worker was lost
    root : the workspace of the machine that plans the batch
    place : the batch's folder, a path or a URL
    travels : whether files go through `place`; else the workers see the workspace itself
    files : SHA-256 of every file that the run needs, by its name relative to the workspace
    identity : what a worker must have so that it gives the same bytes, see `record.describe_inputs`
    """

    batch: str
    attempt: int
    run: NotebookRun
    root: Path
    time_limit: float
    warm: bool
    place: str
    travels: bool
    files: Mapping[str, str]
    identity: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What comes back from a worker; everything is relative to the workspace.

    Attributes
    ----------
    status : None where an earlier worker began this attempt and is gone
    saved : the executed notebook, or the failed one; "" where there is none
    outputs : SHA-256 of every file that the run made, by its name
    note : why the run was slower than it might be; "" when it was not
    data_sha256 : as in `Receipt`
    """

    status: Status | None
    error: str = ""
    saved: str = ""
    seconds: float = 0.0
    outputs: Mapping[str, str]
    note: str = ""
    data_sha256: str = ""

    def receipt(self, root: Path) -> Receipt:
        """Return the receipt in terms of a workspace."""
        if self.status is None:
            raise ValueError("a lost attempt has no receipt")
        saved = root / self.saved if self.saved else None
        return Receipt(
            status=self.status,
            error=self.error,
            saved=saved,
            seconds=self.seconds,
            data_sha256=self.data_sha256,
        )


class Share:
    """A batch's folder, at a path or an fsspec URL."""

    def __init__(self, place: str, *, is_url: bool) -> None:
        import fsspec

        if is_url:
            self.files, self.root = fsspec.core.url_to_fs(place)
        else:
            # a path is taken as it stands: no letter of it has a meaning
            self.files, self.root = fsspec.filesystem("file"), place

    def has(self, name: str) -> bool:
        """Tell whether a file is there."""
        self.files.invalidate_cache()
        return bool(self.files.exists(self._path(name)))

    def read(self, name: str) -> bytes:
        """Return a file's content."""
        content: bytes = self.files.cat_file(self._path(name))
        return content

    def write(self, name: str, content: bytes) -> None:
        """Write a file; a reader finds it whole or not at all."""
        self._put(name, lambda partial: self.files.pipe_file(partial, content))

    def keep(self, path: Path) -> str:
        """Put a file under the SHA-256 of its content, which is returned."""
        sha256 = hash_file(path)
        name = f"{BLOBS}/{sha256}"
        if not self.has(name):
            self._put(name, lambda partial: self.files.put_file(str(path), partial))
        return sha256

    def fetch(self, sha256: str, path: Path) -> None:
        """Put a kept file in its place, whole or not at all.

        Raises
        ------
        RunError : the content is not what its name says.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        # a name of its own: two threads of a worker may want the same file at the same time
        partial = path.with_name(uuid4().hex + PARTIAL)
        try:
            self.files.get_file(self._path(f"{BLOBS}/{sha256}"), str(partial))
            with partial.open("rb") as stream:
                if hashlib.file_digest(stream, "sha256").hexdigest() != sha256:
                    raise RunError(f"{path.name}: what the share holds for it is damaged; run again")
                os.fsync(stream.fileno())
            os.replace(partial, path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        self.files.invalidate_cache()
        if self.files.exists(self.root):
            self.files.rm(self.root, recursive=True)

    def _put(self, name: str, put: Any) -> None:
        path = self._path(name)
        partial = f"{path}.{uuid4().hex}{PARTIAL}"
        self.files.makedirs(self.files._parent(path), exist_ok=True)
        put(partial)
        self.files.mv(partial, path)

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}"


def needed_files(plan: Plan, run: NotebookRun) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the files that a run needs with their SHA-256, and what a worker must have to run it.

    These are the inputs of its record, and all parameters and data of the network: a site is read with its
    network, and what a network notebook writes is compared with what the data withhold.
    """
    described = describe_inputs(plan, run)
    parameters = (plan.root / "parameters" / plan.network_id).rglob("*.yml")
    files = hash_files(plan, [*parameters, *data_files(plan)])
    files |= {**described["inputs"], described["notebook"]: described["notebook_sha256"]}
    return files, {part: described[part] for part in ("evalkit_sha256", "versions")}


def differences(identity: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """Say what a machine has otherwise than the batch asks for; its results would be other bytes.

    Parameters
    ----------
    identity, here : the hash of evalkit's source and the versions of the libraries, asked for and found
    """
    wanted, found = identity["versions"], here["versions"]
    problems = [
        f"{name} {found.get(name, 'absent')} instead of {wanted[name]}"
        for name in wanted
        if found.get(name) != wanted[name]
    ]
    if not problems and identity["evalkit_sha256"] != here["evalkit_sha256"]:
        problems.append("another source of evalkit, or one that was changed since the worker started")
    return problems


def first_unseen(files: Mapping[str, str], root: Path) -> str:
    """Wait until this machine sees files as another one has written them; a network disk takes a moment.

    Returns
    -------
    The name of the first file that it still does not see so after `VISIBLE_LIMIT`; "" when it sees all.
    """
    deadline = monotonic() + VISIBLE_LIMIT
    for name, sha256 in files.items():
        while not _is_seen(root / name, sha256):
            if monotonic() > deadline:
                return name
            sleep(VISIBLE_CHECK)
    return ""


def _is_seen(path: Path, sha256: str) -> bool:
    try:
        return hash_file(path) == sha256
    except OSError:
        return False


def write_outcome(outcome: Outcome) -> bytes:
    """Lay out an outcome for the way back."""
    return json.dumps({**vars(outcome), "outputs": dict(outcome.outputs)}).encode()


def read_outcome(content: bytes, run: NotebookRun, root: Path) -> Outcome:
    """Read an outcome, and trust no path in it.

    Raises
    ------
    RunError : it is none, or names a file that is not this run's to make.
    """
    try:
        outcome = Outcome(**json.loads(content))
        names = dict(outcome.outputs)
        saved, seconds = str(outcome.saved), float(outcome.seconds)
    except (ValueError, TypeError) as error:
        raise RunError(f"{run.label}: a worker sent back no receipt; run again") from error
    whole = outcome.status is None or outcome.status in get_args(Status)
    strange = list(_strange_names(names, run, root))
    if not whole or strange or (saved and saved not in names):
        what = strange[0] if strange else saved or outcome.status
        raise RunError(f"{run.label}: a worker sent back {what!r}, which is not this run's to make")
    return Outcome(
        status=outcome.status,
        error=str(outcome.error),
        saved=saved,
        seconds=seconds,
        outputs=names,
        note=str(outcome.note),
        data_sha256=str(outcome.data_sha256),
    )


def made_files(run: NotebookRun) -> dict[Path, int]:
    """Return every file that a run may make beside its notebook, with its time of change in nanoseconds."""
    return {
        path: path.stat().st_mtime_ns
        for path in run.folder.rglob("*")
        if path.is_file() and path.relative_to(run.folder).parts[0] not in KEPT_FOR_OTHERS
    }


def _strange_names(names: Mapping[str, str], run: NotebookRun, root: Path) -> Iterable[str]:
    own = {path.relative_to(root).as_posix() for path in (run.output, run.failed, run.overflow)}
    folder = run.folder.relative_to(root).parts
    for name, sha256 in names.items():
        parts = PurePosixPath(name).parts
        below = parts[len(folder) :]
        within = parts[: len(folder)] == folder and bool(below) and below[0] not in KEPT_FOR_OTHERS
        plain = ".." not in parts and "\\" not in name and name == PurePosixPath(name).as_posix()
        if not (name in own or (within and plain)) or not SHA256.fullmatch(str(sha256)):
            yield name
