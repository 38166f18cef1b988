"""A finished run in numbers: `summary.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AllowInfNan, BaseModel, BeforeValidator, ConfigDict

from pipelines.workspace import files, stored
from pipelines.workspace.layout import RunLayout
from pipelines.workspace.stage_files import BLEND as BLEND

# NaN where a metric is undefined, as AUC is for rows of one class; JSON holds null.
Score = Annotated[
    float,
    AllowInfNan(allow_inf_nan=True),
    BeforeValidator(lambda value: float("nan") if value is None else value),
]
# None where it is undefined or there is none.
Known = Annotated[float | None, BeforeValidator(lambda value: None if value != value else value)]

JSON_KEYS = {
    *("run", "competition", "source", "synthetic", "metric", "cv", "cv_std", "local_score"),
    "also",
    *("submission", "seconds", "mlflow_run_id", "warnings", "known_share", "cv_new"),
}


class MemberLine(BaseModel):
    """A member's cross-validated score, its spread over folds, its weight, and further scores.

    Attributes:
        adds: Of a blend of files and runs: how much better the blend is with the member.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    name: str
    score: Score
    std: Score
    weight: float
    also: tuple[Score, ...] = ()
    adds: Known = None


class FurtherLine(BaseModel):
    """A further metric: cross-validated, and on held-back test rows where there are some."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    metric: str
    cv: Score
    cv_std: Score
    local_score: Known


class WayLine(BaseModel):
    """A candidate that combines the members' predictions, and its nested score.

    Attributes:
        error: The standard error of its score's difference to the weighted blend's, in a blend of
            files and runs to the best candidate's, over splits; None for that one itself, and where
            there are too few splits.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    name: str
    score: Score
    std: Score
    error: Known = None


class TunedLine(BaseModel):
    """A member that ran with tuned values.

    Attributes:
        score: Of the best trial on the folds that were tuned on, so it is optimistic.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    name: str
    values: str
    score: float
    n_trials: int
    file: str


class TimeLine(BaseModel):
    """How a run kept its time limit.

    Attributes:
        limit_s: What was asked for.
        within_s: From the start of the process until CSV, summary and ledger were written.
        after_s: Report, figures and MLflow, which come after it; None until they are there.
        ended: What ended it.
        left_out: Members that did not fit.
        n_steps: Submissions that were made, each from one member more.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    limit_s: float
    within_s: float
    after_s: float | None = None
    ended: Literal["planned", "time", "interrupted"] = "planned"
    left_out: tuple[str, ...] = ()
    n_steps: int = 1


class Summary(BaseModel):
    """A run in numbers; its presence means that the submission is finished.

    Attributes:
        kind: `run`, or `blend` for what `foldwise blend` made of runs and files.
        figures: Those that were drawn, which comes after the submission.
        undrawn: Names of figures that failed; the next command tries them again.
        stage_seconds: By stage, how long it took when it was made, by this run or an earlier one.
        spent: By stage, how long it took in this run; empty in runs of earlier versions.
        seconds: How long the run took, from the request to its report.
        time: How it kept its time limit; None without one.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    run: str
    kind: Literal["run", "blend"] = "run"
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
    cv_new: Known = None
    local_score: Known
    also: tuple[FurtherLine, ...] = ()
    n_held_back: int
    takes_submissions: bool = True
    submission: str
    submission_sha256: str
    n_rows: int
    figures: tuple[str, ...] = ()
    undrawn: tuple[str, ...] = ()
    stage_seconds: dict[str, float]
    spent: dict[str, float] = {}
    seconds: float
    time: TimeLine | None = None
    warnings: tuple[str, ...] = ()
    mlflow_run_id: str | None = None
    mlflow_is_local: bool | None = None

    def tracked(self, run_id: str, *, is_local: bool) -> Summary:
        """The summary with the id of its MLflow run, in the local store or on a server."""
        return self.model_copy(update={"mlflow_run_id": run_id, "mlflow_is_local": is_local})

    def write(self, folder: Path) -> None:
        """Write `summary.json` whole or not at all."""
        files.write_text(RunLayout(folder).summary_file, self.model_dump_json(indent=1) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Summary | None:
        """The folder's summary, or None while its run is unfinished.

        Raises:
            DamagedFileError: The file holds something else.
        """
        path = RunLayout(folder).summary_file
        if not path.is_file():
            return None
        again = f"type the command that made the run, foldwise run {folder.parent.name}, again"
        return stored.read(cls, path, again)

    def as_json(self) -> str:
        """The line that `--json` prints."""
        return self.model_dump_json(include=JSON_KEYS)
