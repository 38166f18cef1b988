"""Logs to MLflow: a run with its children, a study's runs as they come, and later updates.

The store is `MLFLOW_TRACKING_URI` if that is set, else `mlflow.db` (SQLite) and `mlartifacts/` in
the workspace. mlflow is imported inside functions, because the import takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.tracking import writing
from pipelines.tracking.opening import opened
from pipelines.tracking.record import Family, Record, Update, now_ms
from pipelines.tracking.stores import Store, wanted

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


def log_family(
    family: Family,
    *,
    experiment: str,
    root: Path,
    store: Store | None = None,
    again: bool = False,
) -> str:
    """Log a run and its children; return the parent's MLflow id.

    Args:
        family: The run and its children, which may be none.
        experiment: By name.
        root: The workspace.
        store: The store to log to; None for the one that is wanted.
        again: Look for each run by its key first, and continue it.

    Raises:
        TrackingError: The server cannot be reached, or refused.
    """

    def write(client: MlflowClient) -> str:
        place = writing.experiment(client, experiment, root)
        parent_id = writing.write(client, place, family.parent, again=again)
        for child in family.children:
            writing.write(client, place, _beneath(parent_id, child), again=again)
        return parent_id

    return _send(store or wanted(root), root, write)


def log_growing_family(
    parent: Record,
    messages: Iterable[Record | Family],
    *,
    experiment: str,
    root: Path,
    store: Store | None = None,
) -> str:
    """Log a run, and its children as they come; return the parent's MLflow id.

    The parent is the one of the same `study` tag if there is one.

    Args:
        parent: As it is at the start.
        messages: New children, and at the end the whole family: what the parent holds besides,
            and all its children, of which the missing ones are logged. Without that end the
            parent is marked as killed.
        experiment: By name.
        root: The workspace.
        store: The store to log to; None for the one that is wanted.

    Raises:
        TrackingError: The server cannot be reached, or refused.
    """

    def write(client: MlflowClient) -> str:
        place = writing.experiment(client, experiment, root)
        parent_id = _started(client, place, parent)
        status = "KILLED"
        for message in messages:
            if isinstance(message, Family):
                present = _children(client, place, parent_id)
                missing = [child for child in message.children if child.name not in present]
                writing.fill(client, parent_id, replace(message.parent, start_ms=parent.start_ms))
                status = "FINISHED"
            else:
                missing = [message]
            for child in missing:
                again = status == "FINISHED"  # a worker beside this one may just write it too
                writing.write(client, place, _beneath(parent_id, child), again=again)
        if status == "KILLED":
            client.set_tag(parent_id, "state", "stopped")
        client.set_terminated(parent_id, status)
        return parent_id

    return _send(store or wanted(root), root, write)


def _beneath(parent_id: str, child: Record) -> Record:
    return replace(child, tags={**child.tags, "mlflow.parentRunId": parent_id})


def _started(client: MlflowClient, experiment: str, parent: Record) -> str:
    """The id of the parent, which is continued if the store has it.

    Of two that workers create at the same moment all take the older one.
    """
    found = _parents(client, experiment, parent)
    if found:
        client.update_run(found[0], status="RUNNING")
        return found[0]
    ours = writing.created(client, experiment, replace(parent, start_ms=now_ms()))
    first = _parents(client, experiment, parent)[0]
    if first != ours:
        client.delete_run(ours)
    return first


def _parents(client: MlflowClient, experiment: str, parent: Record) -> list[str]:
    """Ids of the runs of that study, the oldest first."""
    name = parent.tags["study"]
    runs = client.search_runs([experiment], f"tags.study = '{name}'")
    return [run.info.run_id for run in sorted(runs, key=_age)]


def _age(run: Run) -> tuple[int, str]:
    return run.info.start_time, run.info.run_id


def _children(client: MlflowClient, experiment: str, parent_id: str) -> set[str]:
    """The names of a run's children."""
    beneath = f"tags.`mlflow.parentRunId` = '{parent_id}'"
    names: set[str] = set()
    token = None
    while True:
        page = client.search_runs([experiment], beneath, max_results=1000, page_token=token)
        names |= {run.info.run_name for run in page}
        token = page.token
        if not token:
            return names


def log_update(update: Update, *, root: Path, store: Store | None = None) -> None:
    """Add metrics and tags to a run that was logged earlier.

    Raises:
        TrackingError: The server cannot be reached, or does not have the run.
    """

    def write(client: MlflowClient) -> str:
        for name, value in update.metrics.items():
            client.log_metric(update.mlflow_run_id, name, value)
        for key, text in update.tags.items():
            client.set_tag(update.mlflow_run_id, key, text)
        return update.mlflow_run_id

    _send(store or wanted(root), root, write)


def experiments(root: Path) -> dict[str, str]:
    """Ids of the store's experiments by name; a missing local database is made.

    Raises:
        TrackingError: The server cannot be reached, or refused.
    """
    found: dict[str, str] = {}

    def read(client: MlflowClient) -> str:
        found.update((one.name, one.experiment_id) for one in client.search_experiments())
        return ""

    _send(wanted(root), root, read)
    return found


def _send(store: Store, root: Path, write: Callable[[MlflowClient], str]) -> str:
    """Call `write` with a client of the store."""
    with opened(store, root) as client:
        return write(client)
