"""What a method of blending has learned: from the members' predictions to one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from models.ensembling.blending import blend
from models.ensembling.member_inputs import model_inputs, ranks, valid
from models.tasks import Task


class Fitted(Protocol):
    """A fitted method."""

    @property
    def weights(self) -> np.ndarray | None:
        """`(n_members,)`; None where the method has none."""
        ...

    def predict(self, members: np.ndarray) -> np.ndarray:
        """Combine: `(n_members, n_rows, n_columns)` -> `(n_rows, n_columns)`."""
        ...


@dataclass(frozen=True)
class WeightedMembers:
    """The members' weighted mean, or that of their ranks.

    Attributes:
        weights: `(n_members,)`, sum 1.
        task: What the members predict.
        of_ranks: Whether ranks are weighted.
    """

    weights: np.ndarray | None
    task: Task
    of_ranks: bool = False

    def predict(self, members: np.ndarray) -> np.ndarray:
        """`(n_members, n_rows, n_columns)` -> `(n_rows, n_columns)`."""
        assert self.weights is not None
        used = np.flatnonzero(self.weights)
        some = ranks(members[used], self.task) if self.of_ranks else members[used]
        mixed = blend(some, self.weights[used])
        return valid(mixed, self.task) if (self.weights < 0).any() else mixed


@dataclass(frozen=True)
class ModelOfMembers:
    """A model whose inputs are the members' predictions.

    Attributes:
        model: From inputs `(n_rows, d)` to predictions `(n_rows, n_columns)`.
        task: What is predicted.
        weights: None.
    """

    model: Callable[[np.ndarray], np.ndarray]
    task: Task
    weights: np.ndarray | None = None

    def predict(self, members: np.ndarray) -> np.ndarray:
        """`(n_members, n_rows, n_columns)` -> `(n_rows, n_columns)`."""
        return valid(self.model(model_inputs(members, self.task)), self.task)


@dataclass(frozen=True)
class Stairs:
    """Several fitted methods, and one that combines what they predict.

    Attributes:
        below: The methods of the level below.
        top: Combines them.
        weights: None: those of the top are not weights of members.
    """

    below: tuple[Fitted, ...]
    top: Fitted
    weights: np.ndarray | None = None

    def predict(self, members: np.ndarray) -> np.ndarray:
        """`(n_members, n_rows, n_columns)` -> `(n_rows, n_columns)`."""
        return self.top.predict(np.stack([fitted.predict(members) for fitted in self.below]))
