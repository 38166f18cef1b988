"""A study as MLflow runs: a parent, and a thin child for each trial."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.configuration.tuned_values import FILE as TUNED_FILE
from pipelines.tracking.record import Family, Record
from pipelines.tuning.results import FILE, Tuning
from pipelines.tuning.study import Study, Trial

if TYPE_CHECKING:
    from pipelines.tuning.optimise import StudyPlan

KIND = "tune"


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
            "study": self.study,
            "competition": self.competition,
            "source": self.source,
            "members": self.member,
            "metric": self.metric,
        }
        key = f"{self.competition}/{self.study}"
        return Record(name=f"tune {self.member}", tags=tags, key=key)


def children(parent: Parent, study: Study) -> dict[int, Record]:
    """A record for each counted trial, by its number."""
    tags = {
        "kind": f"{KIND}-trial",
        "competition": parent.competition,
        "members": parent.member,
    }
    return {trial.number: _child(trial, tags, parent.record.key) for trial in study.trials}


def _child(trial: Trial, tags: dict[str, str], family: str) -> Record:
    metrics = [("score_by_step", score, step) for step, score in trial.curve]
    if trial.state == "complete" and trial.score is not None:
        metrics.append(("score", trial.score, 0))
    name = f"trial {trial.number:04d}"
    return Record(
        name=name,
        key=f"{family}/{name}",
        tags={**tags, "state": trial.state},
        params=dict(trial.values),
        metrics=[*metrics, ("seconds", trial.seconds, 0)],
    )


def finished(parent: Parent, tuning: Tuning, plan: StudyPlan) -> Family:
    """All that MLflow holds of a study when it is complete."""
    return Family(
        _finished_parent(parent, tuning, plan), tuple(children(parent, tuning.study).values())
    )


def _finished_parent(parent: Parent, tuning: Tuning, plan: StudyPlan) -> Record:
    scores = {
        "tuning_score": tuning.best.score,
        "cv": None if tuning.tuned is None else tuning.tuned.mean,
        "cv_std": None if tuning.tuned is None else tuning.tuned.std,
        "cv_of_defaults": None if tuning.default is None else tuning.default.mean,
        "seconds": tuning.seconds,
        "trials": len(tuning.study.trials),
        "pruned": tuning.study.n_pruned,
    }
    # Tags, not params: a resumed study may find better values, and MLflow's params are final.
    best = {f"best.{key}": str(value) for key, value in tuning.best.values.items()}
    note = "tuning_score is optimistic, since it chose the values; cv is measured on other folds"
    return Record(
        name=parent.record.name,
        key=parent.record.key,
        tags={
            **parent.record.tags,
            "mlflow.note.content": note,
            "seed": str(plan.options.seed),
            "pruner": plan.pruner,
            **best,
        },
        metrics=[(k, float(v), 0) for k, v in scores.items() if v is not None],
        artifacts=(
            tuning.folder / "figures",
            tuning.folder / FILE,
            tuning.folder / TUNED_FILE,
        ),
    )
