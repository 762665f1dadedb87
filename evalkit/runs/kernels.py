"""One notebook in one kernel: what a worker process does, from the source notebook to the saved outcome."""

import os
import shutil
import signal
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import parent_process
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import TYPE_CHECKING, Any, Literal

from evalkit.batch_cache import CACHE_VARIABLE, DAY_VARIABLE
from evalkit.runs.groups import SCRATCH_VARIABLE
from evalkit.runs.plan import NotebookRun
from evalkit.runs.record import PARTIAL, own_data_sha256, result_files, write_whole

if TYPE_CHECKING:
    from evalkit.runs.engines import Attempt

KERNEL = "python3"
KERNEL_START_LIMIT = 60  # seconds; a kernel is ready in about half a second, a laptop waking up takes longer
WORKER_GRACE = (
    15.0  # seconds beyond its notebook's limit, to interrupt and to save; then a worker counts as hung
)
LOST_KERNEL_ATTEMPTS = 2  # a lost port or a short memory may not come back
ERROR_LENGTH = 240  # characters of an error that fit a line of the table of failures

# Set before any kernel starts. A fixed hash seed keeps the order of sets, and so a notebook's bytes.
KERNEL_ENVIRONMENT = {
    "MPLBACKEND": "agg",
    "OPENBLAS_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",  # pyarrow's allocator; a fork is safe without threads
    "PYTHONHASHSEED": "0",
    "JUPYTER_PREFER_ENV_PATH": "1",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}

Status = Literal["done", "failed", "interrupted"]


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """How one run ended.

    Attributes
    ----------
    status : "done" only when every code cell ran without an error and the notebook is saved
    error : one line; "" when done
    saved : the executed notebook, or the failed one that is kept; None where nothing could be written
    seconds : wall time, with the kernel's start and end
    data_sha256 : of what the data hold of the run's site; "" where it reads none, or did not end well
    """

    status: Status
    error: str
    saved: Path | None
    seconds: float
    data_sha256: str = ""


def hung_receipt(time_limit: float) -> Receipt:
    """Return what the parent reports of a worker that it ended, because it did not end by itself."""
    error = (
        f"not finished within the limit of {time_limit:g} s for a notebook, nor {WORKER_GRACE:g} s later: "
        "the process that ran it did not answer and was ended"
    )
    return Receipt(status="failed", error=error, saved=None, seconds=time_limit + WORKER_GRACE)


_attempt: "Attempt | None" = None


def worker_environment(scratch: Path) -> dict[str, str]:
    """Return what the environment of a process that runs notebooks must say.

    Parameters
    ----------
    scratch : a folder for the kernels' connection files and whatever is temporary
    """
    return {
        **KERNEL_ENVIRONMENT,
        SCRATCH_VARIABLE: str(scratch),
        CACHE_VARIABLE: str(scratch),
        "IPYTHONDIR": str(scratch / "ipython"),
        "TMPDIR": str(scratch),  # so that what a process leaves there goes with the batch, however it ends
    }


def start_worker(scratch: Path) -> None:
    """Make this process fit to run notebooks in kernels of their own, for as long as its parent lives."""
    os.environ.update(worker_environment(scratch))
    tempfile.tempdir = None  # looked up anew
    become_worker()
    threading.Thread(target=_follow_parent, args=(scratch,), daemon=True).start()


def become_worker() -> None:
    """Take this process out of the terminal's group, so that only the parent hears Ctrl-C.

    SIGINT ends the run under way and keeps what it has; SIGTERM ends the process and its kernel at once.
    """
    if hasattr(os, "setsid"):
        os.setsid()
    # jsonschema can do without; importing it builds a grammar, 1 s for each worker
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _terminate)


def run_notebook(run: NotebookRun, *, root: Path, time_limit: float, warm: bool = False) -> Receipt:
    """Run a notebook from top to bottom and save it whole.

    A run that ended well stands at `run.output`; one that did not is kept as `<name>.failed.ipynb` beside
    it, with the error where it happened. An earlier file at `run.output` is left for the caller to judge.

    Parameters
    ----------
    root : working folder of the kernel
    time_limit : seconds for the whole notebook
    warm : whether to fork this process's warm shell instead of starting a kernel
    """
    started = monotonic()
    status: Status
    if run.terms is not None:
        os.environ[DAY_VARIABLE] = run.terms.today
    before = result_files(run)
    overflow = run.overflow.with_name(run.overflow.name + PARTIAL)
    # a crash may come of the fork: the second try is in a kernel of its own
    for again in range(LOST_KERNEL_ATTEMPTS):
        attempt = _execute(run, overflow, warm=warm and not again, root=root, deadline=started + time_limit)
        if not _kernel_was_lost(attempt.ended):
            break
    if isinstance(attempt.ended, KeyboardInterrupt):
        status, error = "interrupted", "the run was stopped from outside"
    else:
        error = _explain(attempt, time_limit=time_limit)
        status = "failed" if error else "done"
    text = _to_text(attempt.notebook, run, status=status, error=error) if attempt.notebook else ""
    written = {path for path, changed in result_files(run).items() if before.get(path) != changed}
    written |= {overflow} if overflow.is_file() else set()
    # a run that was stopped, or failed, before there was anything to show is told as just that
    if (text or written) and (kept_back := _look_through(run, text, written, root=root)):
        status, error, text = "failed", kept_back, ""
        for path in (overflow, run.failed):
            path.unlink(missing_ok=True)
    saved = None
    try:
        if text:
            saved = run.failed if error else run.output
            write_whole(saved, text)
        if overflow.exists():
            os.replace(overflow, run.overflow)
        else:
            run.overflow.unlink(missing_ok=True)
    except OSError as trouble:
        saved, status = None, "failed"
        takes = f"it takes {len(text.encode()) / 1e6:.1f} MB; " if text else ""
        mend = f"{takes}make room or mend the folder, and run again"
        error = error or f"cannot save {run.output.name}: {trouble.strerror}; {mend}"
    if not error:
        run.failed.unlink(missing_ok=True)
    rested_on = "" if error else own_data_sha256(run.terms, run.site_id, root=root)
    seconds = monotonic() - started
    return Receipt(status=status, error=error, saved=saved, seconds=seconds, data_sha256=rested_on)


def _look_through(run: NotebookRun, text: str, written: set[Path], *, root: Path) -> str:
    """Say in one line why what was written may not stand; "" where it may."""
    if run.terms is None:
        return ""
    from evalkit.runs.guard import leaks_of

    try:
        leaks = leaks_of(run, text, written, root=root)
    except Exception as trouble:  # noqa: BLE001 (whatever keeps it from being judged keeps it back)
        what = f"{type(trouble).__name__}: {trouble}; mend that and run again"
        return _one_line(f"kept back, because nobody can tell what it may not show: {what}")
    if not leaks:
        return ""
    more = f" (and {len(leaks) - 1} more)" if len(leaks) > 1 else ""
    return f"kept back, because the audience {run.terms.audience} may not see this: {leaks[0]}{more}"


def _execute(run: NotebookRun, overflow: Path, *, warm: bool, root: Path, deadline: float) -> "Attempt":
    global _attempt
    from evalkit.runs import engines

    attempt = _attempt = engines.Attempt(overflow=overflow)
    try:
        import nbformat
        import papermill
        from papermill.exceptions import PapermillExecutionError

        attempt.notebook = nbformat.read(run.notebook, as_version=4)  # type: ignore[no-untyped-call]
        # the error of a cell is in the notebook, where `_explain` finds it
        with suppress(PapermillExecutionError):
            # a notebook in and no path out: papermill would format braces in a path, and write in place
            papermill.execute_notebook(
                attempt.notebook,
                None,
                parameters=run.parameters,
                engine_name=engines.register(warm=warm),
                kernel_name=KERNEL,
                language="python",
                request_save_on_cell_execute=False,
                progress_bar=False,
                start_timeout=max(1, min(KERNEL_START_LIMIT, round(deadline - monotonic()))),
                cwd=root,
                attempt=attempt,
                deadline=deadline,
                root=root,
            )
    except (Exception, KeyboardInterrupt) as trouble:  # noqa: BLE001 (anything may come out of a dying kernel)
        attempt.ended = trouble
    finally:
        _attempt = None
        attempt.kill_kernel()
    return attempt


def _kernel_was_lost(ended: BaseException | None) -> bool:
    # nbclient's DeadKernelError is a RuntimeError, and so is a kernel that never answers
    return isinstance(ended, RuntimeError)


def _explain(attempt: "Attempt", *, time_limit: float) -> str:
    """Say in one line why the run did not end well; "" when it did."""
    if attempt.notebook is None:
        return _one_line(f"{type(attempt.ended).__name__}: {attempt.ended}")
    cells = [cell for cell in attempt.notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    for number, cell in enumerate(cells, start=1):
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                return _one_line(f"code cell {number}: {output.ename}: {output.evalue}")
    begun = [number for number, cell in enumerate(cells, start=1) if _has_begun(cell)]
    place = f"code cell {begun[-1]}" if begun else "before the first code cell"
    if isinstance(attempt.ended, TimeoutError):
        return f"{place}: not finished within the limit of {time_limit:g} s for a notebook"
    if _kernel_was_lost(attempt.ended):
        return f"{place}: the kernel died {LOST_KERNEL_ATTEMPTS} times (out of memory, a crash or os._exit)"
    if attempt.ended is not None:
        return _one_line(f"{place}: {type(attempt.ended).__name__}: {attempt.ended}")
    ran = sum(cell.execution_count is not None for cell in cells)
    if ran < len(cells):
        return f"{place}: the notebook ended after {ran} of {len(cells)} code cells; every one must run"
    return ""


def _has_begun(cell: Any) -> bool:
    return bool(cell.metadata.get("papermill", {}).get("start_time"))


def _one_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    more = f" (and {len(lines) - 1} more lines)" if len(lines) > 1 else ""
    return lines[0][:ERROR_LENGTH] + more


def _to_text(notebook: Any, run: NotebookRun, *, status: Status, error: str) -> str:
    """Lay out an executed notebook so that the same run gives the same bytes: no clock, path or random id."""
    import nbformat
    from jupyter_client.jsonutil import json_clean
    from papermill.execute import ERROR_MARKER_TAG

    notebook.cells = [
        cell for cell in notebook.cells if ERROR_MARKER_TAG not in cell.metadata.get("tags", [])
    ]
    if error:
        _mark_failure(notebook, error)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.id = "injected-parameters"
    notebook.metadata.pop("papermill", None)
    notebook.metadata["evalkit"] = {
        "notebook": run.name,
        "parameters": dict(run.parameters),
        "status": status,
    }
    text: str
    try:
        text = nbformat.writes(notebook, allow_nan=False)  # type: ignore[no-untyped-call]
    except ValueError:
        # the source's metadata hold a NaN, which only Python reads as JSON; text of it, as kernels make
        clean = nbformat.from_dict(json_clean(notebook))  # type: ignore[no-untyped-call]
        text = nbformat.writes(clean, allow_nan=False)  # type: ignore[no-untyped-call]
    return text + "\n"


def _mark_failure(notebook: Any, error: str) -> None:
    from nbformat.v4 import new_markdown_cell, new_output

    begun = [cell for cell in notebook.cells if cell.cell_type == "code" and _has_begun(cell)]
    if begun and not any(output.output_type == "error" for output in begun[-1].outputs):
        mark = {"ename": "NotebookRunError", "evalue": error, "traceback": [error]}
        begun[-1].outputs.append(new_output("error", **mark))  # type: ignore[no-untyped-call]
    notice = f"**This run did not end well.** {error}"
    notebook.cells.insert(0, new_markdown_cell(notice, id="run-failure"))  # type: ignore[no-untyped-call]


def _interrupt(signum: int, frame: FrameType | None) -> None:
    if _attempt is not None:
        raise KeyboardInterrupt


def _terminate(signum: int, frame: FrameType | None) -> None:
    if _attempt is not None:
        _attempt.kill_kernel()
    os._exit(128 + signum)


def _follow_parent(scratch: Path) -> None:
    """End with the parent, however it ended; a pool's workers would otherwise wait for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        shutil.rmtree(scratch, ignore_errors=True)
        _terminate(signal.SIGTERM, None)
