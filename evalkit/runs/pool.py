"""The worker processes of a batch: started fresh, made anew when one is lost, ended with all they started."""

import itertools
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import evalkit
from evalkit.runs.groups import kill_groups
from evalkit.runs.kernels import Receipt, run_notebook, start_worker, worker_environment
from evalkit.runs.plan import NotebookRun

SERVER_START_LIMIT = 120  # seconds; the imports take about 3, a laptop waking up longer
SERVER_END_LIMIT = 5  # seconds for the server to end its workers


class LostWorker(Exception):
    """The process that ran a notebook is gone, and left no receipt."""


class PlainPool:
    """Worker processes that start a kernel for each notebook; made anew when one is lost."""

    def __init__(self, *, jobs: int) -> None:
        self.jobs = jobs
        self.note = ""

    def __enter__(self) -> "PlainPool":
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


class WarmPool:
    """Forks of one warm server, which is started when the first run comes.

    Attributes
    ----------
    note : why plain kernels are used instead; "" where they are not
    """

    def __init__(self, *, jobs: int) -> None:
        self.jobs = jobs
        self.note = ""
        self.plain: PlainPool | None = None
        self.server: subprocess.Popen[bytes] | None = None
        self.futures: dict[int, Future[Receipt]] = {}
        self.tickets = itertools.count()

    def __enter__(self) -> "WarmPool":
        return self

    def __exit__(self, *exception: object) -> None:
        self.kill()

    def submit(self, run: NotebookRun, *, root: Path, time_limit: float) -> Future[Receipt]:
        """Start a run at once; its future raises LostWorker where the process that ran it was killed."""
        if self.server is None and self.plain is None:
            try:
                self._start()
            except (OSError, EOFError, ImportError, TimeoutError) as trouble:
                self._end_server()
                self.note = f"no warm start ({trouble or type(trouble).__name__}); each notebook has a kernel"
                self.plain = PlainPool(jobs=self.jobs).__enter__()
        if self.plain is not None:
            return self.plain.submit(run, root=root, time_limit=time_limit)
        ticket, future = next(self.tickets), Future[Receipt]()
        self.futures[ticket] = future
        try:
            self.connection.send((ticket, run, root, time_limit))
        except OSError:
            self._lose()
        return future

    def interrupt(self) -> None:
        """Ask every worker to save what it has."""
        if self.plain is not None:
            self.plain.interrupt()
        elif self.server is not None:
            with suppress(OSError):
                self.connection.send("interrupt")

    def kill(self) -> None:
        """End the server; it takes every worker along."""
        if self.plain is not None:
            self.plain.__exit__(None, None, None)
            self.plain = None
        self._end_server()

    def _start(self) -> None:
        if sys.platform != "linux":
            raise OSError("a fork is safe on Linux only")
        self.scratch = Path(tempfile.mkdtemp(prefix="evalkit-"))
        self.connection, there = Pipe()
        # at the end of the path, where it finds an evalkit that is not installed and shadows nothing
        home = str(Path(evalkit.__file__).parents[1])
        program = (
            f"import sys; sys.path.append({home!r}); from evalkit.runs.server import main; "
            f"main({there.fileno()})"
        )
        with there, (self.scratch / "server.txt").open("wb") as said:
            self.server = subprocess.Popen(
                [sys.executable, "-P", "-c", program],
                env={**os.environ, **worker_environment(self.scratch)},
                pass_fds=[there.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                start_new_session=True,
            )
        if not self.connection.poll(SERVER_START_LIMIT):
            raise TimeoutError(f"the server was not ready within {SERVER_START_LIMIT} s")
        try:
            hello = self.connection.recv()
        except EOFError:
            lines = (self.scratch / "server.txt").read_text(encoding="utf-8", errors="replace").splitlines()
            raise ImportError(lines[-1] if lines else "the server ended at once") from None
        if hello.evalkit != evalkit.__file__:
            raise ImportError(f"the server found another evalkit, {hello.evalkit}")
        if hello.threads != 1:
            raise OSError(f"{hello.threads} threads run after the imports")
        listener = threading.Thread(target=self._listen, args=(self.connection,), daemon=True)
        listener.start()

    def _listen(self, connection: Connection) -> None:
        """Hand each receipt to its future, until the server is gone."""
        while True:
            try:
                ticket, receipt = connection.recv()
            except (EOFError, OSError):
                break
            if receipt is None:
                self.futures.pop(ticket).set_exception(LostWorker())
            else:
                self.futures.pop(ticket).set_result(receipt)
        if connection is self.connection:
            self._lose()

    def _lose(self) -> None:
        self._end_server()
        while self.futures:
            self.futures.popitem()[1].set_exception(LostWorker())

    def _end_server(self) -> None:
        server, self.server = self.server, None
        if server is None:
            return
        with suppress(OSError):
            self.connection.close()
        try:
            server.wait(SERVER_END_LIMIT)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        kill_groups(self.scratch)
        shutil.rmtree(self.scratch, ignore_errors=True)


def new_pool(*, jobs: int, warm: bool) -> PlainPool | WarmPool:
    """Return the processes that a batch runs in, not yet started."""
    return WarmPool(jobs=jobs) if warm else PlainPool(jobs=jobs)


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
