"""Writes finished runs to MLflow; the only file that imports mlflow.

The store is `MLFLOW_TRACKING_URI` where that is set, else `mlflow.db` (SQLite) and `mlartifacts/`
in the workspace. mlflow is imported here and late, since the import costs seconds.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sqlite3
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np

from pipelines import arrays
from pipelines.folders import FILE as RUN_FILE
from pipelines.summary import Summary

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param

REACH_TIMEOUT_S = 3.0
PARAM_LIMIT = 500
BATCH = 800  # metrics beside up to 100 params and tags each: MLflow takes 1,000 things at once


class TrackingError(RuntimeError):
    """The tracking server did not take the run; the run itself is whole."""


def log_run(summary: Summary, folder: Path, *, root: Path) -> str:
    """Write parameters, metrics, the data's digest and all artifacts; give the MLflow run's id.

    Raises:
        TrackingError: the server cannot be reached, or refused.
    """
    return _send(root, lambda client: _log(client, summary, folder, root))


@dataclass(frozen=True)
class Record:
    """What one MLflow run is to hold.

    Attributes:
        name: what the page calls it.
        tags: by name.
        params: by name.
        metrics: (name, value, step).
        artifacts: files and folders that are copied.
    """

    name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Sequence[tuple[str, float, int]] = ()
    artifacts: Sequence[Path] = ()


def log_family(parent: Record, children: Sequence[Record], *, experiment: str, root: Path) -> str:
    """Write a run and the runs beneath it; give the parent's MLflow id.

    Raises:
        TrackingError: the server cannot be reached, or refused.
    """

    def write(client: MlflowClient) -> str:
        place = _experiment(client, experiment, root)
        parent_id = _write(client, place, parent)
        for child in children:
            tags = {**child.tags, "mlflow.parentRunId": parent_id}
            _write(client, place, replace(child, tags=tags))
        return parent_id

    return _send(root, write)


def log_growing_family(
    parent: Record,
    comers: Iterable[tuple[Record, bool]],
    *,
    experiment: str,
    root: Path,
) -> str:
    """Write a run, and the runs beneath it as they come; give the parent's MLflow id.

    The parent is the one of the same `study` tag where there is one; children whose name it has
    are left as they are. Without a last word on the parent, it was ended before its time.

    Args:
        parent: as it is begun.
        comers: children, and at last (the parent's further params, metrics and artifacts, True).
        experiment: by name.
        root: the workspace.

    Raises:
        TrackingError: the server cannot be reached, or refused.
    """

    def write(client: MlflowClient) -> str:
        place = _experiment(client, experiment, root)
        parent_id = _begun(client, place, parent)
        there = _children(client, place, parent_id)
        status = "KILLED"
        for record, is_last in comers:
            if is_last:
                _fill(client, parent_id, record)
                status = "FINISHED"
            elif record.name not in there:
                tags = {**record.tags, "mlflow.parentRunId": parent_id}
                _write(client, place, replace(record, tags=tags))
        client.set_terminated(parent_id, status)
        return parent_id

    return _send(root, write)


def _begun(client: MlflowClient, experiment: str, parent: Record) -> str:
    """The parent's id, made or found."""
    name = parent.tags["study"]
    found = client.search_runs([experiment], f"tags.study = '{name}'", max_results=1)
    if found:
        client.update_run(found[0].info.run_id, status="RUNNING")
        return str(found[0].info.run_id)
    run = client.create_run(experiment, run_name=parent.name, tags=dict(parent.tags))
    return str(run.info.run_id)


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
    run_id: str, *, metrics: Mapping[str, float], tags: Mapping[str, str], root: Path
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

    _send(root, write)


def _write(client: MlflowClient, experiment: str, record: Record) -> str:
    run = client.create_run(experiment, run_name=record.name, tags=dict(record.tags))
    run_id: str = run.info.run_id
    _fill(client, run_id, replace(record, tags={}))
    client.set_terminated(run_id)
    return run_id


def _fill(client: MlflowClient, run_id: str, record: Record) -> None:
    """Tags, params, metrics and artifacts; the small rest of each in one batch."""
    from mlflow.entities import Metric, Param, RunTag

    now = int(time.time() * 1000)
    tags = [RunTag(key, text) for key, text in record.tags.items()]
    params = [Param(key, str(value)[:PARAM_LIMIT]) for key, value in record.params.items()]
    metrics = [Metric(name, float(value), now, step) for name, value, step in record.metrics]
    for batch in _batches(metrics[BATCH:], 1000):
        client.log_batch(run_id, metrics=batch)
    for batch in _batches(params[100:], 100):
        client.log_batch(run_id, params=batch)
    client.log_batch(run_id, metrics=metrics[:BATCH], params=params[:100], tags=tags)
    for path in record.artifacts:
        client.log_artifact(run_id, str(path))


def _send(root: Path, write: Callable[[MlflowClient], str]) -> str:
    """Let `write` do its work at the store's client."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or local_store(root)
    _reach(uri)
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    with _quiet(), _quick_commits():
        try:
            return write(MlflowClient(uri))
        except MlflowException as error:
            raise TrackingError(_refused(uri, str(error))) from error


@contextmanager
def _quick_commits() -> Iterator[None]:
    """Let SQLite keep a write-ahead log, in which a commit need not wait for the disk.

    MLflow commits six times for each run, and each commit waits 5 to 15 ms otherwise. The store
    stays whole through a kill and through a loss of power, which may take the last second's runs.

    Source: https://www.sqlite.org/wal.html, "Performance Considerations".
    """
    from sqlalchemy import Engine, event

    event.listen(Engine, "connect", _keep_log)
    try:
        yield
    finally:
        event.remove(Engine, "connect", _keep_log)


def _keep_log(connection: Any, _: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        # Where another process is at work in it, commits stay as they were.
        with suppress(sqlite3.OperationalError):
            (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
            if mode == "wal":
                connection.execute("PRAGMA synchronous=NORMAL")


def local_store(root: Path) -> str:
    """The address of the workspace's own store."""
    return f"sqlite:///{(root / 'mlflow.db').resolve()}"


def _refused(uri: str, reason: str) -> str:
    first = reason.splitlines()[0] if reason else "no reason given"
    return (
        f"MLflow at {_without_password(uri)} did not take the run ({first}); the run is whole on "
        "disk; unset MLFLOW_TRACKING_URI to use the local store, then type the same command again"
    )


def _without_password(uri: str) -> str:
    parts = urlsplit(uri)
    if not parts.password and not parts.username:
        return uri
    return parts._replace(netloc=f"***@{parts.hostname}:{parts.port or ''}".rstrip(":")).geturl()


def _reach(uri: str) -> None:
    """Find out at once that a server is not there; mlflow alone would try for minutes."""
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https") or parts.hostname is None:
        return
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    try:
        socket.create_connection((parts.hostname, port), timeout=REACH_TIMEOUT_S).close()
    except OSError as error:
        raise TrackingError(_refused(uri, f"cannot be reached: {error}")) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep mlflow's and alembic's notes on the new database out of the person's page."""
    names = ("mlflow", "alembic")
    levels = {name: logging.getLogger(name).level for name in names}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in names:
            logging.getLogger(name).setLevel(logging.ERROR)
        try:
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)


def _log(client: MlflowClient, summary: Summary, folder: Path, root: Path) -> str:
    experiment = _experiment(client, summary.competition, root)
    run = client.create_run(experiment, run_name=summary.run, tags=_tags(summary, folder))
    run_id: str = run.info.run_id
    for batch in _batches(_metrics(summary, folder), 1000):
        client.log_batch(run_id, metrics=batch)
    for batch in _batches(_params(folder), 100):
        client.log_batch(run_id, params=batch)
    _log_data(client, run_id, summary, folder)
    _log_artifacts(client, run_id, folder)
    client.set_terminated(run_id)
    return run_id


def _experiment(client: MlflowClient, name: str, root: Path) -> str:
    experiment = client.get_experiment_by_name(name)
    if experiment is not None:
        return str(experiment.experiment_id)
    local = "MLFLOW_TRACKING_URI" not in os.environ
    place = (root / "mlartifacts" / name).resolve().as_uri() if local else None
    return str(client.create_experiment(name, artifact_location=place))


def _described(folder: Path) -> dict[str, Any]:
    described: dict[str, Any] = json.loads((folder / RUN_FILE).read_text())
    return described


def _tags(summary: Summary, folder: Path) -> dict[str, str]:
    described = _described(folder)
    return {
        "competition": summary.competition,
        "source": "synthetic" if summary.synthetic else summary.source,
        "members": ", ".join(member.name for member in summary.members),
        "metric": summary.metric,
        "git_commit": described["git_commit"] or "unknown",
        "submission": summary.submission,
        "submission_sha256": summary.submission_sha256,
        "mlflow.note.content": f"data: {summary.origin}",
    }


def _params(folder: Path) -> list[Param]:
    from mlflow.entities import Param

    configuration = _described(folder)["configuration"]
    settings = {key: configuration[key] for key in ("folds", "blend")}
    settings |= {member["name"]: member for member in configuration["members"]}
    return [Param(key, str(value)[:PARAM_LIMIT]) for key, value in _flat(settings)]


def _flat(value: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from _flat(inner, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", inner


def _metrics(summary: Summary, folder: Path) -> list[Metric]:
    """The scores, the score of every fold, and every network's mean curve."""
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    rows = [*_scores(summary), *_fold_scores(folder), *_curves(summary, folder)]
    return [Metric(name, float(value), now, step) for name, value, step in rows]


Row = tuple[str, float, int]


def _scores(summary: Summary) -> Iterator[Row]:
    yield from (("cv", summary.cv, 0), ("cv_std", summary.cv_std, 0))
    yield "seconds", summary.seconds, 0
    if summary.local_score is not None:
        yield "local_score", summary.local_score, 0
    for line in summary.also:
        yield from ((f"cv.{line.metric}", line.cv, 0), (f"cv_std.{line.metric}", line.cv_std, 0))
        if line.local_score is not None:
            yield f"local_score.{line.metric}", line.local_score, 0
    for member in summary.members:
        yield f"{member.name}.cv", member.score, 0
        yield f"{member.name}.weight", member.weight, 0


def _fold_scores(folder: Path) -> Iterator[Row]:
    from pipelines import ensemble

    scores = ensemble.load(folder / "stages" / "ensemble").scores
    yield from (("fold_score", score, fold) for fold, score in enumerate(scores))


def _curves(summary: Summary, folder: Path) -> Iterator[Row]:
    """Means over the replicas that were still in training at that epoch."""
    for member in summary.members:
        path = folder / "stages" / f"train-{member.name}" / "curves.npz"
        curves = arrays.read(path)
        for name, values in curves.items():
            for epoch in np.flatnonzero(np.isfinite(values).any(axis=0)):
                yield f"{member.name}.{name}", float(np.nanmean(values[:, epoch])), int(epoch) + 1


def _batches(rows: list[Any], size: int) -> Iterator[list[Any]]:
    """MLflow takes at most 1,000 metrics and 100 parameters at once."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _log_data(client: MlflowClient, run_id: str, summary: Summary, folder: Path) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    data = Dataset(
        name=f"{summary.competition} ({summary.source})",
        digest=_described(folder)["data"][:12],
        source_type="local",
        source=json.dumps({"origin": summary.origin}),
    )
    tag = InputTag(key="mlflow.data.context", value="training")
    client.log_inputs(run_id, [DatasetInput(data, [tag])])


def _log_artifacts(client: MlflowClient, run_id: str, folder: Path) -> None:
    client.log_artifacts(run_id, str(folder / "figures"), "figures")
    client.log_artifact(run_id, str(folder / "stages" / "submission" / "submission.csv"))
    client.log_artifact(run_id, str(folder / RUN_FILE))
    client.log_artifact(run_id, str(folder / "summary.json"))
