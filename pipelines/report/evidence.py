"""What a report knows beside the run's summary, as data: measured once, kept in `report.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from pipelines.workspace import files
from pipelines.workspace.layout import RunLayout


class Facts(BaseModel):
    """Frozen, and closed to keys that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Table(Facts):
    """What was learned from: sizes, and how often each class occurs."""

    n_train: int
    n_test: int
    n_columns: int
    n_features: int
    classes: dict[str, int]


class FoldScores(Facts):
    """A member's (or the blend's) score on every split, repeat by repeat."""

    name: str
    scores: tuple[float, ...]


class Band(Facts):
    """A curve over epochs: the median replica and the 10-90 % band."""

    epochs: tuple[int, ...]
    low: tuple[float, ...]
    median: tuple[float, ...]
    high: tuple[float, ...]


class Curves(Facts):
    """How one network member learned."""

    member: str
    n_replicas: int
    train_loss: Band
    valid_loss: Band
    valid_score: Band


class Bin(Facts):
    """Held-out rows of like predicted probability: what was said, and what came true."""

    said: float
    observed: float
    n_rows: int


class Outcome(Facts):
    """What became of the out-of-fold predictions.

    Attributes:
        confusion: `(n_classes, n_classes)` counts, true class by row, predicted by column.
        calibration: ten bins at most, of the positive class, or of the predicted one if many.
        said_of: whose probability `calibration` is about.
    """

    confusion: tuple[tuple[int, ...], ...]
    calibration: tuple[Bin, ...]
    said_of: str


class ColumnWorth(Facts):
    """What shuffling a column costs, in the metric; `n_columns` neighbours shuffled as one."""

    name: str
    cost: float
    std: float
    n_columns: int = 1


class Importance(Facts):
    """What each column of the files is worth to one member, on rows held out from it."""

    member: str
    score: float
    n_rows: int
    n_folds: int
    n_shuffles: int
    columns: tuple[ColumnWorth, ...]


class ColumnDrift(Facts):
    """One column's part in telling train from test.

    Attributes:
        share: of the classifier's gain.
        auc: how well the column alone tells them apart, 0.5 to 1.
        bins: what the bars stand for.
        train: share of the training rows in each bin.
        test: share of the test rows in each bin.
    """

    name: str
    share: float
    auc: float
    bins: tuple[str, ...]
    train: tuple[float, ...]
    test: tuple[float, ...]


class Drift(Facts):
    """Whether a classifier can tell train from test rows; 0.5 is that it cannot."""

    auc: float
    std: float
    n_train: int
    n_test: int
    n_folds: int
    columns: tuple[ColumnDrift, ...]


class Check(Facts):
    """One leak check: what was looked at, and what was found."""

    name: str
    outcome: Literal["passed", "look", "skipped"]
    told: str


class Origin(Facts):
    """What a person needs to make the run again."""

    command: str
    device: str
    started: str
    git_commit: str
    code: str
    data: str
    files: dict[str, str]
    versions: dict[str, str]


class Evidence(Facts):
    """All that the report shows and the summary does not hold."""

    title: str
    page: str
    table: Table
    folds: tuple[FoldScores, ...]
    curves: tuple[Curves, ...]
    outcome: Outcome
    importance: Importance | None
    drift: Drift
    checks: tuple[Check, ...]
    origin: Origin
    settings: dict[str, str]

    def write(self, folder: Path) -> None:
        """Write `report.json` whole or not at all."""
        text = self.model_dump_json(indent=1) + "\n"
        files.write_text(RunLayout(folder).evidence_file, text)

    @classmethod
    def read(cls, folder: Path) -> Evidence | None:
        """The folder's evidence, or None where it was never gathered."""
        path = RunLayout(folder).evidence_file
        return cls.model_validate_json(path.read_text()) if path.is_file() else None
