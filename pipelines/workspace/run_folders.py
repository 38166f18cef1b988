"""The folders of a competition's runs: created, found again by their fingerprint, and locked."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines.workspace import files, stored
from pipelines.workspace.layout import LOCK_FILE, RUN_FILE, RunLayout

KEY = ("fingerprint",)
NEW = ".run.writing"  # the folder of a run before it has its name


class RunFolderError(LookupError):
    """A run that does not exist, cannot go on, or is being made by another process."""

    exit_code = 2


def found_or_created(runs: Path, fingerprint: str, description: dict[str, Any]) -> Path:
    """The newest run of that fingerprint, else a new one; the same for two that ask at once."""
    runs.mkdir(parents=True, exist_ok=True)
    with files.locked(runs / LOCK_FILE, wait=True):
        return find(runs, fingerprint) or create(runs, fingerprint, description)


def find(runs: Path, fingerprint: str) -> Path | None:
    """The newest run of that fingerprint, finished or not."""
    for folder in sorted(_folders(runs), reverse=True):
        try:
            if describe(folder, keys=KEY)["fingerprint"] == fingerprint:
                return folder
        except stored.DamagedFileError as error:
            stored.pass_over(error)
    return None


def create(runs: Path, fingerprint: str, description: dict[str, Any]) -> Path:
    """Create a run's folder, named by the time and the fingerprint, with `run.json` in it.

    The folder gets its name with the file in it: one without would never be found again. Called by
    one process at a time.
    """
    now = datetime.now(UTC)
    folder, new = runs / f"{now:%Y%m%d-%H%M%S}-{fingerprint[:6]}", runs / NEW
    described = {"fingerprint": fingerprint, "started": now.isoformat(), **description}
    text = json.dumps(described, indent=1, sort_keys=True, default=str)
    shutil.rmtree(new, ignore_errors=True)  # of a process that was killed here
    try:
        new.mkdir(parents=True)
        files.write_text(RunLayout(new).run_file, f"{text}\n")
        new.rename(folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return folder


def describe_further(folder: Path, further: dict[str, Any]) -> None:
    """Add to what `run.json` holds, beside what the run is found by."""
    described = describe(folder) | further
    text = json.dumps(described, indent=1, sort_keys=True, default=str)
    files.write_text(RunLayout(folder).run_file, f"{text}\n")


def by_id(runs: Path, run_id: str, fingerprint: str) -> Path:
    """The folder of the run that a person named.

    Raises:
        RunFolderError: There is no such run, or it has other data, settings or code.
    """
    run = RunLayout(runs / run_id)
    if not run.run_file.is_file():
        known = ", ".join(sorted((f.name for f in _folders(runs)), reverse=True)[:5]) or "none yet"
        raise RunFolderError(f"no run {run_id!r} in {runs}; the newest: {known}")
    if describe(run.folder, keys=KEY)["fingerprint"] != fingerprint:
        raise RunFolderError(
            f"run {run_id} was started with other data, settings or code, so it cannot go on; "
            "leave --run out to start a new one"
        )
    return run.folder


def describe(folder: Path, *, keys: tuple[str, ...] = ()) -> dict[str, Any]:
    """What `run.json` holds: configuration, source, data, device, code and versions.

    Raises:
        DamagedFileError: It holds something else.
    """
    step = f"what its run made is not lost; remove {folder} when you no longer need it"
    return stored.read_json(RunLayout(folder).run_file, step, keys=keys)


@contextlib.contextmanager
def locked(folder: Path, on_wait: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the run for this process; the lock ends with the process, however it ends.

    Args:
        folder: The run's.
        on_wait: Hears that another process holds it, which is then waited for.

    Raises:
        RunFolderError: Another process holds it.
    """
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(files.locked(RunLayout(folder).lock_file))
        except files.LockedError as error:
            held_by_another = f"run {folder.name} is being made by another process"
            if on_wait is None:
                raise RunFolderError(f"{held_by_another}; wait for it to end") from error
            on_wait(f"{held_by_another}; waiting for it to end")
            held.enter_context(files.locked(RunLayout(folder).lock_file, wait=True))
        yield


def _folders(runs: Path) -> Iterator[Path]:
    found = (path.parent for path in runs.glob(f"*/{RUN_FILE}"))
    return (folder for folder in found if folder.name != NEW)
