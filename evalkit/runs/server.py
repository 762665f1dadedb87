"""The warm server: a process that has imported everything once and forks a worker for each notebook.

It is started as a program of its own, says what it has imported, and runs no thread, so that its forks are
safe. It ends, and ends all that it started, when the pipe to the process that started it is closed.
"""

import functools
import gc
import importlib
import os
import pkgutil
import shutil
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, NoReturn

from evalkit.runs.groups import SCRATCH_VARIABLE, die_with_parent, kill_group, kill_groups
from evalkit.runs.kernels import WORKER_GRACE, Receipt, become_worker, hung_receipt
from evalkit.runs.pages import Job, run_job

if TYPE_CHECKING:
    from evalkit.dictionary import DataDictionary

# Whatever a notebook of evalkit's imports, and what the worker needs to run it.
PRELOADED = (
    "numpy",
    "pandas",
    "scipy.stats",
    "scipy.optimize",
    "statsmodels.api",
    "matplotlib.backends.backend_agg",
    "matplotlib.pyplot",
    "seaborn",
    "networkx",
    "matplotlib.patheffects",
    "PIL.PngImagePlugin",
    "pandas.io.formats.csvs",
    "pandas.io.formats.string",
    "pyarrow.dataset",
    "pyarrow.parquet",
    "pandera.pandas",
    "hypothesis.strategies",
    "yaml",
    "ipykernel.ipkernel",
    "evalkit.views",
    "evalkit.readers",
    "evalkit.runs.engines",
    "evalkit.runs.guard",
    "evalkit.publish",
    "evalkit.disclosure.scan",
    "pypandoc",
    "typst",
    "pypdfium2",
)
OPTIONAL = ("hypothesis.strategies",)  # pandera takes it where it is found


@dataclass(frozen=True, kw_only=True)
class Hello:
    """What the server says of itself once it is ready.

    Attributes
    ----------
    threads : of the process, as the system counts them; more than 1 makes a fork unsafe
    """

    evalkit: str
    imported: tuple[str, ...]
    threads: int


@dataclass(frozen=True, kw_only=True)
class _Worker:
    ticket: int
    process: int
    time_limit: float
    deadline: float


def main(descriptor: int) -> NoReturn:
    """Serve the process at the other end of a pipe until it closes it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = Connection(descriptor)
    if sys.path.count(sys.path[-1]) > 1:
        sys.path.pop()
    preload()
    from evalkit.runs.engines import WarmEngine
    from evalkit.runs.shell import new_shell

    WarmEngine.warm = new_shell()
    hello = Hello(
        evalkit=str(sys.modules["evalkit"].__file__),
        imported=tuple(name for name in PRELOADED if name in sys.modules),
        threads=_thread_count(),
    )
    gc.collect()
    gc.freeze()
    server = _Server(connection)
    try:
        connection.send(hello)
    except OSError:  # who started it is gone already
        server.end()
    server.serve()


class _Server:
    """The workers under way, each with the pipe on which its receipt will come."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.workers: dict[Connection, _Worker] = {}

    def serve(self) -> NoReturn:
        signal.signal(signal.SIGTERM, lambda signum, frame: self.end())
        while True:
            now = monotonic()
            nearest = min((worker.deadline - now for worker in self.workers.values()), default=None)
            ready = wait([self.connection, *self.workers], timeout=nearest and max(0.0, nearest))
            for pipe in ready:
                if pipe is not self.connection:
                    self._settle(pipe)  # type: ignore[arg-type]
            if self.connection in ready:
                self._obey()
            for pipe in [pipe for pipe, worker in self.workers.items() if worker.deadline < monotonic()]:
                worker = self.workers[pipe]
                kill_group(worker.process)
                self._settle(pipe, otherwise=hung_receipt(worker.time_limit))

    def end(self) -> NoReturn:
        """End every worker with all that it started, and then this process."""
        for worker in self.workers.values():
            kill_group(worker.process)
        scratch = Path(os.environ[SCRATCH_VARIABLE])
        kill_groups(scratch)
        shutil.rmtree(scratch, ignore_errors=True)
        os._exit(0)

    def _obey(self) -> None:
        try:
            asked: Any = self.connection.recv()
        except (EOFError, OSError):
            self.end()
        if asked == "interrupt":
            for worker in self.workers.values():
                with suppress(ProcessLookupError):
                    os.kill(worker.process, signal.SIGINT)
            return
        ticket, run, root, time_limit, warm = asked
        if run.terms is not None:
            read_ahead(run.terms.network, root)
        self._start(ticket, run, root=root, time_limit=time_limit, warm=warm)

    def _start(self, ticket: int, run: Job, *, root: Path, time_limit: float, warm: bool) -> None:
        here, there = Pipe(duplex=False)
        server = os.getpid()
        process = os.fork()
        if process == 0:
            try:
                become_worker()
                die_with_parent(server)
                for pipe in (self.connection, here, *self.workers):
                    pipe.close()
                there.send(run_job(run, root=root, time_limit=time_limit, warm=warm))
            finally:
                os._exit(0)
        there.close()
        deadline = monotonic() + time_limit + WORKER_GRACE
        self.workers[here] = _Worker(ticket=ticket, process=process, time_limit=time_limit, deadline=deadline)

    def _settle(self, pipe: Connection, *, otherwise: Receipt | None = None) -> None:
        """Hand on a worker's receipt, `otherwise` where it left none, and let nothing of it stay."""
        worker = self.workers.pop(pipe)
        try:
            receipt = pipe.recv() if pipe.poll() else otherwise
        except (EOFError, OSError):
            receipt = otherwise
        pipe.close()
        kill_group(worker.process)
        kill_groups(Path(os.environ[SCRATCH_VARIABLE]), watcher=worker.process)
        os.waitpid(worker.process, 0)
        with suppress(OSError):
            self.connection.send((worker.ticket, receipt))


def preload() -> None:
    """Import, and do once, what notebooks would each import and do."""
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # see become_worker
    for name in PRELOADED:
        with suppress(*([ImportError] if name in OPTIONAL else [])):
            importlib.import_module(name)
    import evalkit
    import evalkit.charts

    for found in pkgutil.iter_modules(evalkit.charts.__path__, "evalkit.charts."):
        importlib.import_module(found.name)
    for name in evalkit.__all__:
        getattr(evalkit, name)
    _draw_once()


def _draw_once() -> None:
    """Draw a word, so that fonts are found and read before the fork."""
    import io

    from matplotlib.figure import Figure

    figure = Figure()
    figure.add_subplot().set_title("warm")
    figure.savefig(io.BytesIO(), format="png")


@functools.cache
def read_ahead(network: str, root: Path) -> None:
    """Read a network's parameters for all forks; what is wrong with them the notebooks will say."""
    from evalkit.errors import EvalkitError
    from evalkit.site_data import read_declared
    from evalkit.workspace import find_workspace

    with suppress(EvalkitError, OSError):
        home, _ = read_declared(find_workspace(root).root, network)
        _check_once(home.dictionary)


def _check_once(dictionary: "DataDictionary") -> None:
    """Check one row, so that the checks have found what they need before the fork."""
    import pandas as pd

    from evalkit.checks import KEY, NUMBERS, row_problems

    row = {**dict.fromkeys(KEY, "x"), **dict.fromkeys(NUMBERS, 1.0), "status": "reported", "source": "x"}
    list(row_problems(pd.DataFrame([row]), dictionary))


def _thread_count() -> int:
    tasks = Path("/proc/self/task")
    return len(list(tasks.iterdir())) if tasks.is_dir() else threading.active_count()
