"""Who works on a study, and whether they still do.

A process that works on a study holds a file locked. The lock ends with the process, however it
ends, so that the next one can tell the trials of the dead from those of the living.
"""

from __future__ import annotations

import contextlib
import uuid
from pathlib import Path

from pipelines.workspace import files

FOLDER = "workers"


class Worker:
    """This process, for as long as the context lasts."""

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
    """Whether that worker of this folder is gone.

    Of workers in other folders and on other machines, which leave no file here, nothing is known:
    they count as alive.
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
    """Remove the files of workers that are gone."""
    for path in (folder / FOLDER).glob("*"):
        if is_dead(folder, path.name):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
