"""When a replica has learned enough."""

import math
from collections.abc import Sequence

import numpy as np

from models.settings import TrainSettings


class EarlyStopping:
    """Keeps, for R replicas, the best value seen and how long ago that was.

    Without patience every evaluation counts as the best, so that the last weights are taken.
    """

    def __init__(
        self, n_replicas: int, settings: TrainSettings, *, greater_is_better: bool
    ) -> None:
        self.patience, self.min_delta = settings.patience, settings.min_delta
        self.sign = 1.0 if greater_is_better else -1.0
        self.best = np.full(n_replicas, -math.inf)
        self.best_epoch = np.zeros(n_replicas, dtype=np.int64)
        self.waited = np.zeros(n_replicas, dtype=np.int64)

    def update(self, replica: int, value: float, epoch: int) -> bool:
        """Note an evaluation; whether it is the best so far."""
        signed = self.sign * value
        is_better = self.patience is None or signed > self.best[replica] + self.min_delta
        if is_better:
            self.best[replica], self.best_epoch[replica] = signed, epoch
        self.waited[replica] = 0 if is_better else self.waited[replica] + 1
        return bool(is_better)

    def is_over(self, replica: int) -> bool:
        """Whether the replica has waited long enough."""
        return self.patience is not None and bool(self.waited[replica] >= self.patience)

    def state(self) -> dict[str, Sequence[float]]:
        """Everything that changes, as plain lists."""
        return {
            "best": self.best.tolist(),
            "best_epoch": self.best_epoch.tolist(),
            "waited": self.waited.tolist(),
        }

    def load_state(self, state: dict[str, Sequence[float]]) -> None:
        """Take over what `state` gave."""
        self.best = np.array(state["best"], dtype=np.float64)
        self.best_epoch = np.array(state["best_epoch"], dtype=np.int64)
        self.waited = np.array(state["waited"], dtype=np.int64)
