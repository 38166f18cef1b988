"""What a block of replicas ends with, and the snapshot that it is kept in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from models.checkpoints import Snapshot
from models.data import Array, Curve, Replica
from models.training.fitted import Fitted
from models.training.progress import CURVES


@dataclass(frozen=True)
class BlockResult:
    """The replicas of a block.

    Attributes:
        replicas: Fold-major.
        test_sum: `(n_test, n_columns) float64`, the sum over the usable ones.
        chunk_size: Most of them in one pass.
    """

    replicas: Sequence[Replica]
    test_sum: np.ndarray
    chunk_size: int

    @classmethod
    def of(cls, fitted: Fitted, tests: Sequence[Mapping[str, Array]]) -> BlockResult:
        """The result of the block's training.

        Args:
            fitted: Its replicas.
            tests: New rows to predict, as encoded by each fold's encoder.
        """
        networks = fitted.networks
        n_folds = 1 + max(fold for fold, _ in networks.owners)  # those that the block knows
        test_sum = networks.predict_sum(tests[:n_folds])
        return cls(fitted.replicas, test_sum, networks.chunk_size)

    def snapshot(self) -> Snapshot:
        """Everything of it."""
        arrays = {"test": self.test_sum}
        for at, replica in enumerate(self.replicas):
            arrays |= {f"{at}.{name}": array for name, array in _arrays(replica).items()}
        described = [
            {"owner": [r.fold, r.seed], "best_epoch": r.best_epoch, "fault": r.fault}
            for r in self.replicas
        ]
        return Snapshot({"replicas": described, "chunk_size": self.chunk_size}, arrays)

    @classmethod
    def read(cls, kept: Snapshot) -> BlockResult:
        """What `snapshot` was made of."""
        described = enumerate(kept.described["replicas"])
        replicas = [_replica(of_one, kept.arrays, f"{at}.") for at, of_one in described]
        return cls(replicas, kept.arrays["test"], kept.described["chunk_size"])


def _arrays(replica: Replica) -> dict[str, np.ndarray]:
    curve = {f"curve.{name}": np.array(getattr(replica.curve, name)) for name in CURVES}
    weights = {f"weight.{name}": tensor.numpy() for name, tensor in replica.state_dict.items()}
    scalars = {"score": np.array(replica.score), "valid": replica.valid_predictions}
    return curve | weights | scalars


def _replica(
    described: Mapping[str, object], kept: Mapping[str, np.ndarray], prefix: str
) -> Replica:
    found = kept.items()
    of_one = {name.removeprefix(prefix): v for name, v in found if name.startswith(prefix)}
    weights = {n.removeprefix("weight."): v for n, v in of_one.items() if n.startswith("weight.")}
    owner, best_epoch, fault = (described[key] for key in ("owner", "best_epoch", "fault"))
    assert isinstance(owner, list)
    assert isinstance(best_epoch, int)
    return Replica(
        fold=owner[0],
        seed=owner[1],
        best_epoch=best_epoch,
        score=float(of_one["score"]),
        valid_predictions=of_one["valid"],
        curve=Curve(**{name: of_one[f"curve.{name}"].tolist() for name in CURVES}),
        state_dict={name: torch.from_numpy(array) for name, array in weights.items()},
        fault=None if fault is None else str(fault),
    )
