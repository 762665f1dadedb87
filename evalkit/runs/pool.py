"""The worker processes of a batch: started fresh, made anew when one is lost, ended with all they started."""

import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

from evalkit.runs.kernels import Receipt, kill_groups, run_notebook, start_worker
from evalkit.runs.plan import NotebookRun


class WorkerPool:
    """Worker processes that can be interrupted, killed, and made anew when one is lost."""

    def __init__(self, *, jobs: int) -> None:
        self.jobs = jobs

    def __enter__(self) -> "WorkerPool":
        self.scratch = Path(tempfile.mkdtemp(prefix="evalkit-"))
        self.others = set(multiprocessing.active_children())
        self.executor = self._new_executor()
        return self

    def __exit__(self, *exception: object) -> None:
        if exception[0] is not None:
            self.kill()
        self.executor.shutdown(wait=True, cancel_futures=True)
        kill_groups(self.scratch)
        shutil.rmtree(self.scratch, ignore_errors=True)

    def submit(self, run: NotebookRun, *, root: Path, time_limit: float) -> Future[Receipt]:
        """Queue a run."""
        try:
            return self.executor.submit(run_notebook, run, root=root, time_limit=time_limit)
        except BrokenProcessPool:
            self.executor.shutdown(wait=True)
            kill_groups(self.scratch)
            self.executor = self._new_executor()
            return self.executor.submit(run_notebook, run, root=root, time_limit=time_limit)

    def interrupt(self) -> None:
        """Ask every worker to save what it has."""
        for worker in self._workers():
            if worker.pid is not None:
                os.kill(worker.pid, signal.SIGINT)

    def kill(self) -> None:
        """End every worker; each takes its kernel along."""
        for worker in self._workers():
            worker.terminate()
        for worker in self._workers():
            worker.join(1)
            worker.kill()

    def _workers(self) -> list[BaseProcess]:
        return [process for process in multiprocessing.active_children() if process not in self.others]

    def _new_executor(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self.jobs,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=start_worker,
            initargs=(self.scratch,),
        )


@contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM in a list instead of being torn down by them."""
    caught: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield caught
        return
    before = {
        number: signal.signal(number, lambda signum, frame: caught.append(signum))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
