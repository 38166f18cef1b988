"""`foldwise sync`: sends to an MLflow server what it has missed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from pipelines.console import Narrator
from pipelines.runs import mlflow_record
from pipelines.stages.run_contents import RunContents
from pipelines.tracking import log, outbox, stores
from pipelines.tracking.stores import Store, TrackingError
from pipelines.workspace import files, stage_cache, stored
from pipelines.workspace.layout import LOCK_FILE, Workspace
from pipelines.workspace.summary import Summary


class SyncError(RuntimeError):
    """The server did not take everything; the rest is kept."""

    exit_code = 4


def sync(root: Path, narrator: Narrator, *, everything: bool) -> None:
    """Send what was kept, or every finished run; sending a run again writes no second one.

    What the workspace's own store has missed goes there where no server is named. A damaged file
    is reported and passed over.

    Raises:
        SyncError: No server is named, it cannot be reached, or it refused.
    """
    folder = Workspace(root).unsent
    folder.mkdir(parents=True, exist_ok=True)
    with files.locked(folder / LOCK_FILE, wait=True):  # two would send everything twice
        _sync(root, narrator, everything=everything)


def _sync(root: Path, narrator: Narrator, *, everything: bool) -> None:
    store = stores.wanted(root)
    waiting = outbox.waiting(root)
    runs = list(_finished(root)) if everything else []
    if not waiting and not runs:
        narrator.say("sync", "nothing to send")
        return
    going = [one for one in waiting if one.is_local] if store.is_local else waiting
    if store.is_local:
        runs = []
    try:
        n_sent = sum(_unless_damaged(partial(_send, root, one, store, narrator)) for one in going)
        n_sent += sum(_unless_damaged(partial(_send_run, root, *run, store)) for run in runs)
    except TrackingError as error:
        n_left = len(outbox.waiting(root))
        raise SyncError(f"{error}; {n_left} still kept; type foldwise sync again") from error
    if going or runs:
        narrator.say("sync", f"{n_sent} sent to {store.name}")
    if store.is_local and (everything or len(going) < len(waiting)):
        raise _no_server(len(outbox.waiting(root)) or len(list(_finished(root))))


def _no_server(n_waiting: int) -> SyncError:
    return SyncError(
        f"{n_waiting} to send, but MLFLOW_TRACKING_URI names no server; "
        "set it, for example to http://localhost:5000, and type foldwise sync again"
    )


def _finished(root: Path) -> Iterator[tuple[str, str]]:
    for run in sorted(Workspace(root).finished(), key=lambda run: run.folder):
        yield run.competition, run.run_id


def _unless_damaged(send: Callable[[], int]) -> int:
    """How many were sent; none of a run with a damaged file, which is reported and stays kept."""
    try:
        return send()
    except stored.DamagedFileError as error:
        stored.pass_over(error)
        return 0


def _send(root: Path, one: outbox.Unsent, store: Store, narrator: Narrator) -> int:
    if one.family is not None:
        log.log_family(one.family, experiment=one.experiment, root=root, store=store, again=True)
        n_sent = 1
    elif one.run is not None:
        n_sent = _send_run(root, one.experiment, one.run, store)
        if not n_sent:
            narrator.warn(
                f"run {one.run} of {one.experiment} is no longer on disk, so it was not sent"
            )
    one.path.unlink(missing_ok=True)
    return n_sent


def _send_run(root: Path, competition: str, run: str, store: Store) -> int:
    """Send one run and write its id to its summary; 0 where its folder is gone."""
    layout = Workspace(root).run(competition, run)
    summary = Summary.read(layout.folder)
    if summary is None:
        return 0
    stage_cache.check(layout)
    run_id = mlflow_record.log_run(summary, RunContents(layout), root=root, store=store)
    summary.tracked(run_id, is_local=store.is_local).write(layout.folder)
    outbox.forget_run(root, competition, run)
    return 1
