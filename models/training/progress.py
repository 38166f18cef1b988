"""The state of a training: curves, early stopping and faults of its replicas."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.data import Curve, EpochReport
from models.training.settings import TrainSettings

CURVES = ("epoch", "train_loss", "valid_loss", "valid_score")


class Progress:
    """Curves, early stopping and faults of R replicas, by replica number."""

    def __init__(
        self, n_replicas: int, settings: TrainSettings, *, greater_is_better: bool
    ) -> None:
        watches_loss = settings.monitor == "loss"
        self.curves = [Curve() for _ in range(n_replicas)]
        self.faults: list[str | None] = [None] * n_replicas
        self.best_score = np.full(n_replicas, math.nan)
        self.stopping = EarlyStopping(
            n_replicas, settings, greater_is_better=not watches_loss and greater_is_better
        )
        self._watches_loss = watches_loss

    def note(
        self, replica: int, *, epoch: int, train_loss: float, valid_loss: float, score: float
    ) -> bool:
        """Add an evaluation to the replica's curve; True if its weights are now the best."""
        curve = self.curves[replica]
        curve.epoch.append(epoch)
        curve.train_loss.append(train_loss)
        curve.valid_loss.append(valid_loss)
        curve.valid_score.append(score)
        watched = valid_loss if self._watches_loss else score
        is_best = self.stopping.update(replica, watched, epoch)
        if is_best:
            self.best_score[replica] = score
        return is_best

    def is_over(self, replica: int) -> bool:
        """Whether the replica has failed or run out of patience."""
        return self.faults[replica] is not None or self.stopping.is_over(replica)

    def report(self, epoch: int, *, n_active: int) -> EpochReport:
        """The latest values of all replicas."""
        return EpochReport(
            epoch=epoch,
            n_active=n_active,
            train_loss=self._latest("train_loss"),
            valid_loss=self._latest("valid_loss"),
            valid_score=self._latest("valid_score"),
            best_score=self.best_score.copy(),
        )

    def _latest(self, name: str) -> NDArray[np.float64]:
        curves = [getattr(curve, name) for curve in self.curves]
        return np.array([values[-1] if values else math.nan for values in curves])

    def state(self) -> dict[str, Any]:
        """Everything that changes, as plain lists, numbers and strings."""
        return {
            "curves": [{name: list(getattr(c, name)) for name in CURVES} for c in self.curves],
            "faults": list(self.faults),
            "best_score": self.best_score.tolist(),
            "stopping": self.stopping.state(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned."""
        self.curves = [
            Curve(**{name: list(values) for name, values in curve.items()})
            for curve in state["curves"]
        ]
        self.faults = list(state["faults"])
        self.best_score = np.array(state["best_score"], dtype=np.float64)
        self.stopping.load_state(state["stopping"])


class EarlyStopping:
    """For each of R replicas the best value and how many evaluations ago it was.

    Without patience every evaluation counts as the best, so that the last weights are kept.
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
        """Record an evaluation; True if it is the best so far."""
        signed = self.sign * value
        is_better = self.patience is None or signed > self.best[replica] + self.min_delta
        if is_better:
            self.best[replica], self.best_epoch[replica] = signed, epoch
        self.waited[replica] = 0 if is_better else self.waited[replica] + 1
        return bool(is_better)

    def is_over(self, replica: int) -> bool:
        """Whether the replica has run out of patience."""
        return self.patience is not None and bool(self.waited[replica] >= self.patience)

    def state(self) -> dict[str, Sequence[float]]:
        """Everything that changes, as plain lists."""
        return {
            "best": self.best.tolist(),
            "best_epoch": self.best_epoch.tolist(),
            "waited": self.waited.tolist(),
        }

    def load_state(self, state: dict[str, Sequence[float]]) -> None:
        """Restore what `state` returned."""
        self.best = np.array(state["best"], dtype=np.float64)
        self.best_epoch = np.array(state["best_epoch"], dtype=np.int64)
        self.waited = np.array(state["waited"], dtype=np.int64)
