"""What the notebooks of one batch run share, so that each need not make it again.

A batch names a private folder in the environment and removes it at its end; without one nothing is kept.
"""

import hashlib
import os
import pickle
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

CACHE_VARIABLE = "EVALKIT_BATCH_CACHE"

Made = TypeVar("Made")


def kept_or_made(key: Iterable[object], make: Callable[[], Made]) -> Made:
    """Return what an earlier notebook of this batch made for the same key, else make it.

    Parameters
    ----------
    key : all that the outcome rests on, with the content hash of every input file
    make : takes nothing; what it returns can be pickled, what it raises is not kept
    """
    folder = os.environ.get(CACHE_VARIABLE)
    if not folder or not Path(folder).is_dir():
        return make()
    digest = hashlib.sha256(repr(tuple(key)).encode()).hexdigest()
    path = Path(folder) / f"{digest}.pickle"
    if path.is_file():
        kept: Made = pickle.loads(path.read_bytes())
        return kept
    made = make()
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    partial.write_bytes(pickle.dumps(made, protocol=pickle.HIGHEST_PROTOCOL))
    partial.replace(path)
    return made
