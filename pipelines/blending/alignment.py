"""Rows of a file in the competition's order, found by id; each fault on one line."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from pipelines.blending.prediction_files import (
    Contents,
    Expected,
    PredictionFileError,
    value_faults,
)
from submissions.check import id_faults

STEP = "correct the file, or leave it out"


def aligned(contents: Contents, expected: Expected) -> Contents:
    """The file's rows in the competition's order, with valid numbers.

    Probabilities of classes are divided by their sum, which may be off by rounding.

    Raises:
        PredictionFileError: Rows are missing, repeated or unknown, or numbers are wrong; one line
            lists every fault.
    """
    faults = [*_row_faults(contents, expected), *value_faults(contents, expected.task)]
    if faults:
        raise PredictionFileError(f"{contents.path}: {'; '.join(faults)}; {STEP}")
    order, notes = _order(contents, expected)
    values = contents.values[order]
    if expected.task.predicts_probabilities:
        values = np.clip(values, 0.0, 1.0)
    if expected.task.chooses_class:
        values = values / values.sum(axis=1, keepdims=True)
    fold = None if contents.fold is None else contents.fold[order]
    return replace(
        contents,
        values=values,
        ids=expected.ids,
        fold=fold,
        notes=(*contents.notes, *notes),
    )


def _row_faults(contents: Contents, expected: Expected) -> list[str]:
    n_found, n_wanted = len(contents.values), len(expected.ids)
    if contents.ids is None:
        if n_found == n_wanted:
            return []
        return [
            f"found {n_found:,} rows without ids, expected the {n_wanted:,} {expected.rows} rows"
        ]
    found = contents.ids.set_axis(range(2, n_found + 2))
    wanted = pd.Series(list(expected.ids), dtype=object)
    return id_faults(found, wanted, expected_in=f"the {expected.rows} file")


def _order(contents: Contents, expected: Expected) -> tuple[np.ndarray, tuple[str, ...]]:
    """For each row of the competition that of the file, and a note where the order differs."""
    if contents.ids is None:
        return np.arange(len(contents.values)), ()
    order = pd.Index(list(contents.ids)).get_indexer(pd.Index(list(expected.ids)))
    if (order == np.arange(len(order))).all():
        return order, ()
    return order, (f"has its {expected.rows} rows in another order: joined by id",)
