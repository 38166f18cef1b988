"""Whether the arguments of a training belong together, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import nn

from models.data import Array, FoldData, TrainingDataError
from models.training.augmentation import IMAGE
from models.training.batches import LENGTHS, TOKENS
from models.training.replicas import Objective, Replicas
from models.training.settings import TrainSettings
from models.vectorised.dropout import takes_own_rates


def check_data(
    folds: Sequence[FoldData],
    target: Array,
    settings: TrainSettings,
    objective: Objective,
    replicas: Replicas,
) -> None:
    """Check the arguments of `fit`.

    Raises:
        TrainingDataError: If they do not match; one message lists all faults.
    """
    faults = [] if folds else ["there must be at least one fold, got none"]
    faults += replicas.faults(len(folds))
    faults += _target_faults(target, settings, objective)
    for number, fold in enumerate(folds):
        of_fold = _row_faults(fold, len(target)) + _input_faults(fold, settings)
        faults += [f"fold {number}: {fault}" for fault in of_fold]
    if faults:
        raise TrainingDataError("; ".join(faults))


def check_dropout(template: nn.Module, replicas: Replicas) -> None:
    """Check that the network's replicas can have these dropout rates.

    Raises:
        TrainingDataError: If they cannot.
    """
    rates = replicas.dropout
    if rates is None:
        return
    if not takes_own_rates(template):
        raise TrainingDataError(
            "dropout of each replica needs a network with dropouts whose rate is an OwnRate, but "
            f"{type(template).__name__} has none; leave Replicas.dropout out"
        )
    if not all(0 < rate < 1 for rate in rates):
        raise TrainingDataError(f"dropout must be between 0 and 1, got {list(rates)}")


def _target_faults(target: Array, settings: TrainSettings, objective: Objective) -> list[str]:
    """What is wrong with the weights of rows and classes."""
    faults, n_rows = [], len(target)
    row_weights, class_weights = objective.sample_weight, settings.class_weights
    if row_weights is not None and len(row_weights) != n_rows:
        faults.append(f"sample_weight must have {n_rows} rows, got {len(row_weights)}")
    if not np.issubdtype(np.asarray(target).dtype, np.integer):
        if class_weights is not None or settings.balance:
            faults.append("class_weights and balance are for classes; leave them out")
        return faults
    n_classes = int(np.max(target)) + 1 if n_rows else 0
    if class_weights is not None and len(class_weights) < n_classes:
        faults.append(f"class_weights must have {n_classes} values, got {len(class_weights)}")
    return faults


def _row_faults(fold: FoldData, n_rows: int) -> list[str]:
    """What is wrong with the lengths of a fold's arrays and its row numbers."""
    faults = [
        f"{key} must have {n_rows} rows like the target, got {len(array)}"
        for key, array in fold.inputs.items()
        if len(array) != n_rows
    ]
    named = {"train_rows": fold.train_rows, "valid_rows": fold.valid_rows}
    if fold.stop_rows is not None:
        named["stop_rows"] = fold.stop_rows
    for name, rows in named.items():
        if len(rows) < 1:
            faults.append(f"{name} must hold at least one row number, got none")
        elif np.min(rows) < 0 or np.max(rows) >= n_rows:
            faults.append(
                f"{name} must be row numbers from 0 to {n_rows - 1}, "
                f"got {np.min(rows)} to {np.max(rows)}"
            )
    return faults


def _input_faults(fold: FoldData, settings: TrainSettings) -> list[str]:
    """Which inputs are missing."""
    faults, names = [], ", ".join(sorted(fold.inputs))
    if not fold.inputs:
        faults.append("inputs must hold at least one array, got none")
    if settings.length_pool is not None and not {TOKENS, LENGTHS} <= set(fold.inputs):
        faults.append(f"with length_pool, inputs must hold {TOKENS} and {LENGTHS}, got {names}")
    if (settings.augment or settings.n_views > 1) and IMAGE not in fold.inputs:
        faults.append(f"with augment or n_views, inputs must hold {IMAGE}, got {names}")
    return faults
