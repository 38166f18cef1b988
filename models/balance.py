"""Rows of rare classes that weigh more, so that such classes are named at all."""

from __future__ import annotations

import numpy as np


def row_weights(target: np.ndarray, power: float) -> np.ndarray:
    """Each row by its class's share to the power of `-power`: `(n_rows,) float64`, mean 1.

    A classifier trained with them gives, in the limit, probabilities divided by the shares to that
    power: 0 leaves all as it is, 1 makes all classes as likely beforehand.

    Args:
        target: `(n_rows,) int64` class index.
        power: 0 to 1.

    Source: Menon et al., "Long-tail learning via logit adjustment", ICLR 2021.
    """
    counts = np.bincount(target)
    weights = counts[target] ** -float(power)
    balanced: np.ndarray = weights / weights.mean()
    return balanced
