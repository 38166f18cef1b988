"""What a training minimises and how its replicas are scored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.data import Array, Rows
from models.losses import Loss, row_weights
from models.metrics import Metric


@dataclass(frozen=True)
class Objective:
    """The loss to minimise, the metric to score by, and how much each row counts.

    Attributes:
        loss: From `models.losses`.
        metric: From `models.metrics`.
        sample_weight: `(n_rows,)` weights of the rows in the training loss; None for equal ones.
    """

    loss: Loss
    metric: Metric
    sample_weight: Array | None = None

    def balanced_weight(self, target: Rows, balance: float) -> Array | None:
        """The rows' weights times those that make rare classes count more, `(n_rows,)`.

        Args:
            target: `(n_rows,) int64` class index.
            balance: `TrainSettings.balance`; 0 leaves the weights as they are.
        """
        if not balance:
            return self.sample_weight
        weights = row_weights(np.asarray(target), balance)
        if self.sample_weight is None:
            return weights
        return weights * np.asarray(self.sample_weight, np.float64)
