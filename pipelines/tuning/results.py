"""A finished study with both its scores, and the file that tells them."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from pipelines.tuning.study import Study, Trial, Values
from pipelines.workspace import files

FILE = "study.json"


@dataclass(frozen=True)
class Scored:
    """A score on the folds of a run: the mean over splits, its spread, and how many there are."""

    mean: float
    std: float
    n_splits: int


@dataclass(frozen=True)
class Tuning:
    """What came of one member's study.

    Attributes:
        study: its trials, scored on the tuning folds.
        defaults: the values that the competition's file gives.
        folder: the study's.
        seconds: encoding and trials.
        default: what the defaults score on the folds of a run; None if that was not asked.
        tuned: what the best trial's values score there.
        figures: their paths.
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
        """The trial of the defaults, where it ran to its end."""
        same = (t for t in self.study.complete if dict(t.values) == dict(self.defaults))
        return next(same, None)

    @property
    def gain(self) -> float | None:
        """What the tuned values are better by, on the folds of a run."""
        if self.tuned is None or self.default is None:
            return None
        sign = 1 if self.study.greater_is_better else -1
        return sign * (self.tuned.mean - self.default.mean)


def write(tuning: Tuning) -> None:
    """Write `study.json` whole or not at all."""
    told = dataclasses.asdict(tuning)
    for passing in ("folder", "figures", "mlflow_run_id"):
        del told[passing]
    del told["study"]["ours"]
    files.write_text(tuning.folder / FILE, json.dumps(told, indent=1) + "\n")
