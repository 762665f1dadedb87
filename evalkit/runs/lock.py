"""One batch at a time in a workspace."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from evalkit.errors import RunError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"

_held: ContextVar[frozenset[Path]] = ContextVar("_held", default=frozenset())


@contextmanager
def workspace_lock(root: Path) -> Iterator[None]:
    """Hold a workspace's `outputs/` for this process; the system lets go of it, however the process ends.

    Who holds it may take it again, so that what follows a batch is done under the batch's lock.

    Raises
    ------
    RunError : another process holds it; the message names that process.
    """
    folder = root.resolve() / "outputs"
    if folder in _held.get():
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a+", encoding="utf-8") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                holder = file.read().strip() or "unknown"
                raise RunError(
                    f"{root.name}: another run is under way here (process {holder}); "
                    "wait for its end, or stop it, and run again"
                ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        token = _held.set(_held.get() | {folder})
        try:
            yield
        finally:
            _held.reset(token)
