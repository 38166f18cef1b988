"""Shows what takes how much room in a workspace, and removes what nothing needs any more.

The ledger, submissions, studies, what a server has missed and the MLflow store are never touched.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from pipelines.console import Narrator, plain_table, print_table
from pipelines.runs.disk_use import REMOVING, Item, n_bytes, n_freed, survey
from pipelines.workspace import files
from pipelines.workspace.layout import Workspace
from submissions import ledger

KINDS = ("runs", "raw files", "leftovers")
UNITS = ("B", "kB", "MB", "GB", "TB")


@dataclass(frozen=True)
class CleanRequest:
    """What the command line sets.

    Attributes:
        competition: Its name, or None for all.
        n_keep: How many of each competition's newest runs stay.
        dry_run: Whether to remove nothing.
        yes: Whether to remove without asking.
        root: The workspace.
    """

    competition: str | None = None
    n_keep: int = 3
    dry_run: bool = False
    yes: bool = False
    root: Path = Path()


def clean(request: CleanRequest, narrator: Narrator) -> None:
    """Show what takes room, ask, and remove what may go.

    Raises:
        NoRunError: The workspace has nothing of that competition.
        LedgerError: The ledger's file cannot be read, so nothing is known of what was sent.
    """
    workspace = Workspace(request.root)
    if (fault := ledger.look(workspace.ledger).fault) is not None:
        narrator.warn(fault)
    items = survey(workspace, n_keep=request.n_keep, competition=request.competition)
    print_table(narrator.console, _table(workspace, items))
    going = [item for item in items if item.may_go]
    for item in going:
        narrator.say("to go", f"{item.path}   {_size(n_bytes([item.path]))}   {item.why}")
    if not going:
        narrator.say("nothing", "to remove")
    elif request.dry_run:
        narrator.say("dry run", f"nothing was removed; {_gain(going)}")
    elif request.yes or narrator.ask(f"remove {_folders(len(going))}? {_gain(going)}"):
        workspace.all_runs.mkdir(parents=True, exist_ok=True)
        with files.locked(workspace.cleaning_lock, wait=True):
            _remove_all(going, narrator)
    else:
        narrator.say("kept", "nothing was removed")


def _table(workspace: Workspace, items: Sequence[Item]) -> Table:
    table = plain_table(["what"], ["room", "to go", "folders"])
    for kind in KINDS:
        all_of, going = (
            [item.path for item in items if item.kind == kind and item.may_go >= least]
            for least in (False, True)
        )
        counts = f"{len(going)} of {len(all_of)}"
        table.add_row(kind, _size(n_bytes(all_of)), _size(n_freed(going)), counts)
    for name, paths in workspace.never_removed.items():
        table.add_row(name, _size(n_bytes(paths)), "never", "")
    return table


def _remove_all(items: Sequence[Item], narrator: Narrator) -> None:
    freed = n_removed = 0
    for item in items:
        if not item.path.is_dir():  # another process has removed it
            continue
        n_item = n_freed([item.path])
        try:
            _remove(item)
        except files.LockedError as error:
            narrator.warn(f"{item.path} stays: {error}")
            continue
        freed, n_removed = freed + n_item, n_removed + 1
    narrator.say("removed", f"{_folders(n_removed)}, {_size(freed)}")


def _remove(item: Item) -> None:
    """Move the folder aside at once, so that no command sees a part of it; then remove it.

    Raises:
        LockedError: Another process works in it.
    """
    aside = item.path.parent.parent / f"{REMOVING}{item.path.parent.name}-{item.path.name}"
    if item.path.name.startswith(REMOVING):
        aside = item.path
    with _held(item.lock):
        if aside != item.path:
            item.path.rename(aside)
    shutil.rmtree(aside)


@contextlib.contextmanager
def _held(lock: Path | None) -> Iterator[None]:
    if lock is None:
        yield
        return
    with files.locked(lock):
        yield


def _folders(count: int) -> str:
    return "1 folder" if count == 1 else f"{count} folders"


def _gain(items: Sequence[Item]) -> str:
    return f"that frees {_size(n_freed([item.path for item in items]))}"


def _size(count: float) -> str:
    """Such as `1.2 GB`."""
    for unit in UNITS:
        if count < 1000 or unit == UNITS[-1]:
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
