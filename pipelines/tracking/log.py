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
from pipelines.tracking.client_settings import limited_retries, quick_commits, quiet
from pipelines.tracking.record import Family, Record, Update
from pipelines.tracking.stores import Store, TrackingError, reach, wanted

if TYPE_CHECKING:
    from mlflow import MlflowClient


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

    return _send(store or wanted(root), write)


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
                writing.write(client, place, _beneath(parent_id, child), again=False)
        if status == "KILLED":
            client.set_tag(parent_id, "state", "stopped")
        client.set_terminated(parent_id, status)
        return parent_id

    return _send(store or wanted(root), write)


def _beneath(parent_id: str, child: Record) -> Record:
    return replace(child, tags={**child.tags, "mlflow.parentRunId": parent_id})


def _started(client: MlflowClient, experiment: str, parent: Record) -> str:
    """The id of the parent, which is continued if the store has it."""
    name = parent.tags["study"]
    found = client.search_runs([experiment], f"tags.study = '{name}'", max_results=1)
    if found:
        client.update_run(found[0].info.run_id, status="RUNNING")
        return str(found[0].info.run_id)
    return writing.created(client, experiment, parent)


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

    _send(store or wanted(root), write)


def experiments(root: Path) -> dict[str, str]:
    """Ids of the store's experiments by name; a missing local database is made.

    Raises:
        TrackingError: The server cannot be reached, or refused.
    """
    found: dict[str, str] = {}

    def read(client: MlflowClient) -> str:
        found.update((one.name, one.experiment_id) for one in client.search_experiments())
        return ""

    _send(wanted(root), read)
    return found


def _send(store: Store, write: Callable[[MlflowClient], str]) -> str:
    """Call `write` with a client of the store."""
    reach(store)
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from requests import RequestException

    with quiet(), limited_retries(), quick_commits():
        try:
            return write(MlflowClient(store.uri))
        except (MlflowException, RequestException) as error:
            reason = (str(error) or "no reason given").splitlines()[0]
            raise TrackingError(f"MLflow at {store.name} did not take it ({reason})") from error
