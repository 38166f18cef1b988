"""New rows, encoded as each fold of a finished run sees them.

The encoders are fitted again on the run's own tables: the same rows give the same encoder, and
nothing has to be unpickled. Only what takes long to learn is kept with the run.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from pipelines.configuration.member_settings import Encoded, Encoder
from pipelines.members.data import DatasetError
from pipelines.stages.dataset import costly_file, fitted_encoder, is_alike
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
    """Encode new rows by every fold's encoder, a slice at a time.

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
    n_splits = prepared.folds.n_splits
    folders = [folder / f"fold-{index:03d}" for index in range(n_splits)]
    if is_alike(encoder()):  # it learns nothing: every fold sees the same
        folders = [folders[0]] * n_splits
    for index, (target, split) in enumerate(zip(folders, prepared.folds.splits(), strict=True)):
        if not target.exists():
            target.mkdir(parents=True)
            fitted = fitted_encoder(encoder, prepared, split, stage / costly_file(index))
            _write(fitted, table, target)
        on_fold()
    return folders


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


def _write(encoder: Encoder, table: pd.DataFrame, folder: Path) -> None:
    with contextlib.ExitStack() as files:
        writers: dict[str, arrays.RowsWriter] = {}
        for part in _slices(table):
            for name, rows in encoder.transform(part).items():
                if name not in writers:
                    writer = arrays.RowsWriter(folder / f"{name}.npy", len(table))
                    writers[name] = files.enter_context(contextlib.closing(writer))
                writers[name].append(np.asarray(rows))


def _slices(table: pd.DataFrame) -> Iterator[pd.DataFrame]:
    return (table.iloc[start : start + SLICE] for start in range(0, len(table), SLICE))
