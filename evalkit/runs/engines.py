"""The two papermill engines of a batch: a Jupyter kernel for each notebook, or a fork of a warm shell.

Both record no clock, end the kernel at once with all that it started, and hand out the notebook as far as
it came.
"""

import json
import math
import os
import pickle
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Empty
from time import monotonic
from typing import Any, ClassVar, NoReturn, TextIO
from uuid import uuid4

import zmq
from jupyter_client.asynchronous.client import AsyncKernelClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, papermill_engines
from traitlets.config import Config

from evalkit.runs.groups import SCRATCH_VARIABLE, die_with_parent, forget_group, kill_group, note_group
from evalkit.runs.shell import Outlet, serve_cells

PLAIN, WARM = "evalkit-plain", "evalkit-warm"
SOCKET_PATH_LENGTH = 100  # bytes; Unix allows 104 to 108 for the path of a socket
OUTPUT_LIMIT = 50_000_000  # characters of output that a notebook may hold; JupyterLab chokes on more
DESCRIPTORS = 4096  # more than a worker ever holds open
INTERRUPT_GRACE = 3.0  # seconds for a cell that ran out of time to put its things in order
SHORTEST_LIMIT = 0.01  # seconds; nbclient takes 0 for no limit at all
COMMON_OPTIONS: dict[str, Any] = {
    "force_raise_errors": True,
    "record_timing": False,
    "coalesce_streams": False,  # nbclient's way takes the square of a line's length; see _settle_streams
}

WarmShell = tuple[Any, Outlet]


@dataclass
class Attempt:
    """What is known of a run under way: the notebook as far as it came, and who holds its kernel.

    Attributes
    ----------
    overflow : where output goes that would make the notebook too long; None to leave it as it comes
    """

    overflow: Path | None = None
    notebook: Any = None
    client: Any = None
    group: int | None = None
    ended: BaseException | None = None

    def note(self, group: int | None) -> None:
        """Write down the kernel's process group."""
        self.group = group
        if group:
            note_group(group)

    def kill_kernel(self) -> None:
        """End the kernel and all that it started."""
        provisioner = getattr(getattr(self.client, "km", None), "provisioner", None)
        self.group = getattr(provisioner, "pgid", None) or self.group
        if self.group:
            kill_group(self.group)
            forget_group(self.group)


class _Client(PapermillNotebookClient):  # type: ignore[misc]
    """Papermill's client, that keeps a notebook from growing without end."""

    def __init__(self, *arguments: Any, attempt: Attempt, deadline: float, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.attempt = attempt
        self.deadline = deadline
        self.length = 0
        self.overflowing: tuple[int, TextIO] | None = None

    def output(self, outs: list[Any], msg: dict[str, Any], display_id: Any, cell_index: int) -> Any:
        """Take in one output, or write it beside the notebook where it no longer fits."""
        content = msg["content"]
        text = content.get("text") or ""
        size = len(text) or sum(len(str(value)) for value in content.get("data", {}).values())
        room = max(0, OUTPUT_LIMIT - self.length)
        self.length += size
        if size <= room or self.attempt.overflow is None or msg["msg_type"] == "error":
            return super().output(outs, msg, display_id, cell_index)
        if self.overflowing is None:
            self.attempt.overflow.parent.mkdir(parents=True, exist_ok=True)
            self.overflowing = (cell_index, self.attempt.overflow.open("w", encoding="utf-8"))
            self.overflowing[1].writelines(out["text"] for out in outs if out["output_type"] == "stream")
            name = self.attempt.overflow.name.removesuffix(".partial")
            note = f"\n[Cut here: more than {OUTPUT_LIMIT:,} characters. The whole is in {name}.]\n"
            told = {**msg, "msg_type": "stream", "header": {"msg_type": "stream"}}
            if text[:room]:
                fitting = {**told, "content": {**content, "text": text[:room]}}
                super().output(outs, fitting, display_id, cell_index)
            super().output(outs, {**told, "content": {"name": "stderr", "text": note}}, None, cell_index)
        self.overflowing[1].write(text or json.dumps(content.get("data", {})) + "\n")
        return None

    def remaining(self) -> float:
        """Return the seconds that are left for the notebook."""
        return max(SHORTEST_LIMIT, self.deadline - monotonic())

    def close(self) -> None:
        """End the file beside the notebook, where there is one."""
        if self.overflowing is not None:
            with self.overflowing[1] as stream:
                stream.flush()
                os.fsync(stream.fileno())


class _HoardingKernelClient(AsyncKernelClient):
    """Keeps every message until it is read; by default those beyond 1000 are lost."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.context.setsockopt(zmq.RCVHWM, 0)


class _PlainClient(_Client):
    """Runs cells in a kernel of their own."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.timeout_func = lambda cell: self.remaining()
        # a flood of output arrives long after the cell has ended
        self.iopub_timeout = math.ceil(self.remaining())
        self.time_is_over = False

    def execute_cell(self, cell: Any, cell_index: int, **options: Any) -> Any:
        """Run one cell."""
        try:
            return super().execute_cell(cell, cell_index, **options)
        finally:
            if cell.cell_type == "code":
                _settle_streams(cell)

    def output(self, outs: list[Any], msg: dict[str, Any], display_id: Any, cell_index: int) -> Any:
        """Take in one output, but not the error of an interrupt."""
        if self.time_is_over and msg["msg_type"] == "error":
            return None
        return super().output(outs, msg, display_id, cell_index)

    async def _async_handle_timeout(self, timeout: float, cell: Any = None) -> NoReturn:
        """Interrupt a cell that ran out of time, and give it a moment."""
        self.time_is_over = True
        await self.km.interrupt_kernel()
        with suppress(Empty):
            await self.kc.shell_channel.get_msg(timeout=INTERRUPT_GRACE)
        raise CellTimeoutError("Cell execution timed out")


class _WarmClient(_Client):
    """Runs cells in a forked shell instead of a kernel."""

    def __init__(self, *arguments: Any, warm: WarmShell, root: Path, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.warm = warm
        self.root = root

    def execute(self) -> Any:
        """Fork a shell, take the notebook through it, and end it."""
        from ipykernel.ipkernel import IPythonKernel

        self.reset_execution_trackers()
        self.pipe = self._fork()
        self.papermill_execute_cells()
        self.nb.metadata["language_info"] = dict(IPythonKernel.language_info)
        return self.nb

    def execute_cell(self, cell: Any, cell_index: int, **_: Any) -> Any:
        """Run one cell and take in what it puts out, as nbclient does with a kernel's messages."""
        if cell.cell_type != "code" or not cell.source.strip():
            return cell
        if self.skip_cells_with_tag in cell.metadata.get("tags", []):
            return cell
        cell.outputs = []
        self.clear_before_next_output = False
        try:
            self.pipe.send(cell.source)
            status = self._take_in(cell, cell_index, until=self.deadline)
            if status is None:
                self._interrupt(cell, cell_index)
        except (EOFError, OSError, pickle.UnpicklingError) as trouble:
            raise DeadKernelError("Kernel died") from trouble
        finally:
            _settle_streams(cell)
        if status is None:  # raised here, since a time-out is an OSError too
            raise CellTimeoutError("Cell execution timed out")
        if status == "error":
            raise CellExecutionError("", "", "")
        return cell

    def _take_in(self, cell: Any, cell_index: int, *, until: float, errors: bool = True) -> str | None:
        """Take in messages up to the reply; return its status, or None where the time is over."""
        while self.pipe.poll(max(0.0, until - monotonic())):
            kind, content = pickle.loads(self.pipe.recv_bytes())
            if kind == "reply":
                return str(content["status"])
            if kind == "error" and not errors:
                continue
            message = {
                "msg_type": kind,
                "header": {"msg_type": kind},
                "parent_header": {},
                "metadata": {},
                "content": content,
            }
            self.process_message(message, cell, cell_index)
        return None

    def _interrupt(self, cell: Any, cell_index: int) -> None:
        """Interrupt a cell that ran out of time, and give it a moment."""
        if self.attempt.group:
            os.kill(self.attempt.group, signal.SIGINT)
        with suppress(EOFError, OSError):
            self._take_in(cell, cell_index, until=monotonic() + INTERRUPT_GRACE, errors=False)

    def _fork(self) -> Connection:
        here, there = Pipe()
        parent = os.getpid()
        process = os.fork()
        if process == 0:
            try:
                os.setsid()
                die_with_parent(parent)
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                # what this process and its parents hold open is not the notebook's
                os.closerange(3, there.fileno())
                os.closerange(there.fileno() + 1, DESCRIPTORS)
                serve_cells(*self.warm, there, root=self.root)
            finally:
                os._exit(1)
        there.close()
        self.attempt.note(process)
        return here


class PlainEngine(Engine):  # type: ignore[misc]
    """Runs a notebook in a Jupyter kernel of its own."""

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,
        *,
        attempt: Attempt,
        deadline: float,
        start_timeout: int,
        **_: Any,
    ) -> None:
        """Start the kernel, take the notebook through it, and end it."""

        def note(**_: Any) -> None:
            attempt.note(attempt.client.km.provisioner.pgid)

        hoarding = f"{__name__}.{_HoardingKernelClient.__name__}"
        attempt.notebook = nb_man.nb
        attempt.client = _PlainClient(
            nb_man,
            attempt=attempt,
            deadline=deadline,
            kernel_name=kernel_name,
            startup_timeout=start_timeout,
            shutdown_kernel="immediate",
            on_notebook_start=note,
            config=Config({"KernelManager": {"client_class": hoarding, **_connection()}}),
            **COMMON_OPTIONS,
        )
        _run_to_end(attempt)


class WarmEngine(Engine):  # type: ignore[misc]
    """Runs a notebook in a fork of this process's warm shell."""

    warm: ClassVar[WarmShell]

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, attempt: Attempt, deadline: float, root: Path, **_: Any
    ) -> None:
        """Fork the shell, take the notebook through it, and end it."""
        attempt.notebook = nb_man.nb
        attempt.client = _WarmClient(
            nb_man, attempt=attempt, warm=cls.warm, root=root, deadline=deadline, **COMMON_OPTIONS
        )
        _run_to_end(attempt)


def register(*, warm: bool) -> str:
    """Make an engine known to papermill, and return the name by which it is asked for."""
    name, engine = (WARM, WarmEngine) if warm else (PLAIN, PlainEngine)
    papermill_engines.register(name, engine)
    return name


def _run_to_end(attempt: Attempt) -> None:
    try:
        attempt.client.execute()
    finally:
        attempt.client.close()


def _settle_streams(cell: Any) -> None:
    """Join each stream of a cell, stdout first, and keep of a line what stands after its last return."""
    texts: dict[str, list[str]] = {}
    outputs: list[Any] = []
    for output in cell.outputs:
        if output.output_type != "stream" or output.name not in texts:
            outputs.append(output)
        if output.output_type == "stream":
            texts.setdefault(output.name, []).append(output.text)
    for place, output in enumerate(outputs):
        if output.output_type == "stream":
            output.text = _after_returns("".join(texts[output.name]))
            before = outputs[place - 1] if place else None
            if output.name == "stdout" and before is not None and before.get("name") == "stderr":
                outputs[place - 1 : place + 1] = [output, before]
    cell.outputs = outputs


def _after_returns(text: str) -> str:
    """Keep of each line what stands after the last carriage return that has more behind it."""
    if "\r" not in text:
        return text
    return "\n".join(line[line.rfind("\r", 0, max(0, len(line) - 1)) + 1 :] for line in text.split("\n"))


def _connection() -> dict[str, str]:
    """Prefer sockets in the scratch folder: a TCP port is picked before it is bound, so kernels can clash."""
    stem = Path(os.environ[SCRATCH_VARIABLE]) / uuid4().hex
    if sys.platform != "linux" or len(f"{stem}-ipc-5".encode()) > SOCKET_PATH_LENGTH:
        return {}
    # without a file of its own every kernel would use the sockets kernel-ipc-1 to -5 of the working folder
    return {"transport": "ipc", "connection_file": f"{stem}.json"}
