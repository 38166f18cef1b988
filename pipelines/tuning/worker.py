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
        # Waits while another worker looks whether this one is dead.
        self._held.enter_context(files.locked(self._path, wait=True))
        return self

    def __exit__(self, *_: object) -> None:
        self._path.unlink(missing_ok=True)
        self._held.close()


def is_dead(folder: Path, name: str, *, are_all_here: bool) -> bool:
    """Whether that worker has ended.

    Args:
        folder: The study's.
        name: The worker's.
        are_all_here: Whether one without a file in this folder is dead, rather than elsewhere.
    """
    path = folder / FOLDER / name
    if not path.exists():
        return are_all_here
    try:
        with files.locked(path):
            return True
    except files.LockedError:
        return False


def forget_dead(folder: Path) -> None:
    """Remove the files of workers that have ended."""
    for path in (folder / FOLDER).glob("*"):
        if is_dead(folder, path.name, are_all_here=True):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
