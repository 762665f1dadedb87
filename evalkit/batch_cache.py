"""What the notebooks of one batch run share, so that each need not make it again.

A batch names a private folder in the environment and removes it at its end; without one nothing is kept.
"""

import hashlib
import os
import pickle
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import TypeVar

CACHE_VARIABLE = "EVALKIT_BATCH_CACHE"
DAY_VARIABLE = "EVALKIT_BATCH_DAY"

Made = TypeVar("Made")


def batch_day() -> str:
    """Return the day of the batch, such as "2026-09-30"; outside of a batch the day it is."""
    return os.environ.get(DAY_VARIABLE) or date.today().isoformat()


def kept_or_made(key: Iterable[object], make: Callable[[], Made]) -> Made:
    """Return what an earlier notebook of this batch made for the same key, else make it.

    Parameters
    ----------
    key : all that the outcome rests on, with the content hash of every input file
    make : takes nothing; what it returns can be pickled, what it raises is not kept
    """
    path = _place(key)
    if path is not None and path.is_file():
        kept: Made = pickle.loads(path.read_bytes())
        return kept
    made = make()
    keep(key, made)
    return made


def keep(key: Iterable[object], made: object) -> None:
    """Keep what has been made for a key, for the later notebooks of this batch."""
    path = _place(key)
    if path is not None:
        partial = path.with_name(f"{path.name}.{os.getpid()}")
        partial.write_bytes(pickle.dumps(made, protocol=pickle.HIGHEST_PROTOCOL))
        partial.replace(path)


def _place(key: Iterable[object]) -> Path | None:
    folder = os.environ.get(CACHE_VARIABLE)
    if not folder or not Path(folder).is_dir():
        return None
    return Path(folder) / f"{hashlib.sha256(repr(tuple(key)).encode()).hexdigest()}.pickle"
