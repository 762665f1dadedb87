"""The worker processes of a batch: started fresh, made anew when one is lost, ended with all they started."""

import itertools
import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, InvalidStateError, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import Protocol, Self

import evalkit
from evalkit.runs.groups import kill_group, kill_groups
from evalkit.runs.kernels import (
    Receipt,
    hung_receipt,
    start_worker,
    worker_environment,
)
from evalkit.runs.pages import Job, run_job

SERVER_START_LIMIT = 120  # seconds; the imports take about 3, a laptop waking up longer
SERVER_END_LIMIT = 5  # seconds for the server to end its workers


class Pool(Protocol):
    """What a batch's notebooks run in; entered before use, and left with no process of theirs alive.

    Attributes
    ----------
    note : why the runs were slower than they might be; "" when they were not
    """

    note: str

    @property
    def jobs(self) -> int:
        """Notebooks at a time."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...

    def submit(self, run: Job, *, root: Path, time_limit: float) -> Future[Receipt]:
        """Start a run; its future raises LostWorker where the process that ran it was killed."""

    def interrupt(self) -> None:
        """Ask every run to save what it has."""

    def kill(self) -> None:
        """End every run at once."""


class LostWorker(Exception):
    """The process that ran a notebook is gone, and left no receipt."""


@dataclass(frozen=True, kw_only=True)
class _Worker:
    """One process with an executor of its own, so that a lost or hung one takes no other along."""

    executor: ProcessPoolExecutor
    process: BaseProcess

    def end(self, scratch: Path) -> None:
        """End it with its kernel and all that this started."""
        group = self.process.pid
        self.process.kill()
        if group is not None:
            kill_group(group)
            kill_groups(scratch, watcher=group)


class PlainPool:
    """Worker processes that start a kernel for each notebook; one is made anew when it is lost."""

    def __init__(self, *, jobs: int) -> None:
        self.jobs = jobs
        self.note = ""
        self.workers: list[_Worker] = []
        self.idle: list[_Worker] = []

    def __enter__(self) -> Self:
        self.scratch = Path(tempfile.mkdtemp(prefix="evalkit-"))
        return self

    def __exit__(self, *exception: object) -> None:
        if exception[0] is not None:
            self.kill()
        for worker in self.workers:
            worker.executor.shutdown(wait=True, cancel_futures=True)
        kill_groups(self.scratch)
        shutil.rmtree(self.scratch, ignore_errors=True)

    def submit(self, run: Job, *, root: Path, time_limit: float) -> Future[Receipt]:
        """Start a run at once; its future raises LostWorker where the process that ran it was killed."""
        worker = self.idle.pop() if self.idle else self._new_worker()
        future = Future[Receipt]()

        def settle(ended: Future[Receipt]) -> None:
            failure = BrokenProcessPool() if ended.cancelled() else ended.exception()
            if isinstance(failure, BrokenProcessPool):
                worker.end(self.scratch)
                failure = LostWorker()
            else:
                self.idle.append(worker)
            with suppress(InvalidStateError):
                if failure is None:
                    future.set_result(ended.result())
                else:
                    future.set_exception(failure)

        try:
            ended = worker.executor.submit(run_job, run, root=root, time_limit=time_limit)
        except BrokenProcessPool:
            future.set_exception(LostWorker())
            return future
        ended.add_done_callback(settle)
        receipt = hung_receipt(time_limit)
        _end_hung(future, receipt, seconds=receipt.seconds, end=lambda: worker.end(self.scratch))
        return future

    def interrupt(self) -> None:
        """Ask every worker to save what it has."""
        for worker in self.workers:
            if worker.process.is_alive() and worker.process.pid is not None:
                os.kill(worker.process.pid, signal.SIGINT)

    def kill(self) -> None:
        """End every worker; each takes its kernel along."""
        for worker in self.workers:
            worker.process.terminate()
        for worker in self.workers:
            worker.process.join(1)
            worker.end(self.scratch)

    def _new_worker(self) -> _Worker:
        executor = ProcessPoolExecutor(
            1,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=start_worker,
            initargs=(self.scratch,),
        )
        before = set(multiprocessing.active_children())
        executor.submit(os.getpid)  # the first task starts the process
        (process,) = set(multiprocessing.active_children()) - before
        worker = _Worker(executor=executor, process=process)
        self.workers.append(worker)
        return worker


class WarmPool:
    """Forks of one warm server, which is started when the first run comes.

    Attributes
    ----------
    note : why plain kernels are used instead; "" where they are not
    forks : whether a notebook gets a fork of the server's warm shell; else a kernel
    """

    def __init__(self, *, jobs: int, forks: bool = True) -> None:
        self.jobs = jobs
        self.note = ""
        self.forks = forks
        self.plain: PlainPool | None = None
        self.server: subprocess.Popen[bytes] | None = None
        self.futures: dict[int, Future[Receipt]] = {}
        self.tickets = itertools.count()
        self.lock = threading.RLock()  # the listener may meet the server's end while a run is submitted

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.kill()

    def submit(self, run: Job, *, root: Path, time_limit: float) -> Future[Receipt]:
        """Start a run at once; its future raises LostWorker where the process that ran it was killed."""
        with self.lock:
            self.start()
            if self.plain is not None:
                return self.plain.submit(run, root=root, time_limit=time_limit)
            ticket, future = next(self.tickets), Future[Receipt]()
            self.futures[ticket] = future
            server = self.server
            try:
                self.connection.send((ticket, run, root, time_limit, self.forks))
            except OSError:
                self._lose()
        receipt = hung_receipt(time_limit)
        if server is not None:
            # the server ends a hung worker; this is for a server that hangs itself
            _end_hung(future, receipt, seconds=receipt.seconds + SERVER_END_LIMIT, end=server.kill)
        return future

    def start(self) -> Path:
        """Start the server unless it runs; return a folder that goes when the processes go."""
        with self.lock:
            if self.server is None and self.plain is None:
                self.scratch = Path(tempfile.mkdtemp(prefix="evalkit-"))
                try:
                    self._start()
                except (OSError, EOFError, ImportError, TimeoutError) as trouble:
                    self._end_server()
                    shutil.rmtree(self.scratch, ignore_errors=True)
                    reason = str(trouble) or type(trouble).__name__
                    self.note = f"no warm start ({reason}); each notebook has a kernel"
                    self.plain = PlainPool(jobs=self.jobs).__enter__()
            return self.scratch if self.plain is None else self.plain.scratch

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
            future = self.futures.pop(ticket)
            with suppress(InvalidStateError):
                if receipt is None:
                    future.set_exception(LostWorker())
                else:
                    future.set_result(receipt)
        with self.lock:
            if connection is self.connection:
                self._lose()

    def _lose(self) -> None:
        with self.lock:
            self._end_server()
            while self.futures:
                with suppress(InvalidStateError):
                    self.futures.popitem()[1].set_exception(LostWorker())

    def _end_server(self) -> None:
        with self.lock:
            server, self.server = self.server, None
            if server is None:
                return
            # while the listener reads, a mere close would not be heard at the other end
            with suppress(OSError), socket.socket(fileno=os.dup(self.connection.fileno())) as pipe:
                pipe.shutdown(socket.SHUT_RDWR)
            self.connection.close()
            try:
                server.wait(SERVER_END_LIMIT)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
            kill_groups(self.scratch)
            shutil.rmtree(self.scratch, ignore_errors=True)


def _end_hung(future: Future[Receipt], receipt: Receipt, *, seconds: float, end: Callable[[], None]) -> None:
    """Have a run that does not end by itself end with this receipt, and end whoever runs it."""

    def give_up() -> None:
        with suppress(InvalidStateError):
            future.set_result(receipt)
        end()

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()
    future.add_done_callback(lambda _: timer.cancel())


def new_pool(*, jobs: int, warm: bool) -> Pool:
    """Return the processes that a batch runs in, not yet started."""
    return WarmPool(jobs=jobs) if warm else PlainPool(jobs=jobs)


class Stopped(BaseException):
    """A signal of this number asked the process to stop."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(number)


@contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Collect the signals that ask for a stop in a list instead of being torn down by them."""
    caught: list[int] = []
    with _handled(lambda signum, frame: caught.append(signum)):
        yield caught


@contextmanager
def stop_at_once() -> Iterator[None]:
    """Raise Stopped at the first signal that asks for a stop; later ones do not disturb the cleaning up."""
    caught: list[int] = []

    def stop(signum: int, frame: FrameType | None) -> None:
        caught.append(signum)
        if len(caught) == 1:
            raise Stopped(signum)

    with _handled(stop):
        yield


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Have a handler for the signals that ask for a stop, as far as this thread may and nohup leaves them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [signal.SIGINT, signal.SIGTERM]
    hangup = getattr(signal, "SIGHUP", None)  # not on Windows; sent when a terminal or ssh session is closed
    if hangup is not None and signal.getsignal(hangup) != signal.SIG_IGN:
        numbers.append(hangup)
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
