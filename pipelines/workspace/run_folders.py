"""The folders of a competition's runs: made, found again by what they were asked, and locked."""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FILE = "run.json"


class RunFolderError(LookupError):
    """A run that does not exist, or that another process is making."""

    exit_code = 2


def find(runs: Path, fingerprint: str) -> Path | None:
    """The newest run of that fingerprint, finished or not."""
    for folder in sorted(_folders(runs), reverse=True):
        if _read(folder).get("fingerprint") == fingerprint:
            return folder
    return None


def create(runs: Path, fingerprint: str, description: dict[str, Any]) -> Path:
    """A new run's folder, named by the time and what was asked, with `run.json` in it."""
    now = datetime.now(UTC)
    folder = runs / f"{now:%Y%m%d-%H%M%S}-{fingerprint[:6]}"
    folder.mkdir(parents=True)
    described = {"fingerprint": fingerprint, "started": now.isoformat(), **description}
    temporary = folder / f".{FILE}.writing"
    temporary.write_text(json.dumps(described, indent=1, sort_keys=True, default=str) + "\n")
    temporary.replace(folder / FILE)
    return folder


def by_id(runs: Path, run_id: str, fingerprint: str) -> Path:
    """The folder of the run that a person named.

    Raises:
        RunFolderError: no such run, or one that was made from other data, settings or code.
    """
    folder = runs / run_id
    if not (folder / FILE).is_file():
        known = ", ".join(sorted((f.name for f in _folders(runs)), reverse=True)[:5]) or "none yet"
        raise RunFolderError(f"no run {run_id!r} in {runs}; the newest: {known}")
    if _read(folder).get("fingerprint") != fingerprint:
        raise RunFolderError(
            f"run {run_id} was asked with other data, settings or code, so it cannot go on; "
            "leave --run out to start a new one"
        )
    return folder


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the run for this process; the lock ends with the process, however it ends.

    Raises:
        RunFolderError: another process holds it.
    """
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunFolderError(
                f"run {folder.name} is being made by another process; wait for it to end"
            ) from error
        yield


def _folders(runs: Path) -> Iterator[Path]:
    return (path.parent for path in runs.glob(f"*/{FILE}"))


def _read(folder: Path) -> dict[str, Any]:
    description: dict[str, Any] = json.loads((folder / FILE).read_text())
    return description
