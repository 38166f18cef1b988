"""New rows, encoded by each fold's encoder of a finished run.

The encoders are fitted again on the run's tables: the same rows give the same encoder, and nothing
has to be unpickled. Only what takes long to learn is kept with the run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from features.encoders.base import complete, is_stateless, refit
from features.folds import Split
from pipelines.configuration.competition import Encoded, Encoder
from pipelines.stages.dataset import check_inputs, expensive_file
from pipelines.stages.preprocess import Prepared
from pipelines.workspace import arrays

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
    """Encode new rows with every fold's encoder, a slice at a time.

    Args:
        table: The rows, with the competition's features.
        encoder: Makes an unfitted encoder.
        prepared: The run's tables.
        stage: The folder of the run's dataset stage.
        folder: An empty folder for the encoded rows.
        on_fold: Called after each fold.

    Returns:
        For each fold the folder that holds an npy of each array, `(n_rows, ...)`.
    """
    n_folds = len(list(prepared.folds.splits()))
    folders = [folder / f"fold-{index:03d}" for index in range(n_folds)]
    if is_stateless(encoder()):  # every fold sees the same
        folders = [folders[0]] * n_folds
    for index, (target, split) in enumerate(zip(folders, prepared.folds.splits(), strict=True)):
        if not target.exists():
            target.mkdir(parents=True)
            made = complete(encoder())
            _write(_fitted(made, prepared, split, stage / expensive_file(index)), table, target)
        on_fold()
    return folders


def read_rows(folder: Path, inputs: Mapping[str, Sequence[str]]) -> Encoded:
    """One fold's rows, by keyword of `forward`; they stay on disk until they are needed.

    Args:
        folder: One that `encode_rows` returned.
        inputs: The member's.

    Raises:
        DatasetError: `inputs` names an array that the encoder does not give.
    """
    given = sorted(path.stem for path in folder.glob("*.npy"))
    parts = inputs or {name: (name,) for name in given}
    check_inputs(given, parts)
    rows = {
        key: arrays.RowsOnDisk([folder / f"{name}.npy" for name in names])
        for key, names in parts.items()
    }
    return cast(Encoded, rows)


def _fitted(encoder: Encoder, prepared: Prepared, split: Split, expensive: Path) -> Encoder:
    if is_stateless(encoder):
        return encoder
    seen, target = prepared.train.iloc[split.train_rows], prepared.target[split.train_rows]
    refit(encoder, seen, target, arrays.read(expensive) if expensive.exists() else {})
    return encoder


def _write(encoder: Encoder, table: pd.DataFrame, folder: Path) -> None:
    """Write each array of the table's rows as an npy, a slice of rows at a time."""
    for start in range(0, len(table), SLICE):
        for name, encoded in encoder.transform(table.iloc[start : start + SLICE]).items():
            rows, path = np.asarray(encoded), folder / f"{name}.npy"
            if start == 0:
                arrays.allocate(path, rows.dtype, (len(table), *rows.shape[1:]))
            arrays.fill(path, start, rows)
