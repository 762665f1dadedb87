"""A batch's notebooks on the workers of a Dask cluster.

Dask chooses the worker, and starts a task again whose worker is gone; what has run and what is lost the
receipts say, not Dask. This process fetches what the workers made, and alone writes records. Pages are made
on this machine, which has the renderer.
"""

import gc
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Self
from uuid import uuid4

from evalkit.errors import RunError, raise_together
from evalkit.runs.cluster_worker import TOKEN, end_batch, greet, interrupt_batch, run_on_worker
from evalkit.runs.execute import core_count
from evalkit.runs.kernels import Receipt
from evalkit.runs.pages import Job, PageRun
from evalkit.runs.plan import NotebookRun, Plan
from evalkit.runs.pool import LostWorker, WarmPool
from evalkit.runs.record import hash_evalkit, library_versions
from evalkit.runs.share import (
    ClusterJob,
    Outcome,
    Share,
    differences,
    first_unseen,
    needed_files,
    read_outcome,
)

BATCHES = ".cluster"  # in outputs/: a folder for the batch under way, and for one that was torn down
SHARE_NOTE = "share"  # in that folder: where else the batch has files
EXTRA_IS_MISSING = "a cluster needs the extra of that name: pip install 'evalkit[cluster]'"
CONNECT_LIMIT = 10.0  # seconds for the scheduler to answer
WORKER_LIMIT = 60.0  # seconds for the first worker to come, and for another when all are gone
TELL_LIMIT = 20.0  # seconds for the workers to end a batch
COUNT_CHECK = 2.0  # seconds between two counts of the workers, which come and go


class ClusterPool:
    """The workers of a Dask cluster, as what a batch runs in.

    Parameters
    ----------
    address : of the scheduler, such as tcp://host:8786, or its scheduler file
    share : an fsspec URL that every worker can read and write; "" where all see the workspace itself at the
        same path
    jobs : notebooks at a time; None for as many as the workers have threads
    warm : see `run_plan`

    Raises
    ------
    RunError : on entering; nobody answers, no worker comes, or one does not see the shared folder or has
        other versions than this machine.
    """

    def __init__(
        self, plan: Plan, *, address: str, share: str = "", jobs: int | None = None, warm: bool = True
    ) -> None:
        self.plan = plan
        self.address = address
        self.url = share.rstrip("/")
        self.asked = jobs
        self.warm = warm
        self.note = ""
        self.batch = uuid4().hex
        self.folder = plan.root / "outputs" / BATCHES / self.batch
        self.place = f"{self.url}/evalkit-{self.batch}" if share else str(self.folder)
        self.here = WarmPool(jobs=core_count())
        self.printers = ThreadPoolExecutor(self.here.jobs)
        self.attempts: Counter[NotebookRun] = Counter()
        self.under_way: dict[Future[Receipt], Any] = {}
        self.kept: set[str] = set()
        self.placing = threading.Lock()
        self.closed = False
        self.threads = 0
        self.counted = self.seen = monotonic()

    @property
    def jobs(self) -> int:
        """Notebooks at a time: what was asked for, or the threads of the workers that are there now.

        Raises
        ------
        RunError : for a minute there has been no worker, or the scheduler is gone.
        """
        if monotonic() - self.counted > COUNT_CHECK:
            self._count_threads()
        return self.asked or max(1, self.threads)

    def __enter__(self) -> Self:
        self.share = self._open_share()
        self.client = _connect(self.address)
        try:
            self._await_workers()
            self._sweep()
            self.folder.mkdir(parents=True)
            (self.folder / SHARE_NOTE).write_text(self.place if self.url else "", encoding="utf-8")
            self._put(lambda: self.share.write(TOKEN, self.batch.encode()))
            self._greet()
        except BaseException as trouble:
            self.__exit__(type(trouble), trouble, None)
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            self.kill()
            self.client.close()
        finally:
            self.share.remove()
            shutil.rmtree(self.folder, ignore_errors=True)
            with suppress(OSError):
                self.folder.parent.rmdir()

    def submit(self, run: Job, *, root: Path, time_limit: float) -> Future[Receipt]:
        """Queue a run; its future raises LostWorker where the worker that ran it is gone."""
        if isinstance(run, PageRun):
            return self.printers.submit(
                lambda: self.here.submit(run, root=root, time_limit=time_limit).result()
            )
        files, identity = needed_files(self.plan, run)
        if self.url:
            self._put(lambda: self._send(files))
        job = ClusterJob(
            batch=self.batch,
            attempt=self.attempts[run],
            run=run,
            root=root,
            time_limit=time_limit,
            warm=self.warm,
            place=self.place,
            travels=bool(self.url),
            files=files,
            identity=identity,
        )
        self._check_scheduler()
        self.attempts[run] += 1
        future = Future[Receipt]()
        key = f"evalkit-{self.batch}-{run.label.replace('/', '-')}-{job.attempt}"
        task = self.client.submit(run_on_worker, job, key=key, pure=False, retries=0)
        self.under_way[future] = task
        task.add_done_callback(partial(self._settle, job, future))
        return future

    def interrupt(self) -> None:
        """Have every run save what it has, and none start."""
        self.here.interrupt()
        self._tell(interrupt_batch)

    def kill(self) -> None:
        """End every run, and all that the workers hold for this batch."""
        with self.placing:
            self.closed = True
        self.printers.shutdown(wait=False, cancel_futures=True)
        self.here.kill()
        tasks = list(self.under_way.values())
        if self.client.status == "running":
            self.client.cancel(tasks, force=True)
        self._tell(end_batch)

    def _settle(self, job: ClusterJob, future: Future[Receipt], task: Any) -> None:
        """Hand a run's receipt to its future, once all that it made is in place here."""
        try:
            future.set_result(self._receive(job, task))
        except LostWorker as lost:
            future.set_exception(lost)
        except Exception as trouble:  # noqa: BLE001 (a share may raise anything, and a future must end)
            # it is not the notebook's fault, so that what an earlier run left stays
            error = str(trouble) or type(trouble).__name__
            future.set_result(Receipt(status="interrupted", error=error, saved=None, seconds=0.0))
        finally:
            self.under_way.pop(future, None)
            task.release()

    def _receive(self, job: ClusterJob, task: Any) -> Receipt:
        from asyncio import CancelledError

        from distributed import KilledWorker

        try:
            content = task.result()
        except (KilledWorker, CancelledError) as gone:
            raise LostWorker from gone
        except Exception as trouble:
            raise RunError(f"a worker could not run it: {type(trouble).__name__}: {trouble}") from trouble
        outcome = read_outcome(content, job.run, job.root)
        self.note = self.note or outcome.note
        if outcome.status is None:
            raise LostWorker
        with self.placing:
            if self.closed:
                raise LostWorker
            self._fetch(job, outcome)
        return outcome.receipt(job.root)

    def _fetch(self, job: ClusterJob, outcome: Outcome) -> None:
        if not self.url:
            if unseen := first_unseen(outcome.outputs, job.root):
                raise RunError(f"{unseen}: a worker has written it, and this machine does not see it so")
            return
        # the notebook last: where it stands, all stands
        for name, sha256 in sorted(outcome.outputs.items(), key=lambda item: item[0] == outcome.saved):
            self.share.fetch(sha256, job.root / name)
        if outcome.status == "done":
            job.run.failed.unlink(missing_ok=True)
        if job.run.overflow.relative_to(job.root).as_posix() not in outcome.outputs:
            job.run.overflow.unlink(missing_ok=True)

    def _put(self, put: Callable[[], None]) -> None:
        try:
            put()
        except RunError:
            raise
        except Exception as trouble:
            raise RunError(
                f"{self.place}: cannot write there ({type(trouble).__name__}: {trouble})"
            ) from trouble

    def _send(self, files: Mapping[str, str]) -> None:
        for name, sha256 in files.items():
            if sha256 not in self.kept:
                if self.share.keep(self.plan.root / name) != sha256:
                    raise RunError(f"{name}: it was changed while the run was on its way; run again")
                self.kept.add(sha256)

    def _open_share(self) -> Share:
        if self.url.startswith("memory:"):
            raise RunError(
                f"{self.url}: what is in memory is seen by one process only; name a place that every worker "
                "can reach, such as file:///mnt/evalkit or s3://bucket/evalkit"
            )
        try:
            return Share(self.place, is_url=bool(self.url))
        except ModuleNotFoundError as missing:
            raise RunError(EXTRA_IS_MISSING) from missing
        except (ImportError, ValueError) as trouble:
            raise RunError(f"{self.url}: {trouble}") from trouble

    def _await_workers(self) -> None:
        deadline = monotonic() + WORKER_LIMIT
        while not self.client.nthreads():
            if monotonic() > deadline:
                raise RunError(
                    f"{self.address}: no worker came within {WORKER_LIMIT:g} s; start some with "
                    f"`dask worker {self.address}`"
                )
            sleep(COUNT_CHECK / 10)
        self._count_threads()

    def _count_threads(self) -> None:
        self._check_scheduler()
        self.counted = monotonic()
        self.threads = sum(self.client.nthreads().values())
        if self.threads:
            self.seen = self.counted
        elif self.counted - self.seen > WORKER_LIMIT:
            raise RunError(
                f"{self.address}: every worker is gone; what is finished is kept, so start some and run again"
            )

    def _check_scheduler(self) -> None:
        if self.client.status != "running":
            raise RunError(
                f"{self.address}: the scheduler is gone; what is finished is kept, so start it and run again"
            )

    def _sweep(self) -> None:
        """Remove what a batch that was torn down has left; the lock on the workspace says that it is over."""
        for folder in self.folder.parent.glob("*"):
            self._tell(end_batch, batch=folder.name)
            note = folder / SHARE_NOTE
            place = note.read_text(encoding="utf-8") if note.is_file() else ""
            try:
                if place:
                    Share(place, is_url=True).remove()
            except (OSError, ImportError, ValueError) as trouble:
                self.note = f"{place}: an earlier batch has left files there ({trouble}); remove them"
            shutil.rmtree(folder)

    def _greet(self) -> None:
        identity = {"evalkit_sha256": hash_evalkit(), "versions": library_versions()}
        answers = self.client.run(greet, self.place, is_url=bool(self.url), on_error="return")
        raise_together(
            RunError,
            (
                f"the worker {address} {problem}"
                for address, answer in answers.items()
                for problem in self._refusals(answer, identity)
            ),
        )

    def _refusals(self, answer: Any, identity: dict[str, Any]) -> list[str]:
        if isinstance(answer, Exception):
            what = f"{type(answer).__name__}: {answer}"
            return [f"has no evalkit like this one ({what}); install the same there"]
        refusals = []
        if answer["trouble"]:
            mend = (
                "let it read and write there" if self.url else "mount it at the same path, or name a --share"
            )
            refusals.append(f"on {answer['machine']} does not see {self.place} ({answer['trouble']}); {mend}")
        if other := differences(identity, answer):
            refusals.append(f"on {answer['machine']} has {', '.join(other)}; install the same there")
        return refusals

    def _tell(self, what: Callable[..., Any], *, batch: str = "") -> None:
        """Have every worker do something, and wait a little; one that does not answer has nothing to end."""
        if self.client.status != "running":
            return
        batch = batch or self.batch

        def tell() -> None:
            with suppress(OSError, RuntimeError):
                self.client.run(what, batch, on_error="ignore")

        teller = threading.Thread(target=tell, daemon=True)
        teller.start()
        teller.join(TELL_LIMIT)


def _connect(address: str) -> Any:
    try:
        from distributed import Client
    except ModuleNotFoundError as missing:
        raise RunError(EXTRA_IS_MISSING) from missing
    is_file = address.endswith(".json")
    if is_file and not Path(address).is_file():
        raise RunError(
            f"{address}: there is no such scheduler file; `dask scheduler` writes it when it starts"
        )
    named = {"scheduler_file": address} if is_file else {"address": address}
    try:
        return Client(**named, timeout=CONNECT_LIMIT, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TypeError, RuntimeError) as trouble:
        why = str(trouble)
    # A client that was refused closes when it is collected, and takes the lock under which a loop is started.
    # Left to chance, that could be on the thread of the next client's loop, which would then never start.
    gc.collect()
    raise RunError(
        f"{address}: no Dask scheduler answers there ({why}); start one with `dask scheduler`, and "
        "name the address that it prints, such as tcp://host:8786"
    )
