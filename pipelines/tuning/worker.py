"""The processes that work on a study, and whether they are alive.

A worker holds a lock on a file. The lock ends with the process, however it ends, so that the next
worker can tell the trials of dead processes from those of living ones.
"""

from __future__ import annotations

import contextlib
import uuid
from pathlib import Path

from pipelines.workspace import files

FOLDER = "workers"


class Worker:
    """This process as a worker, within the context."""

    def __init__(self, folder: Path) -> None:
        self.name = uuid.uuid4().hex
        self._path = folder / FOLDER / self.name
        self._held = contextlib.ExitStack()

    def __enter__(self) -> Worker:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._held.enter_context(files.locked(self._path))
        return self

    def __exit__(self, *_: object) -> None:
        self._path.unlink(missing_ok=True)
        self._held.close()


def is_dead(folder: Path, name: str) -> bool:
    """Whether that worker has ended.

    Workers without a file in this folder, such as those on other machines, count as alive.
    """
    path = folder / FOLDER / name
    if not path.exists():
        return False
    try:
        with files.locked(path):
            return True
    except files.LockedError:
        return False


def forget_dead(folder: Path) -> None:
    """Remove the files of workers that have ended."""
    for path in (folder / FOLDER).glob("*"):
        if is_dead(folder, path.name):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
