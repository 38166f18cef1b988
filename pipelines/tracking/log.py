"""What the rest of the house asks of MLflow: a run, a family of runs, and what became known later.

The store is `MLFLOW_TRACKING_URI` where that is set, else `mlflow.db` (SQLite) and `mlartifacts/`
in the workspace. mlflow is imported late, since the import costs seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.tracking import writing
from pipelines.tracking.client_settings import patient, quick_commits, quiet
from pipelines.tracking.record import Family, Record
from pipelines.tracking.stores import Store, TrackingError, reach, wanted
from pipelines.workspace.summary import Summary

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from pipelines.stages.run_contents import RunContents


def log_run(summary: Summary, run: RunContents, *, root: Path, store: Store | None = None) -> str:
    """Write parameters, metrics, the data's digest and all artifacts; give the MLflow run's id.

    A run that the store has already is written again, not twice.

    Raises:
        TrackingError: the server cannot be reached, or refused.
    """
    from pipelines.runs import mlflow_record

    record = mlflow_record.of_run(summary, run, root)
    return log_family(
        record, (), experiment=summary.competition, root=root, store=store, again=True
    )


def log_family(
    parent: Record,
    children: Sequence[Record],
    *,
    experiment: str,
    root: Path,
    store: Store | None = None,
    again: bool = False,
) -> str:
    """Write a run and the runs beneath it; give the parent's MLflow id.

    Args:
        parent: the run.
        children: the runs beneath it.
        experiment: where on the page.
        root: the workspace.
        store: where to; None for the one that is wanted.
        again: look for each run by its key first, and go on with it.

    Raises:
        TrackingError: the server cannot be reached, or refused.
    """

    def write(client: MlflowClient) -> str:
        place = writing.experiment(client, experiment, root)
        parent_id = writing.write(client, place, parent, again=again)
        for child in children:
            writing.write(client, place, _beneath(parent_id, child), again=again)
        return parent_id

    return _send(store or wanted(root), write)


def log_growing_family(
    parent: Record,
    comers: Iterable[Record | Family],
    *,
    experiment: str,
    root: Path,
    store: Store | None = None,
) -> str:
    """Write a run, and the runs beneath it as they come; give the parent's MLflow id.

    The parent is the one of the same `study` tag where there is one.

    Args:
        parent: as it is begun.
        comers: new children, and in the end the family: what the parent is to hold besides, and
            all its children, of which those are written that it has not. Without that end the
            parent is marked as killed.
        experiment: by name.
        root: the workspace.
        store: where to; None for the one that is wanted.

    Raises:
        TrackingError: the server cannot be reached, or refused.
    """

    def write(client: MlflowClient) -> str:
        place = writing.experiment(client, experiment, root)
        parent_id = _begun(client, place, parent)
        status = "KILLED"
        for comer in comers:
            if isinstance(comer, Family):
                there = _children(client, place, parent_id)
                missing = [child for child in comer.children if child.name not in there]
                writing.fill(client, parent_id, replace(comer.parent, start_ms=parent.start_ms))
                status = "FINISHED"
            else:
                missing = [comer]
            for child in missing:
                writing.write(client, place, _beneath(parent_id, child), again=False)
        client.set_terminated(parent_id, status)
        return parent_id

    return _send(store or wanted(root), write)


def _beneath(parent_id: str, child: Record) -> Record:
    return replace(child, tags={**child.tags, "mlflow.parentRunId": parent_id})


def _begun(client: MlflowClient, experiment: str, parent: Record) -> str:
    """The parent's id, made or found."""
    name = parent.tags["study"]
    found = client.search_runs([experiment], f"tags.study = '{name}'", max_results=1)
    if found:
        client.update_run(found[0].info.run_id, status="RUNNING")
        return str(found[0].info.run_id)
    return writing.created(client, experiment, parent)


def _children(client: MlflowClient, experiment: str, parent_id: str) -> set[str]:
    """The names of the runs beneath it."""
    beneath = f"tags.`mlflow.parentRunId` = '{parent_id}'"
    names: set[str] = set()
    token = None
    while True:
        page = client.search_runs([experiment], beneath, max_results=1000, page_token=token)
        names |= {run.info.run_name for run in page}
        token = page.token
        if not token:
            return names


def log_later(
    run_id: str,
    *,
    metrics: Mapping[str, float],
    tags: Mapping[str, str],
    root: Path,
    store: Store | None = None,
) -> None:
    """Add to a finished run what became known later.

    Raises:
        TrackingError: the server cannot be reached, or does not have the run.
    """

    def write(client: MlflowClient) -> str:
        for name, value in metrics.items():
            client.log_metric(run_id, name, value)
        for key, text in tags.items():
            client.set_tag(run_id, key, text)
        return run_id

    _send(store or wanted(root), write)


def experiments(root: Path) -> dict[str, str]:
    """Ids of the store's experiments by name; a local database is made if there is none.

    Raises:
        TrackingError: the server cannot be reached, or refused.
    """
    found: dict[str, str] = {}

    def read(client: MlflowClient) -> str:
        found.update((one.name, one.experiment_id) for one in client.search_experiments())
        return ""

    _send(wanted(root), read)
    return found


def _send(store: Store, write: Callable[[MlflowClient], str]) -> str:
    """Let `write` do its work at the store's client."""
    reach(store)
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from requests import RequestException

    with quiet(), patient(), quick_commits():
        try:
            return write(MlflowClient(store.uri))
        except (MlflowException, RequestException) as error:
            reason = (str(error) or "no reason given").splitlines()[0]
            raise TrackingError(f"MLflow at {store.name} did not take it ({reason})") from error
