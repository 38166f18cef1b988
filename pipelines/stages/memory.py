"""What each stage takes of the memory, estimated before it is taken, against what is free.

The factors were measured: benchmarks/memory.md holds each estimate against its peak.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from features.fold_plan import FoldPlan
from features.tables.schema import Column
from features.tables.size import TableSize, size_of, size_of_json
from pipelines.free_memory import MemoryShortError, free_memory
from pipelines.sizes import shown
from pipelines.stages.input_tables import test_columns
from pipelines.stages.targets import target_columns
from pipelines.workspace.stage_files import DatasetFiles

if TYPE_CHECKING:
    from pipelines.configuration.competition import Competition
    from pipelines.members.data import FoldedDataset
    from pipelines.raw_files.raw import RawFiles

PREPROCESS, DATASET, TRAIN = "2 preprocess", "3 dataset", "4 train"
FEATURES = 2  # times the values, beside the table as it was read: with features, and again in part
ENCODING = 48  # bytes of a value while a fold is encoded: as float64, scaled, and as float32
ENCODED = 4  # bytes of an encoded value
COPIES = 2  # of all folds' encoded rows while a member is trained: as read, and as it takes them
FIXED_BYTES, TRAINING_BYTES = 36 << 20, 60 << 20
SHORT = 0.8  # of what is free; beyond it the person is warned


@dataclass(frozen=True)
class Estimate:
    """About how many bytes the stages of a run take beside the program itself.

    Attributes:
        train: The training file.
        test: The test file.
        n_splits: Of the folds, a refit included.
    """

    train: TableSize
    test: TableSize
    n_splits: int

    @cached_property
    def by_stage(self) -> Mapping[str, int]:
        """The most that each stage takes."""
        return {PREPROCESS: self.preprocess, DATASET: self.dataset, TRAIN: self.training}

    @property
    def preprocess(self) -> int:
        """Reading both files, one after the other, and adding the features."""
        read = max(
            self.train.reading_bytes,
            self.train.table_bytes + self.test.reading_bytes,
            self.tables + FEATURES * self.train.values_bytes,
        )
        return read + FIXED_BYTES

    @property
    def tables(self) -> int:
        """Both typed tables."""
        return self.train.table_bytes + self.test.table_bytes

    @property
    def dataset(self) -> int:
        """Encoding all rows for one fold."""
        return self.tables + int(ENCODING * self._n_values) + FIXED_BYTES

    @property
    def training(self) -> int:
        """The encoded rows of all folds, twice."""
        encoded = self.n_splits * ENCODED * self._n_values
        return self.tables + int(COPIES * encoded) + TRAINING_BYTES

    @property
    def _n_values(self) -> float:
        """Numbers of the training table, about."""
        return self.train.n_rows * self.train.value_bytes / 8


def estimate(competition: Competition, raw: RawFiles) -> Estimate | None:
    """The estimate for a competition's files, of which only the first bytes are read.

    None for files that cannot be read, which the reader reports.
    """
    own = tuple(column for column in competition.columns if not column.train_only)
    try:
        train = _size(competition, raw, "train", (*target_columns(competition), *own))
        test = _size(competition, raw, "test", test_columns(competition))
    except (OSError, EOFError):
        return None
    return Estimate(train, test, _n_trainings(competition.folds))


def _n_trainings(plan: FoldPlan) -> int:
    """How many training sets there are; folds that a column gives count as the usual number."""
    if plan.test_share is not None:
        return 1
    return plan.n_folds * plan.n_repeats + (plan.time is not None)


def _size(
    competition: Competition, raw: RawFiles, role: str, columns: tuple[Column, ...]
) -> TableSize:
    measure = size_of_json if competition.file_format.json_records else size_of
    return measure(raw.files[competition.files[role]].path, columns)  # type: ignore[index]


def check_fits(competition: Competition, raw: RawFiles) -> None:
    """Check, before a file is read, that its table fits into the memory.

    Raises:
        MemoryShortError: Stage 2 takes more than is free.
    """
    found, free = estimate(competition, raw), free_memory()
    if found is None or free is None or found.preprocess <= free:
        return
    path = raw.files[competition.files["train"]].path
    raise MemoryShortError(
        f"{path}: a table of about {found.train.n_rows:,} rows takes about "
        f"{shown(found.preprocess)} of memory to read, and {shown(free)} are free; close other "
        "programs, take a larger machine, or give --source a folder with fewer rows"
    )


def warning(competition: Competition, raw: RawFiles) -> str | None:
    """What to tell a person before the first stage whose memory may be short; None for nothing."""
    found, free = estimate(competition, raw), free_memory()
    if found is None or free is None:
        return None
    short = {name: n for name, n in found.by_stage.items() if n > SHORT * free}
    if not short:
        return None
    needs = ", ".join(f"stage {name} about {shown(n)}" for name, n in short.items())
    return f"memory may be short: {needs}, and {shown(free)} are free; {_step(short)}"


def _step(short: Mapping[str, int]) -> str:
    close = "close other programs"
    return f"{close}, or type --folds 3" if TRAIN in short else close


def training_warning(name: str, data: FoldedDataset, files: DatasetFiles) -> str | None:
    """The same for a member whose encoded rows are on the disk; None for nothing.

    Args:
        name: Of the member.
        data: Its encoded rows.
        files: Where they lie.
    """
    free = free_memory()
    encoded = sum(path.stat().st_size for path in files.all_train())
    needed = (COPIES - 1) * encoded + TRAINING_BYTES  # one copy has been read
    if free is None or needed <= SHORT * free:
        return None
    return (
        f"memory may be short: training {name} on {len(data.views)} splits takes about "
        f"{shown(needed)} more, and {shown(free)} are free; close other programs, or type --folds 3"
    )
