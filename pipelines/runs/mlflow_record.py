"""A finished run as an MLflow run: its tags, parameters, metrics, artifacts and model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.prediction.mlflow_model import logged_model
from pipelines.stages.run_contents import RunContents
from pipelines.tracking import log
from pipelines.tracking.record import Data, Family, Record, Row
from pipelines.tracking.stores import Store
from pipelines.tracking.tracker import Tracker
from pipelines.workspace.layout import RunLayout, Workspace
from pipelines.workspace.stage_files import SubmissionFiles
from pipelines.workspace.summary import Summary
from submissions import ledger

DECIMALS = 6


def track(
    tracker: Tracker,
    summary: Summary,
    run: RunContents,
    elsewhere: Callable[[], str | None] | None = None,
) -> Summary:
    """Log a finished run unless it is logged already; the summary with its MLflow id.

    Args:
        tracker: Where runs go.
        summary: The run's.
        run: What its stages returned.
        elsewhere: Logs it in another process, if there is one; see `Tracker.run`.
    """
    if summary.mlflow_run_id is not None:
        return summary
    run_id = tracker.run(of_run(summary, run, tracker.root), summary.competition, elsewhere)
    if run_id is None:
        return summary
    tracked = summary.tracked(run_id, is_local=tracker.store.is_local)
    tracked.write(run.layout.folder)
    return tracked


def log_run(summary: Summary, run: RunContents, *, root: Path, store: Store | None = None) -> str:
    """Log a finished run and return its MLflow id; a run that the store has is written again.

    Raises:
        TrackingError: The server cannot be reached, or refused.
    """
    record = of_run(summary, run, root)
    return log.log_family(
        Family(record, ()), experiment=summary.competition, root=root, store=store, again=True
    )


def of_run(summary: Summary, run: RunContents, root: Path) -> Record:
    """All that MLflow holds of a finished run, with Kaggle's scores where they are known.

    Args:
        summary: The run's.
        run: What its stages returned.
        root: The folder that holds the ledger.
    """
    described, layout = run.described, run.layout
    scored = _scored(summary, root)
    start_ms = int(datetime.fromisoformat(described["started"]).timestamp() * 1000)
    return Record(
        name=summary.run,
        tags=_tags(summary, described) | _kaggle_tags(scored),
        params=dict(_params(described["configuration"])),
        metrics=[
            *_scores(summary),
            *_kaggle_scores(scored),
            *_fold_scores(run),
            *_curves(summary, run),
        ],
        artifacts=[path for path in _artifacts(layout) if path.exists()],
        data=Data(
            name=f"{summary.competition} ({summary.source})",
            digest=described["data"][:12],
            origin=summary.origin,
        ),
        model=logged_model(layout.folder, summary.competition),
        key=f"{summary.competition}/{summary.run}",
        start_ms=start_ms,
        end_ms=start_ms + int(summary.seconds * 1000),
    )


def kaggle_scores(public: float | None, private: float | None) -> dict[str, float]:
    """The known scores of Kaggle, by their names in MLflow."""
    scores = {"public_score": public, "private_score": private}
    return {name: value for name, value in scores.items() if value is not None}


def _scored(summary: Summary, root: Path) -> ledger.Entry | None:
    entries = ledger.read(Workspace(root).ledger)
    return next((entry for entry in entries if entry.run == summary.run), None)


def _tags(summary: Summary, described: Mapping[str, Any]) -> dict[str, str]:
    commit = described["git_commit"] or "unknown"
    return {
        "kind": summary.kind,
        "state": "complete",
        "competition": summary.competition,
        "source": "synthetic" if summary.synthetic else summary.source,
        "members": ", ".join(member.name for member in summary.members),
        "metric": summary.metric,
        "folds": summary.folds,
        "git_commit": commit,
        "submission": summary.submission,
        "submission_sha256": summary.submission_sha256,
        "mlflow.note.content": f"data: {escape(summary.origin, quote=False)}",
        "mlflow.source.name": f"foldwise {summary.kind} {summary.competition}",
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": commit,
    }


def _kaggle_tags(scored: ledger.Entry | None) -> dict[str, str]:
    if scored is None or scored.submitted_utc is None:
        return {}
    tags = {"kaggle.submitted": scored.submitted_utc.isoformat(timespec="seconds")}
    facts = {"message": scored.message, "ref": scored.kaggle_ref, "refused": scored.refused}
    return tags | {f"kaggle.{key}": str(value) for key, value in facts.items() if value is not None}


def _params(configuration: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    settings = {key: configuration[key] for key in ("folds", "blend")}
    settings |= {member["name"]: member for member in configuration["members"]}
    yield from _flat(settings)


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from _flat(inner, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", inner


def _scores(summary: Summary) -> Iterator[Row]:
    """The scores, rounded because the runs table shows every digit; `summary.json` has them all."""
    scores = {"cv": summary.cv, "cv_std": summary.cv_std, "seconds": summary.seconds}
    if summary.local_score is not None:
        scores["local_score"] = summary.local_score
    for line in summary.also:
        scores |= {f"cv.{line.metric}": line.cv, f"cv_std.{line.metric}": line.cv_std}
        if line.local_score is not None:
            scores[f"local_score.{line.metric}"] = line.local_score
    for member in summary.members:
        scores |= {f"{member.name}.cv": member.score, f"{member.name}.weight": member.weight}
    yield from ((name, round(value, DECIMALS), 0) for name, value in scores.items())


def _kaggle_scores(scored: ledger.Entry | None) -> Iterator[Row]:
    if scored is not None:
        for name, value in kaggle_scores(scored.public_score, scored.private_score).items():
            yield name, value, 0


def _fold_scores(run: RunContents) -> Iterator[Row]:
    scores = run.blend.scores
    yield from (("fold_score", float(score), fold) for fold, score in enumerate(scores))


def _curves(summary: Summary, run: RunContents) -> Iterator[Row]:
    """Mean curves over the replicas that were still training at each epoch."""
    for member in summary.members if summary.kind == "run" else ():
        curves = run.predictions_of(member.name).curves
        for name, values in curves.items():
            for epoch in np.flatnonzero(np.isfinite(values).any(axis=0)):
                yield f"{member.name}.{name}", float(np.nanmean(values[:, epoch])), int(epoch) + 1


def _artifacts(run: RunLayout) -> list[Path]:
    csv = SubmissionFiles(run.submission).csv
    return [run.figures, csv, run.report_file, run.run_file, run.summary_file]
