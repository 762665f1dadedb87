"""A notebook's shell: a forked process that runs cells in IPython and tells its parent what they put out.

It is the very shell of a Jupyter kernel (hooks, magics, display) with a pipe in the place of sockets.
"""

import asyncio
import builtins
import codecs
import io
import os
import pickle
import random
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

STREAM_CHUNK = 65_536  # characters of a stream that are held back at most
STREAM_FILES = {"stdout": 1, "stderr": 2}

Emit = Callable[[str, dict[str, Any]], None]


class Outlet:
    """Where the messages of a shell go: nowhere, until a fork gives it its pipe."""

    connection: Connection | None = None
    owner = 0

    def emit(self, kind: str, content: dict[str, Any]) -> None:
        """Send one message; a process that the notebook forked itself stays silent."""
        if self.connection is None or self.owner != os.getpid():
            return
        message = pickle.dumps((kind, content))
        # an interrupt may not tear a message
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self.connection.send_bytes(message)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


class CellStream(io.TextIOBase):
    """Stands for stdout or stderr; also takes what was written past Python to the file descriptor."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, name: str, emit: Emit) -> None:
        self.name = name
        self.emit = emit
        self.pending: list[str] = []
        self.length = 0
        self.taken = 0
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.owner = os.getpid()
        self.other: CellStream | None = None

    def fileno(self) -> int:
        """Return the descriptor that a program started by the notebook writes to."""
        return STREAM_FILES[self.name]

    def writable(self) -> bool:
        """Tell that it can be written to."""
        return True

    def write(self, text: str) -> int:
        """Keep a piece of text until there is enough to send, or the other stream is written to."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text)}")
        if os.getpid() != self.owner:
            os.write(self.fileno(), text.encode("utf-8", "replace"))
            return len(text)
        if self.other is not None and self.other.pending:
            self.other.flush()
        self.pending.append(text)
        self.length += len(text)
        if self.length > STREAM_CHUNK:
            self.flush()
        return len(text)

    def flush(self) -> None:
        """Send what is held back, then what programs wrote."""
        if os.getpid() != self.owner:
            return
        pieces, self.pending, self.length = self.pending, [], 0
        if pieces:
            self.emit("stream", {"name": self.name, "text": "".join(pieces)})
        while os.fstat(self.fileno()).st_size > self.taken:
            written = os.pread(self.fileno(), STREAM_CHUNK, self.taken)
            self.taken += len(written)
            if text := self.decoder.decode(written):
                self.emit("stream", {"name": self.name, "text": text})


def new_shell() -> tuple[Any, Outlet]:
    """Make the shell that every fork inherits, untouched; it starts no thread and keeps no history file."""
    from ipykernel.compiler import XCachingCompiler
    from ipykernel.zmqshell import ZMQInteractiveShell
    from jupyter_client.session import Session
    from traitlets.config import Config

    outlet = Outlet()

    class PipeSession(Session):
        def send(
            self, stream: Any, msg_or_type: Any, content: Any = None, *_: Any, **__: Any
        ) -> dict[str, Any] | None:
            message = self.msg(msg_or_type, content) if isinstance(msg_or_type, str) else msg_or_type
            # packed as in a kernel, which makes text of NaN, lists of tuples, and says so where it must
            packed = self.serialize(message)[-1]
            outlet.emit(message["header"]["msg_type"], self.unpack(packed))
            return None

    quiet = Config({"HistoryManager": {"enabled": False}})
    shell: Any = ZMQInteractiveShell.instance(
        config=quiet,
        compiler_class=XCachingCompiler,
        kernel=SimpleNamespace(eventloop=None),
    )
    for publisher in (shell.displayhook, shell.display_pub):
        publisher.session = PipeSession()
        publisher.pub_socket = None
    shell.displayhook.topic = b"execute_result"
    return shell, outlet


def serve_cells(shell: Any, outlet: Outlet, connection: Connection, *, root: Path) -> NoReturn:
    """Run the cells that come through the pipe, until it is closed; the process ends with it.

    A cell is asked for by its source. It is answered by messages as a kernel's (kind, content), the last of
    which is ("reply", {"status": "ok" | "error"}).
    """
    outlet.connection, outlet.owner = connection, os.getpid()
    _separate_from_other_forks(root)
    streams = [CellStream(name, outlet.emit) for name in STREAM_FILES]
    streams[0].other, streams[1].other = streams[1], streams[0]
    sys.stdout, sys.stderr = streams
    builtins.input = _no_input
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    while True:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            source = connection.recv()
        except EOFError:
            os._exit(0)
        outlet.emit("execute_input", {"execution_count": shell.execution_count})
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            succeeded = loop.run_until_complete(_run_cell(shell, source))
        except KeyboardInterrupt:
            shell.showtraceback()
            succeeded = False
        for stream in streams:
            stream.flush()
        outlet.emit("reply", {"status": "ok" if succeeded else "error"})
        if shell.exit_now:
            os._exit(0)


async def _run_cell(shell: Any, source: str) -> bool:
    """Run one cell as a kernel does: with a running event loop, awaiting only what asks for it."""
    problem = None
    try:
        transformed = shell.transform_cell(source)
    except Exception:  # noqa: BLE001 (IPython reports whatever a transformer raised)
        transformed, problem = source, sys.exc_info()
    if shell.should_run_async(source, transformed_cell=transformed, preprocessing_exc_tuple=problem):
        shell._last_traceback_during_displayhook = False
        result = None
        try:
            result = await shell.run_cell_async(
                source, store_history=True, transformed_cell=transformed, preprocessing_exc_tuple=problem
            )
        finally:
            shell.events.trigger("post_execute")
            shell.events.trigger("post_run_cell", result)
    else:
        result = shell.run_cell(source, store_history=True)
    return bool(result.success) and not shell._last_traceback_during_displayhook


def _separate_from_other_forks(root: Path) -> None:
    import tempfile

    import numpy

    os.chdir(root)
    random.seed()
    numpy.random.seed()  # noqa: NPY002 (a notebook may use the old generator, and forks must not agree)
    for descriptor in STREAM_FILES.values():
        with tempfile.TemporaryFile(dir=os.environ["JUPYTER_RUNTIME_DIR"], mode="a+b", buffering=0) as file:
            os.dup2(file.fileno(), descriptor)


def _no_input(prompt: object = "") -> NoReturn:
    from IPython.core.error import StdinNotImplementedError

    # the words of the plain kernel, so that both engines leave the same notebook
    raise StdinNotImplementedError("raw_input was called, but this frontend does not support input requests.")
