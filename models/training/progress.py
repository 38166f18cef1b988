"""What a training has learned about its replicas so far."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.data import Curve, EpochReport
from models.training.settings import TrainSettings

_CURVES = ("epoch", "train_loss", "valid_loss", "valid_score")


class Progress:
    """Curves, early stopping and faults of R replicas, by replica number."""

    def __init__(self, n_replicas: int, settings: TrainSettings, *, greater_is_better: bool):
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
        """Add an evaluation to the replica's curve; whether its weights are now the best."""
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
        """Whether the replica has failed or has waited long enough."""
        return self.faults[replica] is not None or self.stopping.is_over(replica)

    def report(self, epoch: int, *, n_active: int) -> EpochReport:
        """The newest values of all replicas."""
        return EpochReport(
            epoch=epoch,
            n_active=n_active,
            train_loss=self._newest("train_loss"),
            valid_loss=self._newest("valid_loss"),
            valid_score=self._newest("valid_score"),
            best_score=self.best_score.copy(),
        )

    def _newest(self, name: str) -> NDArray[np.float64]:
        values = [getattr(curve, name) for curve in self.curves]
        return np.array([own[-1] if own else math.nan for own in values])

    def state(self) -> dict[str, Any]:
        """Everything that changes, as plain lists, numbers and texts."""
        return {
            "curves": [{name: list(getattr(c, name)) for name in _CURVES} for c in self.curves],
            "faults": list(self.faults),
            "best_score": self.best_score.tolist(),
            "stopping": self.stopping.state(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over what `state` gave."""
        self.curves = [Curve(**{n: list(v) for n, v in own.items()}) for own in state["curves"]]
        self.faults = list(state["faults"])
        self.best_score = np.array(state["best_score"], dtype=np.float64)
        self.stopping.load_state(state["stopping"])


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
