"""Writes one record to one MLflow run: finds or creates the run, fills it, ends it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.tracking import model, runs_table
from pipelines.tracking.record import Record
from pipelines.tracking.stores import local_store
from pipelines.workspace.layout import Workspace

if TYPE_CHECKING:
    from mlflow import MlflowClient

PARAM_LIMIT = 500
BATCH = 800  # metrics beside up to 100 params and tags each: MLflow takes 1,000 items at once
KEY = "foldwise.key"


def write(client: MlflowClient, experiment: str, record: Record, *, again: bool) -> str:
    """Write a whole run and end it; `again` continues the run that has the record's key."""
    run_id = _found(client, experiment, record.key) if again else None
    run_id = run_id or created(client, experiment, record)
    fill(client, run_id, replace(record, tags=record.tags if again else {}))
    client.set_terminated(run_id, record.status, end_time=record.end_ms)
    return run_id


def _found(client: MlflowClient, experiment: str, key: str) -> str | None:
    runs = client.search_runs([experiment], f"tags.`{KEY}` = '{key}'", max_results=1)
    return str(runs[0].info.run_id) if runs else None


def created(client: MlflowClient, experiment: str, record: Record) -> str:
    """Create a run with the record's name, start and tags; its id."""
    run = client.create_run(
        experiment,
        start_time=record.start_ms,
        run_name=record.name,
        tags={**record.tags, KEY: record.key},
    )
    return str(run.info.run_id)


def fill(client: MlflowClient, run_id: str, record: Record) -> None:
    """Write tags, params, metrics and artifacts; the last of each in one batch.

    Sending twice changes nothing: a metric has the same time, a param the same value.
    """
    from mlflow.entities import Metric, Param, RunTag

    tags = [RunTag(key, text) for key, text in record.tags.items()]
    params = [Param(key, str(value)[:PARAM_LIMIT]) for key, value in record.params.items()]
    metrics = [Metric(n, float(v), record.start_ms, step) for n, v, step in record.metrics]
    for batch in _batches(metrics[BATCH:], 1000):
        client.log_batch(run_id, metrics=batch)
    for batch in _batches(params[100:], 100):
        client.log_batch(run_id, params=batch)
    client.log_batch(run_id, metrics=metrics[:BATCH], params=params[:100], tags=tags)
    if record.data is not None:
        _log_data(client, run_id, record)
    for path in record.artifacts:
        client.log_artifact(run_id, str(path))
    if record.model is not None:
        model.log(client, run_id, record.model)


def _log_data(client: MlflowClient, run_id: str, record: Record) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    assert record.data is not None
    data = Dataset(
        name=record.data.name,
        digest=record.data.digest,
        source_type="local",
        source=json.dumps({"origin": record.data.origin}),
    )
    tag = InputTag(key="mlflow.data.context", value="training")
    client.log_inputs(run_id, [DatasetInput(data, [tag])])


def _batches(rows: list[Any], size: int) -> Iterator[list[Any]]:
    """MLflow takes at most 1,000 metrics and 100 parameters at once."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def experiment(client: MlflowClient, name: str, root: Path) -> str:
    """The experiment's id; a missing one is created with its columns."""
    from mlflow.exceptions import MlflowException

    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        try:
            return _created_experiment(client, name, root)
        except MlflowException:
            experiment = client.get_experiment_by_name(name)  # another process was faster
            if experiment is None:
                raise
    for key, value in runs_table.tags().items():
        if key not in experiment.tags or runs_table.is_former(experiment.tags[key]):
            client.set_experiment_tag(experiment.experiment_id, key, value)
    return str(experiment.experiment_id)


def _created_experiment(client: MlflowClient, name: str, root: Path) -> str:
    is_local = client.tracking_uri == local_store(root)
    place = Workspace(root).artifacts(name).resolve().as_uri() if is_local else None
    return str(client.create_experiment(name, artifact_location=place, tags=runs_table.tags()))
