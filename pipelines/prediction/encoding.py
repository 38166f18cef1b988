"""New rows, as each fold's encoder of a finished run sees them.

The encoders are fitted once more on the run's own tables: the same rows give the same encoder, and
nothing has to be unpickled. Only what takes long to learn is kept with the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from features.encoders.base import refit
from features.folds import Split
from pipelines.configuration.competition import Encoded, Encoder
from pipelines.stages.dataset import DatasetError, is_alike
from pipelines.stages.preprocess import Prepared
from pipelines.workspace import arrays
from pipelines.workspace.stage_files import DatasetFiles, fold_name

SLICE = 1 << 14  # rows that are encoded at a time


def encode_rows(
    table: pd.DataFrame,
    encoder: Callable[[], Encoder],
    prepared: Prepared,
    *,
    stage: Path,
    folder: Path,
    on_fold: Callable[[], None],
) -> list[Path]:
    """Encode new rows by every fold's encoder, a slice at a time.

    Args:
        table: the rows, with the competition's features.
        encoder: makes an encoder that was not fitted.
        prepared: the run's tables.
        stage: the folder of the run's dataset stage.
        folder: an empty one for the encoded rows.
        on_fold: called after each fold.

    Returns:
        For each fold the folder that holds an npy of each array, `(n_rows, ...)`.
    """
    n_folds = len(list(prepared.folds.splits()))
    folders = [folder / fold_name(index) for index in range(n_folds)]
    if is_alike(encoder()):  # it learns nothing: every fold sees the same
        folders = [folders[0]] * n_folds
    for index, (own, split) in enumerate(zip(folders, prepared.folds.splits(), strict=True)):
        if not own.exists():
            own.mkdir(parents=True)
            costly = DatasetFiles(stage).expensive(index)
            _write(_fitted(encoder(), prepared, split, costly), table, own)
        on_fold()
    return folders


def read_rows(folder: Path, inputs: Mapping[str, Sequence[str]]) -> Encoded:
    """One fold's rows, by keyword of `forward`; they stay on disk until they are asked for.

    Args:
        folder: one that `encode_rows` gave.
        inputs: as a member's.

    Raises:
        DatasetError: `inputs` names an array that the encoder does not give.
    """
    given = sorted(path.stem for path in folder.glob("*.npy"))
    parts = inputs or {name: (name,) for name in given}
    absent = {name for names in parts.values() for name in names} - set(given)
    if absent:
        raise DatasetError(
            f"the encoder gives {', '.join(given)}, but a member's inputs name "
            f"{', '.join(sorted(absent))}; correct `inputs` in the competition's file"
        )
    rows = {
        key: arrays.RowsOnDisk([folder / f"{name}.npy" for name in names])
        for key, names in parts.items()
    }
    return cast(Encoded, rows)


def _fitted(encoder: Encoder, prepared: Prepared, split: Split, costly: Path) -> Encoder:
    if is_alike(encoder):
        return encoder
    seen, target = prepared.train.iloc[split.train_rows], prepared.target[split.train_rows]
    refit(encoder, seen, target, arrays.read(costly) if costly.exists() else {})
    return encoder


def _write(encoder: Encoder, table: pd.DataFrame, folder: Path) -> None:
    writers: dict[str, arrays.RowsWriter] = {}
    for part in _slices(table):
        for name, rows in encoder.transform(part).items():
            if name not in writers:
                writers[name] = arrays.RowsWriter(folder / f"{name}.npy", len(table))
            writers[name].append(np.asarray(rows))


def _slices(table: pd.DataFrame) -> Iterator[pd.DataFrame]:
    return (table.iloc[start : start + SLICE] for start in range(0, len(table), SLICE))
