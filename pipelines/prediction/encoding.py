"""New rows, encoded as each fold of a finished run sees them.

The encoders are fitted again on the run's own tables: the same rows give the same encoder, and
nothing has to be unpickled. Only what takes long to learn is kept with the run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from features.encoders.base import is_stateless
from features.folds import Split
from pipelines.configuration.member_settings import Encoded, Encoder
from pipelines.members.data import check_inputs
from pipelines.stages.dataset import fitted_encoder
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
    """Encode new rows with the encoder of every fold that predicts them, a slice at a time.

    Args:
        table: The rows, with the competition's features.
        encoder: Makes an unfitted encoder.
        prepared: The run's tables.
        stage: The folder of the run's dataset stage.
        folder: An empty folder for the encoded rows.
        on_fold: Called after each fold.

    Returns:
        For each of these folds the folder that holds an npy of each array, `(n_rows, ...)`.
    """
    splits = splits_of_new_rows(prepared)
    folders = [folder / fold_name(index) for index in splits]
    if is_stateless(encoder()):  # every fold sees the same
        folders = [folders[0]] * len(splits)
    for target, (index, split) in zip(folders, splits.items(), strict=True):
        if not target.exists():
            target.mkdir(parents=True)
            expensive = DatasetFiles(stage).expensive(index)
            _write(fitted_encoder(encoder, prepared, split, expensive), table, target)
        on_fold()
    return folders


def splits_of_new_rows(prepared: Prepared) -> dict[int, Split]:
    """By number, the splits whose models predict new rows: the refit where there is one."""
    refit = prepared.folds.refit
    if refit is not None:
        return {prepared.folds.n_splits: refit}
    return dict(enumerate(prepared.folds.splits()))


def read_rows(folder: Path, inputs: Mapping[str, Sequence[str]]) -> Encoded:
    """One fold's rows, by keyword of `forward`; they stay on disk until they are read.

    Args:
        folder: One of those that `encode_rows` returned.
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


def _write(encoder: Encoder, table: pd.DataFrame, folder: Path) -> None:
    """Write each array of the table's rows as an npy, a slice of rows at a time."""
    writers: dict[str, arrays.RowsWriter] = {}
    for start in range(0, len(table), SLICE):
        for name, rows in encoder.transform(table.iloc[start : start + SLICE]).items():
            if name not in writers:
                writers[name] = arrays.RowsWriter(folder / f"{name}.npy", len(table))
            writers[name].append(np.asarray(rows))
