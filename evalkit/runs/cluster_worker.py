"""What a Dask worker does for a batch: it hands each run to a warm server, and runs no cell itself.

So a notebook that hangs, leaks or kills its process cannot take the worker along. A worker keeps one server
for each batch that it meets, and ends it with the batch, after a while without work, and with itself.
"""

import asyncio
import multiprocessing
import os
import platform
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

from evalkit.errors import EvalkitError, RunError
from evalkit.runs.kernels import Receipt
from evalkit.runs.plan import NotebookRun
from evalkit.runs.pool import LostWorker, WarmPool
from evalkit.runs.record import hash_evalkit, hash_file, library_versions
from evalkit.runs.share import (
    BLOBS,
    ClusterJob,
    Outcome,
    Share,
    differences,
    first_unseen,
    made_files,
    read_outcome,
    write_outcome,
)

TOKEN = "token"  # a file by which a worker knows that it sees the batch's folder
IDLE_LIMIT = 60.0  # seconds without work after which a worker lets go of a server, some 300 MB
WANTED_CHECK = 0.5  # seconds between two looks at whether anybody still waits for a run

_registry = threading.Lock()
_held: dict[str, "_Held"] = {}
_stopping: set[str] = set()


class _Unwanted(Exception):
    """Nobody waits for this run any longer."""


def greet(place: str, *, is_url: bool) -> dict[str, Any]:
    """Say what this machine has, and whether it sees the batch's folder."""
    try:
        trouble = "" if Share(place, is_url=is_url).has(TOKEN) else "it is not there"
    except (OSError, ImportError, ValueError) as error:
        trouble = f"{type(error).__name__}: {error}"
    return {
        "machine": platform.node(),
        "trouble": trouble,
        "evalkit_sha256": hash_evalkit(),
        "versions": library_versions(),
    }


async def interrupt_batch(batch: str) -> None:
    """Have every run of a batch on this worker save what it has, and start none."""
    with _registry:
        _stopping.add(batch)
        held = _held.get(batch)
    if held is not None:
        await asyncio.to_thread(held.interrupt)


async def end_batch(batch: str) -> None:
    """End all that this worker runs for a batch, and hold nothing of it."""
    with _registry:
        _stopping.add(batch)
    await asyncio.to_thread(_let_go, batch)


def run_on_worker(job: ClusterJob) -> bytes:
    """Run a notebook in a process of its own, unless it has been run; return the outcome.

    Dask repeats a task whose worker is gone, or whose result went with the worker. So a worker says that it
    begins an attempt, and writes the outcome beside: what has ended is never run again, and an attempt that
    another worker has begun is reported as lost, for the batch to judge.
    """
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()

    def is_wanted() -> bool:
        task = worker.state.tasks.get(key)
        return task is not None and task.state != "cancelled"

    here = {"evalkit_sha256": hash_evalkit(), "versions": library_versions()}
    other = differences(job.identity, here)
    if other:
        error = f"the worker on {platform.node()} has {', '.join(other)}; install the same there"
        return write_outcome(_not_run(error))
    return _run_once(job, is_wanted=is_wanted, threads=worker.state.nthreads)


def _run_once(job: ClusterJob, *, is_wanted: Callable[[], bool], threads: int) -> bytes:
    share = Share(job.place, is_url=job.travels)
    ended, begun = f"ended/{job.run.label}.json", f"begun/{job.run.label}.{job.attempt}"
    held = _hold(job, threads=threads)
    if held is None:
        return write_outcome(_not_run("the run was stopped from outside"))
    try:
        with held.turn(alone=job.attempt > 0, is_wanted=is_wanted) as place:
            if share.has(ended):
                content = share.read(ended)
                read_outcome(content, job.run, job.root)
                return content
            if share.has(begun):
                return write_outcome(Outcome(status=None, outputs={}))
            share.write(begun, platform.node().encode())
            outcome = _run_here(job, share, held, place=place, is_wanted=is_wanted)
            if outcome.status in ("done", "failed"):
                share.write(ended, write_outcome(outcome))
            return write_outcome(outcome)
    except OSError as trouble:
        return write_outcome(_not_run(f"the worker on {platform.node()}: {trouble}"))
    except _Unwanted:
        _let_go(job.batch)
        return write_outcome(_not_run("the run was stopped from outside"))


def _run_here(
    job: ClusterJob, share: Share, held: "_Held", *, place: int, is_wanted: Callable[[], bool]
) -> Outcome:
    try:
        with held.workspace(job, share, place=place) as root:
            run = _move(job.run, job.root, root)
            before = made_files(run)
            future = held.submit(run, root=root, time_limit=job.time_limit)
            while not wait([future], timeout=WANTED_CHECK).done:
                if not is_wanted():
                    raise _Unwanted
            receipt = future.result()
            if not root.is_dir():
                raise LostWorker
            keep = share.keep if job.travels else hash_file
            return Outcome(
                status=receipt.status,
                error=receipt.error,
                saved=_name(receipt.saved, root),
                seconds=receipt.seconds,
                outputs={_name(path, root): keep(path) for path in _made(run, receipt, before)},
                note=held.pool.note,
                data_sha256=receipt.data_sha256,
            )
    except LostWorker:
        return Outcome(status=None, outputs={})
    except EvalkitError as trouble:
        return _not_run(str(trouble))


def _made(run: NotebookRun, receipt: Receipt, before: Mapping[Path, int]) -> set[Path]:
    """Return the files of a run that count: of one that did not end well only the notebook and its output."""
    made = {path for path in (receipt.saved, run.overflow) if path is not None and path.is_file()}
    if receipt.status == "done":
        made |= {path for path, changed in made_files(run).items() if before.get(path) != changed}
    return made


def _hold(job: ClusterJob, *, threads: int) -> "_Held | None":
    with _registry:
        if job.batch in _stopping:
            return None
        return _held.setdefault(job.batch, _Held(warm=job.warm, threads=threads))


def _let_go(batch: str) -> None:
    with _registry:
        held = _held.pop(batch, None)
    if held is not None:
        held.close()


def _not_run(error: str) -> Outcome:
    return Outcome(status="interrupted", error=error, outputs={})


def _name(path: Path | None, root: Path) -> str:
    return "" if path is None else path.relative_to(root).as_posix()


def _move(run: NotebookRun, root: Path, to: Path) -> NotebookRun:
    return replace(
        run, notebook=to / run.notebook.relative_to(root), output=to / run.output.relative_to(root)
    )


class _Held:
    """What this worker holds for one batch: a warm server, and the folders of the runs under way."""

    def __init__(self, *, warm: bool, threads: int) -> None:
        self.pool = WarmPool(jobs=threads, forks=warm)
        self.closed = False
        self.changed = threading.Condition()
        self.running: set[int] = set()
        self.lonely = 0
        self.used = monotonic()

    @contextmanager
    def turn(self, *, alone: bool, is_wanted: Callable[[], bool]) -> Iterator[int]:
        """Wait for a place beside the runs under way, or, where `alone`, for one without any other.

        A run that has lost a worker is alone when it is tried again: should it be the one that kills
        workers, it takes nobody along.
        """
        with self.changed:
            self.lonely += alone
            try:
                while not self.changed.wait_for(lambda: self._is_free(alone=alone), timeout=WANTED_CHECK):
                    if self.closed or not is_wanted():
                        raise _Unwanted
                place = min(set(range(len(self.running) + 1)) - self.running)
                self.running.add(place)
            except BaseException:
                self.lonely -= alone
                raise
        try:
            yield place
        finally:
            with self.changed:
                self.running.discard(place)
                self.lonely -= alone
                self.used = monotonic()
                self.changed.notify_all()
            timer = threading.Timer(IDLE_LIMIT, self.rest)
            timer.daemon = True
            timer.start()

    @contextmanager
    def workspace(self, job: ClusterJob, share: Share, *, place: int) -> Iterator[Path]:
        """Give the folder that a run works in: the workspace itself, or a copy of what the run needs.

        Raises
        ------
        RunError : this machine does not see the files that the batch was planned with.
        """
        if not job.travels:
            if unseen := first_unseen(job.files, job.root):
                raise RunError(
                    f"the worker on {platform.node()} sees another {unseen} than the machine that planned "
                    "the batch, or none; give them one folder at the same path, or name a --share"
                )
            yield job.root
            return
        # in the server's own folder, which is gone when the server is; the same path for each run,
        # so that what the server read ahead of one run serves the next
        top = self.start() / f"place-{place}"
        root = top / job.root.relative_to(job.root.anchor)
        try:
            for name, sha256 in job.files.items():
                kept = top.parent / BLOBS / sha256
                if not kept.is_file():
                    share.fetch(sha256, kept)
                path = Path(os.path.normpath(root / name))
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(kept, path)
            yield root
        finally:
            shutil.rmtree(top, ignore_errors=True)

    def start(self) -> Path:
        """Start the server unless it runs; return its folder."""
        with self.pool.lock:
            if self.closed:
                raise LostWorker
            folder = self.pool.start()
            if self.pool.plain is not None and multiprocessing.current_process().daemon:
                raise RunError(
                    f"the worker on {platform.node()}: {self.pool.note}, for which a Dask worker must be "
                    "started with --no-nanny"
                )
            return folder

    def submit(self, run: NotebookRun, *, root: Path, time_limit: float) -> Future[Receipt]:
        """Start a run."""
        with self.pool.lock:
            self.start()
            return self.pool.submit(run, root=root, time_limit=time_limit)

    def interrupt(self) -> None:
        """Ask every run to save what it has."""
        with self.pool.lock:
            self.pool.interrupt()

    def close(self) -> None:
        """End the server with all that it runs."""
        with self.pool.lock:
            self.closed = True
            self.pool.kill()

    def rest(self) -> None:
        """End the server if it has long been without work; the next run starts another."""
        with self.pool.lock, self.changed:
            if not self.running and monotonic() - self.used >= IDLE_LIMIT:
                self.pool.kill()

    def _is_free(self, *, alone: bool) -> bool:
        return not self.running if alone else not self.lonely
