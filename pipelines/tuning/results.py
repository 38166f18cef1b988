"""A finished study with both its scores, and the file that holds them."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.ensembling.selection import standard_error
from pipelines.tuning.study import Study, Trial, Values
from pipelines.workspace import files

FILE = "study.json"


@dataclass(frozen=True)
class Scored:
    """A score on the folds of a run.

    Attributes:
        mean: Over the splits.
        std: Over the splits.
        n_splits: How many there are.
        scores: Of each split.
        n_folds: Folds per repeat.
    """

    mean: float
    std: float
    n_splits: int
    scores: tuple[float, ...] = ()
    n_folds: int = 0


@dataclass(frozen=True)
class Tuning:
    """The result of one member's study.

    Attributes:
        competition: Its name.
        member: Its name.
        metric: Name of the metric that decides.
        source: Where the raw files came from.
        synthetic: Whether they were made by a generator.
        study: The trials, scored on the tuning folds.
        defaults: The values in the competition's file.
        folder: The study's folder.
        seconds: From its start to its files: encoding, trials, both scores and figures.
        default: The defaults' score on the folds of a run; None if that was not requested.
        tuned: The score of the best trial's values there.
        figures: Their paths.
        mlflow_run_id: The study's MLflow run; None where nothing was tracked.
    """

    competition: str
    member: str
    metric: str
    source: str
    synthetic: bool
    study: Study
    defaults: Values
    folder: Path
    seconds: float
    default: Scored | None = None
    tuned: Scored | None = None
    figures: tuple[Path, ...] = ()
    mlflow_run_id: str | None = None

    @property
    def best(self) -> Trial:
        """The study's best trial."""
        best = self.study.best
        assert best is not None, "a study without a complete trial ends in an error"
        return best

    @property
    def default_trial(self) -> Trial | None:
        """The trial of the defaults, if it is complete."""
        same = (t for t in self.study.complete if dict(t.values) == dict(self.defaults))
        return next(same, None)

    @property
    def gain(self) -> float | None:
        """By how much the tuned values are better on the folds of a run."""
        if self.tuned is None or self.default is None:
            return None
        sign = 1 if self.study.greater_is_better else -1
        return sign * (self.tuned.mean - self.default.mean)

    @property
    def gain_error(self) -> float | None:
        """The standard error of the gain; None where it is unknown."""
        if self.tuned is None or self.default is None:
            return None
        return gain_error(self.default, self.tuned)


def gain_error(default: Scored, tuned: Scored) -> float | None:
    """The standard error of the mean difference over splits; None where it is unknown."""
    differences = np.array(tuned.scores) - np.array(default.scores)
    return standard_error(differences, default.n_folds)


def write(tuning: Tuning) -> None:
    """Write `study.json` whole or not at all."""
    stored = dataclasses.asdict(tuning)
    stored["study"]["n_failed"] = tuning.study.n_failed
    for transient in ("folder", "figures", "mlflow_run_id"):
        del stored[transient]
    del stored["study"]["ours"], stored["study"]["failed"]
    files.write_text(tuning.folder / FILE, json.dumps(stored, indent=1) + "\n")
