"""What a report shows beyond the run's summary, as data: measured once, kept in `report.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from pipelines.workspace import files, stored
from pipelines.workspace.layout import RunLayout
from pipelines.workspace.summary import Score

GATHER_AGAIN = "foldwise report gathers it again"

# Keys of `report.json`, which stay as the first version wrote them.
STORED_NAMES = {"predicted": "said", "probability_of": "said_of", "detail": "told"}


class Facts(BaseModel):
    """Frozen; unknown keys and NaN are errors. `STORED_NAMES` are the keys on disk."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _rename(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        names = {key: name for name, key in STORED_NAMES.items() if name in cls.model_fields}
        return {names.get(key, key): value for key, value in data.items()}

    @model_serializer(mode="wrap")
    def _with_stored_names(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {STORED_NAMES.get(name, name): value for name, value in serialise(self).items()}


class Table(Facts):
    """The size of the data, and the number of training rows of each class, where there are any."""

    n_train: int
    n_test: int
    n_columns: int
    n_features: int
    classes: dict[str, int]


class FoldScores(Facts):
    """A member's (or the blend's) score on every split, repeat by repeat."""

    name: str
    scores: tuple[Score, ...]


class Band(Facts):
    """A curve by epoch: the median replica and the 10-90% band."""

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
    """Held-out rows of similar predicted probability: its mean, and the share that came true."""

    predicted: float
    observed: float
    n_rows: int


class ValueOutcome(Facts):
    """One target: the held-out rows in tenths by prediction, and how far predictions are off."""

    name: str
    predicted: tuple[float, ...]
    observed: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    n_rows: tuple[int, ...]
    bias: float


class Outcome(Facts):
    """How the out-of-fold predictions compare with the target.

    Attributes:
        confusion: `(n_classes, n_classes)` counts, true class by row, predicted by column; empty
            without classes.
        calibration: At most ten bins, for the second of two classes, or for the predicted class;
            empty where predictions are no class probabilities.
        probability_of: The class whose probability `calibration` is about.
        values: For each target of values or of several labels, its deciles.
        decision: The rule from predictions to answers; empty for the plain one.
        decision_gain: What the rule gains on rows that did not choose it.
    """

    confusion: tuple[tuple[int, ...], ...] = ()
    calibration: tuple[Bin, ...] = ()
    probability_of: str = ""
    values: tuple[ValueOutcome, ...] = ()
    decision: str = ""
    decision_gain: float = 0.0


class ColumnWorth(Facts):
    """The loss in the metric when `n_columns` neighbouring columns are shuffled together."""

    name: str
    cost: float
    std: float
    n_columns: int = 1


class Importance(Facts):
    """Permutation importance of the files' columns for some members, on held-out rows."""

    member: str
    score: float
    n_rows: int
    n_folds: int
    n_shuffles: int
    columns: tuple[ColumnWorth, ...]


class ColumnDrift(Facts):
    """How one column differs between train and test.

    Attributes:
        share: Its part of the classifier's gain.
        auc: Of the column alone, 0.5 to 1.
        bins: What each bin holds.
        train: Share of the training rows in each bin.
        test: Share of the test rows in each bin.
    """

    name: str
    share: float
    auc: float
    bins: tuple[str, ...]
    train: tuple[float, ...]
    test: tuple[float, ...]


class Drift(Facts):
    """Adversarial validation: a classifier of train against test rows; 0.5 = indistinguishable."""

    auc: float
    std: float
    n_train: int
    n_test: int
    n_folds: int
    columns: tuple[ColumnDrift, ...]


class Check(Facts):
    """One leak check and what it found."""

    name: str
    outcome: Literal["passed", "look", "skipped"]
    detail: str


class Origin(Facts):
    """What is needed to reproduce the run."""

    command: str
    device: str
    started: str
    git_commit: str
    code: str
    data: str
    files: dict[str, str]
    versions: dict[str, str]


class Evidence(Facts):
    """Everything that the report shows beyond the summary.

    Attributes:
        failed: By the name of a part that could not be measured, the reason.
    """

    title: str
    page: str
    table: Table
    folds: tuple[FoldScores, ...]
    curves: tuple[Curves, ...]
    outcome: Outcome
    importance: Importance | None
    drift: Drift | None
    checks: tuple[Check, ...]
    origin: Origin
    settings: dict[str, str]
    failed: dict[str, str] = {}

    def write(self, folder: Path) -> None:
        """Write `report.json` whole or not at all."""
        text = self.model_dump_json(indent=1) + "\n"
        files.write_text(RunLayout(folder).evidence_file, text)

    @classmethod
    def read(cls, folder: Path) -> Evidence | None:
        """The folder's evidence, or None if it was never gathered.

        Raises:
            DamagedFileError: The file holds something else.
        """
        path = RunLayout(folder).evidence_file
        return stored.read(cls, path, GATHER_AGAIN) if path.exists() else None
