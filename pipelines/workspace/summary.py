"""What a finished run has to say, as data."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

FILE = "summary.json"
BLEND = "blend"  # the way that every competition has: the members' weighted mean
JSON_KEYS = {
    *("run", "competition", "source", "synthetic", "metric", "cv", "cv_std", "local_score"),
    "also",
    *("submission", "seconds", "mlflow_run_id", "warnings", "known_share", "cv_new"),
}


class MemberLine(BaseModel):
    """One member's cross-validated score with its spread over folds, weight, further scores."""

    model_config = ConfigDict(frozen=True)

    name: str
    score: float
    std: float
    weight: float
    also: tuple[float, ...] = ()


class FurtherLine(BaseModel):
    """A further metric of the run: cross-validated, and on held-back rows where there are some."""

    model_config = ConfigDict(frozen=True)

    metric: str
    cv: float
    cv_std: float
    local_score: float | None


class WayLine(BaseModel):
    """One way to make a single prediction of all members', and its nested score."""

    model_config = ConfigDict(frozen=True)

    name: str
    score: float
    std: float


class TunedLine(BaseModel):
    """A member that ran with tuned values.

    Attributes:
        score: of the best trial on the folds that were tuned on: it flatters.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    values: str
    score: float
    n_trials: int
    file: str


class Summary(BaseModel):
    """A run in numbers; written last into its folder, so its presence means finished."""

    model_config = ConfigDict(frozen=True)

    run: str
    competition: str
    source: str
    origin: str
    synthetic: bool
    metric: str
    greater_is_better: bool
    cv: float
    cv_std: float
    n_splits: int
    folds: str
    members: tuple[MemberLine, ...]
    ways: tuple[WayLine, ...] = ()
    way: str = BLEND
    tuned: tuple[TunedLine, ...] = ()
    known_share: float = 0.0
    cv_new: float | None = None
    local_score: float | None
    also: tuple[FurtherLine, ...] = ()
    n_held_back: int
    submission: str
    submission_sha256: str
    n_rows: int
    figures: tuple[str, ...]
    stage_seconds: dict[str, float]
    seconds: float
    warnings: tuple[str, ...] = ()
    mlflow_run_id: str | None = None
    mlflow_is_local: bool | None = None

    def tracked(self, run_id: str, *, is_local: bool) -> Summary:
        """The summary with the id of its MLflow run, in the workspace's own store or a server's."""
        return self.model_copy(update={"mlflow_run_id": run_id, "mlflow_is_local": is_local})

    def write(self, folder: Path) -> None:
        """Write `summary.json` whole or not at all."""
        temporary = folder / f".{FILE}.writing"
        temporary.write_text(self.model_dump_json(indent=1) + "\n")
        temporary.replace(folder / FILE)

    @classmethod
    def read(cls, folder: Path) -> Summary | None:
        """The folder's summary, or None while its run is unfinished."""
        path = folder / FILE
        return cls.model_validate_json(path.read_text()) if path.is_file() else None

    def as_json(self) -> str:
        """The one line that `--json` prints."""
        return self.model_dump_json(include=JSON_KEYS)
