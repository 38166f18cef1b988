"""A file that is there whole or not at all, whoever else writes it and whenever a process dies."""

from __future__ import annotations

import contextlib
import glob
import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

if sys.platform != "win32":
    import fcntl

WRITING = ".writing"  # ends the name of a file that is being written


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a new name beside `path` to write to; renamed to `path` if the block ends well.

    The name is unique, so that two processes that write the same file do not mix their bytes. It is
    locked while the process lives: those of processes that were killed are removed first.

    Raises:
        OSError: It cannot be written; nothing is left of it.
    """
    for left in path.parent.glob(f".{glob.escape(path.name)}.*{WRITING}"):
        _remove_if_left(left)
    temporary, descriptor = _temporary(path)
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
        os.close(descriptor)


def _temporary(path: Path) -> tuple[Path, int]:
    """A new, empty file beside `path`, and the descriptor that holds its lock."""
    while True:
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}{WRITING}")
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        if sys.platform != "win32":
            with contextlib.suppress(OSError):  # a disk without locks
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        if temporary.exists():  # else it was taken for one that was left, before it was locked
            return temporary, descriptor
        os.close(descriptor)


def _remove_if_left(temporary: Path) -> None:
    """Remove a temporary file that no process holds."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(temporary, os.O_WRONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            temporary.unlink()
        finally:
            os.close(descriptor)
