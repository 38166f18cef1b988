"""What takes room in a workspace, and what of it nothing needs any more."""

from __future__ import annotations

import contextlib
import difflib
import os
import stat
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

from pipelines.raw_files import manifest
from pipelines.workspace import files, run_folders, stored
from pipelines.workspace.finished_runs import NoRunError, best_first, finished
from pipelines.workspace.layout import LOCK_FILE, RunLayout, Workspace
from submissions import ledger

Kind = Literal["runs", "raw files", "leftovers"]
REMOVING = ".removing-"  # begins the name of a folder that is being removed
GATHERING = ".gathering"  # ends the name of a folder of raw files that are being fetched
TRIALS = "tune-"  # begins the name of a folder with the stages of a study
IN_USE_S = 3600.0  # a folder without a lock counts as in use if it changed within this time


@dataclass(frozen=True)
class Item:
    """A folder that may be removed, or must not.

    Attributes:
        path: The folder.
        kind: What it holds.
        may_go: Whether nothing needs it.
        why: Why it may go, or why it stays.
        lock: The lock file of who works in it; None where there is none.
    """

    path: Path
    kind: Kind
    may_go: bool
    why: str
    lock: Path | None = None


def survey(workspace: Workspace, *, n_keep: int, competition: str | None = None) -> list[Item]:
    """Every folder of runs, raw files and leftovers.

    A run stays if it is one of the newest, has the best cv, was sent to Kaggle, or is being made;
    raw files stay if a run that stays was made of them, or if they are the newest. Stages that a
    newer run took from an older one are its own links or copies, so no run needs another's folder.

    Args:
        workspace: Where to look.
        n_keep: How many of each competition's newest runs stay.
        competition: Its name, or None for all.

    Raises:
        NoRunError: The workspace has nothing of that competition.
    """
    items = list(_removed_halfway(workspace))
    names = {path.name for top in (workspace.all_runs, workspace.data) for path in _folders(top)}
    if competition is not None and competition not in names:
        near = difflib.get_close_matches(competition, names, n=1)
        hint = f"did you mean {near[0]}?" if near else "type foldwise clean --dry-run to see all"
        raise NoRunError(f"there are no runs and no raw files of {competition!r}; {hint}")
    for name in sorted(names if competition is None else {competition}):
        runs = list(_runs(workspace, name, n_keep))
        staying = {item.path for item in runs if not item.may_go}
        items += [*runs, *_trials(workspace, name), *_raw_files(workspace, name, staying)]
    return items


def _runs(workspace: Workspace, competition: str, n_keep: int) -> Iterator[Item]:
    summaries = finished(workspace, competition)  # newest first
    newest = [summary.run for summary in summaries]
    best = {summary.run for summary in best_first(summaries)[:1]}
    book = ledger.look(workspace.ledger)
    sent = {
        entry.run
        for entry in book.entries
        if entry.competition == competition and entry.submitted_utc is not None
    }
    for folder in _folders(workspace.runs(competition)):
        run = RunLayout(folder)
        if not run.run_file.is_file():
            continue
        reasons = {
            "is being made": _is_held(run.lock_file),
            "was sent to Kaggle": run.run_id in sent,
            "may have been sent: the ledger has lines that cannot be read": book.fault is not None,
            "has the best cv": run.run_id in best,
            f"one of the newest {n_keep}": run.run_id in newest[:n_keep],
            "unfinished, and newer than all others": not newest or run.run_id > newest[0],
        }
        why = next((reason for reason, holds in reasons.items() if holds), None)
        gone = "an older run" if run.run_id in newest else "unfinished, and older than others"
        yield Item(folder, "runs", why is None, why or gone, run.lock_file)


def _trials(workspace: Workspace, competition: str) -> Iterator[Item]:
    for folder in _folders(workspace.runs(competition)):
        if folder.name.startswith(TRIALS) and not RunLayout(folder).run_file.is_file():
            why = "changed lately" if _changed_lately(folder) else "stages of a study"
            yield Item(folder, "leftovers", not _changed_lately(folder), why)


def _raw_files(workspace: Workspace, competition: str, staying: Iterable[Path]) -> Iterator[Item]:
    """The folders of a competition's raw files; those of the runs that stay are needed."""
    used, unknown = _made_of(staying)
    top = workspace.data / competition
    lock = top / LOCK_FILE
    whole = {folder: stated for folder in _folders(top) if (stated := manifest.read(folder))}
    newest = max(whole, key=_modified, default=None)
    for folder, stated in whole.items():
        user = used.get(stated.digest) or unknown
        why = f"run {user} was made of them" if user else "the newest" if folder == newest else None
        yield Item(folder, "raw files", why is None, why or "no run that stays needs them", lock)
    for folder in _folders(top):
        if folder.name.endswith(GATHERING) and not _is_held(lock):
            yield Item(folder, "leftovers", True, "of a download that was stopped", lock)


def _modified(folder: Path) -> float:
    """When it was last changed; 0 if it is gone."""
    return next((status.st_mtime for status in _within(folder)), 0.0)


def _made_of(runs: Iterable[Path]) -> tuple[dict[str, str], str | None]:
    """By the digest of raw files, a run that was made of them; and a run that does not tell."""
    used, unknown = dict[str, str](), None
    for folder in runs:
        try:
            used[run_folders.describe(folder, keys=("data",))["data"]] = folder.name
        except stored.DamagedFileError as error:
            stored.pass_over(error)
            unknown = folder.name
    return used, unknown


def _removed_halfway(workspace: Workspace) -> Iterator[Item]:
    for top in (workspace.all_runs, workspace.data):
        for folder in _folders(top):
            if folder.name.startswith(REMOVING):
                yield Item(folder, "leftovers", True, "its removal was stopped")


def _folders(top: Path) -> list[Path]:
    """Folders directly in a folder; never links, which lead out of the workspace."""
    if not top.is_dir() or top.is_symlink():
        return []
    return sorted(path for path in top.iterdir() if path.is_dir() and not path.is_symlink())


def _is_held(lock: Path) -> bool:
    if not lock.exists():
        return False
    try:
        with files.locked(lock):
            return False
    except files.LockedError:
        return True
    except FileNotFoundError:  # its folder has just been removed
        return False


def _changed_lately(folder: Path) -> bool:
    latest = max((status.st_mtime for status in _within(folder)), default=0.0)
    return time.time() - latest < IN_USE_S


def n_bytes(paths: Iterable[Path]) -> int:
    """What files take on the disk, each linked one counted once."""
    return sum(status.st_size for status in _distinct(paths).values())


def n_freed(paths: Iterable[Path]) -> int:
    """What removing the folders gives back: nothing for files that are linked elsewhere too."""
    n_links: dict[tuple[int, int], int] = {}
    found = list(_files(paths))
    for status in found:
        key = (status.st_dev, status.st_ino)
        n_links[key] = n_links.get(key, 0) + 1
    distinct = {(status.st_dev, status.st_ino): status for status in found}
    return sum(s.st_size for key, s in distinct.items() if n_links[key] == s.st_nlink)


def _distinct(paths: Iterable[Path]) -> dict[tuple[int, int], os.stat_result]:
    return {(status.st_dev, status.st_ino): status for status in _files(paths)}


def _files(paths: Iterable[Path]) -> Iterator[os.stat_result]:
    return (status for top in paths for status in _within(top) if stat.S_ISREG(status.st_mode))


def _within(top: Path) -> Iterator[os.stat_result]:
    """Of a file, or of a folder and all in it, but what goes meanwhile; links are not followed."""
    inside = (Path(here, name) for here, *named in os.walk(top) for name in chain(*named))
    for path in chain([top], inside):
        with contextlib.suppress(FileNotFoundError):
            yield path.lstat()
