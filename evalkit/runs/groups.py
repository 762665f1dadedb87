"""Process groups: what a notebook started is ended with it, and nobody outlives who waits for him."""

import ctypes
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

GROUP_ENDING = ".group"
SCRATCH_VARIABLE = "JUPYTER_RUNTIME_DIR"  # the batch's own folder; kernels put their connection files there
PR_SET_PDEATHSIG = 1  # linux/prctl.h

_c_library = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(parent: int) -> None:
    """Have the system end this process when its parent ends, however that ends; Linux only.

    Parameters
    ----------
    parent : the process that has forked this one; should it be gone already, this one ends at once
    """
    if _c_library is not None:
        _c_library.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def note_group(group: int) -> None:
    """Write down a process group and who watches it, for `kill_groups` should the watcher be lost."""
    _group_file(group).write_text(str(os.getpid()), encoding="utf-8")


def forget_group(group: int) -> None:
    """Strike out a group that has been ended."""
    _group_file(group).unlink(missing_ok=True)


def kill_group(group: int) -> None:
    """End every process of a group, unless it is this process's own."""
    if hasattr(os, "killpg") and group != os.getpgrp():
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


def kill_groups(scratch: Path, *, watcher: int | None = None) -> None:
    """End the groups that a lost process was watching, or every group there is, with all that is in them."""
    for path in scratch.glob(f"*{GROUP_ENDING}"):
        if watcher is None or path.read_text(encoding="utf-8") == str(watcher):
            kill_group(int(path.stem))
            path.unlink(missing_ok=True)


def _group_file(group: int) -> Path:
    return Path(os.environ[SCRATCH_VARIABLE]) / f"{group}{GROUP_ENDING}"
