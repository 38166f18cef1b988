"""Combine the members' predictions into one; serialisable, so that a run can predict new rows.

A combiner is plain data plus the fitted models of its stackers. The data are written as JSON, the
models as files beside it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.ensembling.blending import blend
from models.ensembling.calibration import scale
from models.estimators.fold_models import FoldModels
from models.tasks import Task

SMALLEST_PROBABILITY = 1e-5  # smaller ones carry no information but would dominate a linear model


class Combiner(ABC):
    """From the members' predictions to one."""

    @abstractmethod
    def predict(self, members: np.ndarray, context: np.ndarray | None = None) -> np.ndarray:
        """Combine: `(n_members, n_rows, n_columns)` -> `(n_rows, n_columns)`.

        Args:
            members: The members' predictions.
            context: `(n_rows, d)` context features, where the stackers were trained with them.
        """

    @abstractmethod
    def description(self) -> dict[str, Any]:
        """The combiner as plain JSON values, without its models."""

    def stackers(self) -> Iterator[Stacked]:
        """The stackers among its parts."""
        return iter(())

    def members_used(self, n_members: int) -> np.ndarray:
        """`(n_members,) bool`: the members that it needs."""
        return np.ones(n_members, dtype=bool)


@dataclass(frozen=True)
class Weighted(Combiner):
    """The weighted mean.

    Attributes:
        weights: `(n_members,)`.
    """

    weights: np.ndarray

    def predict(self, members: np.ndarray, context: np.ndarray | None = None) -> np.ndarray:  # noqa: ARG002
        """`(n_members, n_rows, n_columns)` -> `(n_rows, n_columns)`."""
        return blend(members, self.weights)

    def description(self) -> dict[str, Any]:
        """Its weights."""
        return {"kind": "weighted", "weights": self.weights.tolist()}

    def members_used(self, n_members: int) -> np.ndarray:  # noqa: ARG002
        """The members with a weight."""
        return self.weights > 0


@dataclass(frozen=True)
class Stacked(Combiner):
    """The mean of a stacker's models, one for each fold.

    Attributes:
        name: The stacker's.
        n_folds: The number of models.
        models: The fitted models.
        task: What the members predict.
    """

    name: str
    n_folds: int
    models: FoldModels
    task: Task

    def predict(self, members: np.ndarray, context: np.ndarray | None = None) -> np.ndarray:
        """`(n_members, n_rows, n_columns)` -> `(n_rows, n_columns)`."""
        return self.models.predict_mean(
            [stacker_inputs(members, context, self.task)] * self.n_folds
        )

    def description(self) -> dict[str, Any]:
        """Its name; the models have files of their own."""
        return {"kind": "stacked", "name": self.name, "n_folds": self.n_folds}

    def stackers(self) -> Iterator[Stacked]:
        """Itself."""
        yield self


@dataclass(frozen=True)
class MeanOf(Combiner):
    """The mean of several combiners."""

    parts: tuple[Combiner, ...]

    def predict(self, members: np.ndarray, context: np.ndarray | None = None) -> np.ndarray:
        """`(n_members, n_rows, n_columns)` -> `(n_rows, n_columns)`."""
        mean: np.ndarray = np.mean([part.predict(members, context) for part in self.parts], axis=0)
        return mean

    def description(self) -> dict[str, Any]:
        """The descriptions of its parts."""
        return {"kind": "mean", "parts": [part.description() for part in self.parts]}

    def stackers(self) -> Iterator[Stacked]:
        """The stackers among its parts."""
        for part in self.parts:
            yield from part.stackers()

    def members_used(self, n_members: int) -> np.ndarray:
        """The members that any part needs."""
        used: np.ndarray = np.any([p.members_used(n_members) for p in self.parts], axis=0)
        return used


@dataclass(frozen=True)
class Tempered(Combiner):
    """Another combiner's prediction, scaled by a temperature."""

    of: Combiner
    temperature: float

    def predict(self, members: np.ndarray, context: np.ndarray | None = None) -> np.ndarray:
        """`(n_members, n_rows, n_columns)` -> `(n_rows, n_columns)`."""
        return scale(self.of.predict(members, context), self.temperature)

    def description(self) -> dict[str, Any]:
        """The other combiner's description, and the temperature."""
        return {"kind": "tempered", "of": self.of.description(), "temperature": self.temperature}

    def stackers(self) -> Iterator[Stacked]:
        """The stackers of the other combiner."""
        return self.of.stackers()

    def members_used(self, n_members: int) -> np.ndarray:
        """The members that the other combiner needs."""
        return self.of.members_used(n_members)


def from_description(
    description: Mapping[str, Any], load_models: Callable[[str, int], FoldModels], task: Task
) -> Combiner:
    """The combiner that `Combiner.description` described.

    Args:
        description: Plain JSON values.
        load_models: Returns a stacker's models by its name and the number of its folds.
        task: What the members predict.
    """
    kind = description["kind"]
    if kind == "weighted":
        return Weighted(np.array(description["weights"]))
    if kind == "stacked":
        name, n_folds = description["name"], description["n_folds"]
        return Stacked(name, n_folds, load_models(name, n_folds), task)
    if kind == "mean":
        parts = (from_description(part, load_models, task) for part in description["parts"])
        return MeanOf(tuple(parts))
    of = from_description(description["of"], load_models, task)
    return Tempered(of, description["temperature"])


def stacker_inputs(
    predictions: np.ndarray, context: np.ndarray | None, task: Task
) -> dict[str, np.ndarray]:
    """A stacker's inputs, `x_num (n_rows, n_members * n_columns + d)`.

    Args:
        predictions: The members', `(n_members, n_rows, n_columns)`.
        context: Context features, `(n_rows, d)`.
        task: What the members predict.
    """
    if task.chooses_class:
        columns = member_logits(predictions)
    elif task.predicts_probabilities:
        clipped = np.clip(predictions, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
        columns = _side_by_side(np.log(clipped) - np.log1p(-clipped))
    else:
        columns = _side_by_side(predictions)
    if context is None:
        return {"x_num": columns}
    return {"x_num": np.hstack([columns, context.astype(np.float32)])}


def member_logits(probabilities: np.ndarray) -> np.ndarray:
    """Each member's log-probabilities, centred over the classes, side by side.

    `(n_members, n_rows, n_classes)` -> `(n_rows, n_members * n_classes) float32`.
    """
    logs = np.log(np.clip(probabilities, SMALLEST_PROBABILITY, None))
    return _side_by_side(logs - logs.mean(axis=2, keepdims=True))


def _side_by_side(predictions: np.ndarray) -> np.ndarray:
    """`(n_members, n_rows, n_columns)` -> `(n_rows, n_members * n_columns) float32`."""
    by_row = np.moveaxis(predictions, 0, 1)  # (M, n, C) -> (n, M, C)
    joined: np.ndarray = by_row.reshape(len(by_row), -1).astype(np.float32)
    return joined
