"""A study as MLflow runs: a parent, and a thin child for each trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.configuration.tuned_values import FILE as TUNED_FILE
from pipelines.tracking.record import Family, Record, Status
from pipelines.tuning.results import FILE, Tuning
from pipelines.tuning.study import State, Study, Trial
from pipelines.workspace.layout import FIGURES

if TYPE_CHECKING:
    from pipelines.tuning.optimise import StudyPlan

KIND = "tune"
STATUS: Mapping[State, Status] = {"complete": "FINISHED", "pruned": "KILLED", "failed": "FAILED"}
DECIMALS, SECONDS_DECIMALS = 6, 2  # the runs table shows every digit


@dataclass(frozen=True)
class Parent:
    """A study as it is known before its first trial."""

    competition: str
    member: str
    study: str
    source: str
    metric: str

    @property
    def record(self) -> Record:
        """The study's own MLflow run, as it is started."""
        tags = {
            "kind": KIND,
            "state": "running",
            "study": self.study,
            "competition": self.competition,
            "source": self.source,
            "members": self.member,
            "metric": self.metric,
        }
        key = f"{self.competition}/{self.study}"
        return Record(name=f"tune {self.member}", tags=tags, key=key)


def children(parent: Parent, study: Study) -> dict[int, Record]:
    """A record for each trial that has ended, by its number."""
    tags = {
        "kind": f"{KIND}-trial",
        "competition": parent.competition,
        "members": parent.member,
    }
    trials = (*study.trials, *study.failed)
    return {trial.number: _child(trial, tags, parent.record.key) for trial in trials}


def _child(trial: Trial, tags: dict[str, str], family: str) -> Record:
    """One trial; the score of one that did not end is the last that it reported."""
    metrics = [("score_by_step", score, step) for step, score in trial.curve]
    if trial.score is not None:
        metrics.append(("score", round(trial.score, DECIMALS), 0))
    name = f"trial {trial.number:04d}"
    times: dict[str, int] = {}
    if trial.start_ms is not None:
        times = {"start_ms": trial.start_ms, "end_ms": trial.start_ms + round(trial.seconds * 1000)}
    return Record(
        name=name,
        key=f"{family}/{name}",
        tags={**tags, "state": trial.state},
        params=dict(trial.values),
        metrics=[*metrics, ("seconds", round(trial.seconds, SECONDS_DECIMALS), 0)],
        status=STATUS[trial.state],
        **times,  # type: ignore[arg-type]
    )


def finished(parent: Parent, tuning: Tuning, plan: StudyPlan) -> Family:
    """All that MLflow holds of a study when it is complete."""
    return Family(
        _finished_parent(parent, tuning, plan), tuple(children(parent, tuning.study).values())
    )


def _finished_parent(parent: Parent, tuning: Tuning, plan: StudyPlan) -> Record:
    scores = {
        "score": tuning.best.score,
        "cv": None if tuning.tuned is None else tuning.tuned.mean,
        "cv_std": None if tuning.tuned is None else tuning.tuned.std,
        "cv_of_defaults": None if tuning.default is None else tuning.default.mean,
        "trials": len(tuning.study.trials),
        "pruned": tuning.study.n_pruned,
    }
    seconds = round(tuning.seconds, SECONDS_DECIMALS)
    # Tags, not params: a resumed study may find better values, and MLflow's params are final.
    best = {f"best.{key}": str(value) for key, value in tuning.best.values.items()}
    note = "score is optimistic, since it chose the values; cv is measured on other folds"
    return Record(
        name=parent.record.name,
        key=parent.record.key,
        tags={
            **parent.record.tags,
            "mlflow.note.content": note,
            "state": "complete",
            "seed": str(plan.options.seed),
            "pruner": plan.pruner,
            **best,
        },
        metrics=[
            *((name, round(v, DECIMALS), 0) for name, v in scores.items() if v is not None),
            ("seconds", seconds, 0),
        ],
        artifacts=(
            tuning.folder / FIGURES,
            tuning.folder / FILE,
            tuning.folder / TUNED_FILE,
        ),
    )
