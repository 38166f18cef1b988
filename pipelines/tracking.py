"""Writes records to MLflow; the only file that imports mlflow.

The store is `MLFLOW_TRACKING_URI` where that is set, else `mlflow.db` (SQLite) and `mlartifacts/`
in the workspace. mlflow is imported here and late, since the import costs seconds.
"""

from __future__ import annotations

import json
import os
import socket
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pipelines import runs_view
from pipelines.manners import patient, quick_commits, quiet
from pipelines.provenance import versions
from pipelines.record import Family
from pipelines.record import Record as Record
from pipelines.summary import Summary

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.models import ModelSignature

REACH_TIMEOUT_S = 3.0
PARAM_LIMIT = 500
BATCH = 800  # metrics beside up to 100 params and tags each: MLflow takes 1,000 things at once
KEY = "foldwise.key"


class TrackingError(RuntimeError):
    """The tracking server did not take the run; the run itself is whole."""

    exit_code = 4


@dataclass(frozen=True)
class Store:
    """Where records go.

    Attributes:
        uri: as mlflow takes it; may hold a password.
        is_local: the workspace's own.
    """

    uri: str
    is_local: bool

    @property
    def name(self) -> str:
        """The address without its password."""
        return _without_password(self.uri)


def local_store(root: Path) -> str:
    """The address of the workspace's own store."""
    return f"sqlite:///{(root / 'mlflow.db').resolve()}"


def local(root: Path) -> Store:
    """The workspace's own store."""
    return Store(local_store(root), is_local=True)


def wanted(root: Path) -> Store:
    """The store that `MLFLOW_TRACKING_URI` names, else the workspace's own."""
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    return Store(uri, is_local=False) if uri else local(root)


def reach(store: Store) -> None:
    """Find out at once that a server is not there.

    Raises:
        TrackingError: nobody answers at its address.
    """
    parts = urlsplit(store.uri)
    if parts.scheme not in ("http", "https") or parts.hostname is None:
        return
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    try:
        socket.create_connection((parts.hostname, port), timeout=REACH_TIMEOUT_S).close()
    except OSError as error:
        raise TrackingError(f"MLflow at {store.name} cannot be reached ({error})") from error


def log_run(summary: Summary, folder: Path, *, root: Path, store: Store | None = None) -> str:
    """Write parameters, metrics, the data's digest and all artifacts; give the MLflow run's id.

    A run that the store has already is written again, not twice.

    Raises:
        TrackingError: the server cannot be reached, or refused.
    """
    from pipelines import run_record  # late: the process that writes studies needs no torch

    record = run_record.of_run(summary, folder, root)
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
        place = _experiment(client, experiment, root)
        parent_id = _write(client, place, parent, again=again)
        for child in children:
            _write(client, place, _beneath(parent_id, child), again=again)
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
        place = _experiment(client, experiment, root)
        parent_id = _begun(client, place, parent)
        status = "KILLED"
        for comer in comers:
            if isinstance(comer, Family):
                there = _children(client, place, parent_id)
                missing = [child for child in comer.children if child.name not in there]
                _fill(client, parent_id, replace(comer.parent, start_ms=parent.start_ms))
                status = "FINISHED"
            else:
                missing = [comer]
            for child in missing:
                _write(client, place, _beneath(parent_id, child), again=False)
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
    return _created(client, experiment, parent)


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


def _write(client: MlflowClient, experiment: str, record: Record, *, again: bool) -> str:
    run_id = _found(client, experiment, record.key) if again else None
    run_id = run_id or _created(client, experiment, record)
    _fill(client, run_id, replace(record, tags=record.tags if again else {}))
    client.set_terminated(run_id, end_time=record.end_ms)
    return run_id


def _found(client: MlflowClient, experiment: str, key: str) -> str | None:
    runs = client.search_runs([experiment], f"tags.`{KEY}` = '{key}'", max_results=1)
    return str(runs[0].info.run_id) if runs else None


def _created(client: MlflowClient, experiment: str, record: Record) -> str:
    run = client.create_run(
        experiment,
        start_time=record.start_ms,
        run_name=record.name,
        tags={**record.tags, KEY: record.key},
    )
    return str(run.info.run_id)


def _fill(client: MlflowClient, run_id: str, record: Record) -> None:
    """Tags, params, metrics and artifacts; the small rest of each in one batch.

    What is sent twice stands there once: a metric has the same time, a param the same value.
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
        _log_model(client, run_id, record.model, name=record.tags.get("competition", record.name))


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


def _experiment(client: MlflowClient, name: str, root: Path) -> str:
    """The experiment's id; made with its columns if there is none."""
    experiment = client.get_experiment_by_name(name)
    if experiment is not None:
        for key, value in runs_view.tags().items():
            if key not in experiment.tags:
                client.set_experiment_tag(experiment.experiment_id, key, value)
        return str(experiment.experiment_id)
    is_local = client.tracking_uri == local_store(root)
    place = (root / "mlartifacts" / name).resolve().as_uri() if is_local else None
    return str(client.create_experiment(name, artifact_location=place, tags=runs_view.tags()))


def _without_password(uri: str) -> str:
    parts = urlsplit(uri)
    if not parts.password and not parts.username:
        return uri
    return parts._replace(netloc=f"***@{parts.hostname}:{parts.port or ''}".rstrip(":")).geturl()


def _log_model(client: MlflowClient, run_id: str, folder: Path, *, name: str) -> None:
    """The run as a model that `mlflow.pyfunc` loads; it is loaded by our code, never unpickled."""
    run = client.get_run(run_id)
    if run.outputs.model_outputs:  # it was sent before
        return
    from mlflow import pyfunc
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus
    from mlflow.models import Model

    from pipelines import served

    place = run.info.experiment_id
    logged = client.create_logged_model(place, name=name, source_run_id=run_id)
    model = Model(
        artifact_path=logged.artifact_location,
        model_uuid=logged.model_id,
        model_id=logged.model_id,
        run_id=run_id,
    )
    with tempfile.TemporaryDirectory(prefix=".model-", dir=folder) as scratch:
        data, path = Path(scratch) / "run", Path(scratch) / "model"
        data.mkdir()
        served.fill(data, folder)
        pyfunc.save_model(
            path,
            loader_module=served.__name__,
            data_path=str(data),
            mlflow_model=model,
            signature=_signature(json.loads((folder / served.FILE).read_text())),
            input_example=served.example(folder),
            pip_requirements=_libraries(),
        )
        client.log_model_artifacts(logged.model_id, str(path))
    client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])


def _libraries() -> list[str]:
    return [f"{name}=={version}" for name, version in versions().items() if name != "python"]


def _signature(told: Mapping[str, Any]) -> ModelSignature:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    inputs = [ColSpec(kind, name, required=needed) for name, kind, needed in told["inputs"]]
    outputs = [ColSpec(kind, name) for name, kind in told["outputs"]]
    return ModelSignature(Schema(inputs), Schema(outputs))
