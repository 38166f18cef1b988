"""The processes that work on a study, and whether they are alive.

A worker holds a lock on a file. The lock ends with the process, however it ends, so that the next
worker can tell the trials of dead processes from those of living ones.
"""

from __future__ import annotations

import contextlib
import fcntl
import uuid
from pathlib import Path
from typing import IO

FOLDER = "workers"


class Worker:
    """This process as a worker, within the context."""

    def __init__(self, folder: Path) -> None:
        self.name = uuid.uuid4().hex
        self._path = folder / FOLDER / self.name
        self._file: IO[str] | None = None

    def __enter__(self) -> Worker:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("w")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._file is not None, "a context is entered before it is left"
        self._path.unlink(missing_ok=True)
        self._file.close()


def is_dead(folder: Path, name: str) -> bool:
    """Whether that worker has ended.

    Workers without a file in this folder, such as those on other machines, count as alive.
    """
    path = folder / FOLDER / name
    try:
        with path.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (FileNotFoundError, BlockingIOError):
        return False
    return True


def forget_dead(folder: Path) -> None:
    """Remove the files of workers that have ended."""
    for path in (folder / FOLDER).glob("*"):
        if is_dead(folder, path.name):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
