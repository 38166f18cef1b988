"""The smaller arguments of `foldwise.fit`, checked: settings, seeds, weights, numbers of rows."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import numpy as np

from models.data import TrainingDataError
from models.training.settings import TrainSettings


def settings_of(given: Mapping[str, Any]) -> TrainSettings:
    """How to train.

    Raises:
        TrainingDataError: A setting is unknown, or a value does not fit.
    """
    known = TrainSettings.model_fields
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
            raise TrainingDataError(f"fit has no setting {name!r}: {hint}")
    try:
        return TrainSettings(**given)
    except ValueError as error:
        first = str(error).splitlines()
        name, reason = first[1].strip(), first[2].strip().split(" [type=")[0]
        raise TrainingDataError(f"{name}={given.get(name)!r}: {reason}") from None


def seeds_of(seeds: Any) -> list[int]:
    """The seeds, from their number or themselves.

    Raises:
        TrainingDataError: They are no whole numbers, none, or one stands there twice.
    """
    is_number = isinstance(seeds, int | np.integer) and not isinstance(seeds, bool)
    is_list = isinstance(seeds, list | tuple | range | np.ndarray)
    found = list(range(seeds)) if is_number else list(seeds) if is_list else []
    are_whole = all(isinstance(seed, int | np.integer) and seed >= 0 for seed in found)
    if not found or not are_whole or len(set(found)) < len(found):
        raise TrainingDataError(
            f"seeds is {seeds!r}, expected how many, or different whole numbers as [0, 1, 2]"
        )
    return [int(seed) for seed in found]


def weights_of(sample_weight: Any) -> np.ndarray | None:
    """How much each row counts, `(n_rows,) float64`; None for equal weights.

    Raises:
        TrainingDataError: They are no positive numbers.
    """
    if sample_weight is None:
        return None
    weights = np.asarray(sample_weight)
    if weights.ndim != 1 or weights.dtype.kind not in "biuf":
        raise TrainingDataError(
            f"sample_weight holds {weights.dtype} of shape {weights.shape}, expected a number for "
            "each row"
        )
    weights = weights.astype(np.float64)
    wrong = ~(np.isfinite(weights) & (weights > 0))
    if wrong.any():
        row = int(wrong.argmax())
        raise TrainingDataError(
            f"sample_weight has {weights[row]:g} in row {row}, expected numbers above 0; leave "
            "rows without weight out of X and y"
        )
    return weights


def check_lengths(lengths: Mapping[str, int]) -> None:
    """Check that everything has the same number of rows, and some.

    Raises:
        TrainingDataError: It has not.
    """
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} {length:,}" for name, length in lengths.items())
        raise TrainingDataError(f"rows differ in number: {found}; pass the same rows")
    if not next(iter(lengths.values())):
        raise TrainingDataError(f"{next(iter(lengths))} has no rows, expected some")
