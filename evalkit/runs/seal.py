"""Hashes that only this workspace can make: from a plain one, whoever guesses a small number can check it."""

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from uuid import uuid4

KEY_FILE = ".key"  # in outputs/, outside every audience's folder
KEY_BYTES = 32


def seal(root: Path, digest: str) -> str:
    """Return the HMAC-SHA256 of a hash under the workspace's key, in hexadecimal; "" stays "".

    Without its key a workspace makes a new one, under which no earlier seal is found again: what is compared
    with it counts as changed.
    """
    return hmac.new(_key(root), digest.encode(), hashlib.sha256).hexdigest() if digest else ""


def _key(root: Path) -> bytes:
    path = root / "outputs" / KEY_FILE
    if path.is_file() and path.stat().st_size != KEY_BYTES:
        path.unlink(missing_ok=True)
    if not path.is_file():
        _make_key(path)
    return path.read_bytes()


def _make_key(path: Path) -> None:
    """Put a new key in place whole; where several processes ask at once, all find that of the first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{uuid4().hex}")
    binary = getattr(os, "O_BINARY", 0)  # Windows would change bytes that look like the end of a line
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | binary, 0o600), "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(partial, path)
        except FileExistsError:
            return
        except OSError:  # a disk without hard links
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
