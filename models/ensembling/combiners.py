"""How a way makes one prediction of all members': kept with a run, for new rows.

A recipe is plain data and the second level's models; it is written as JSON beside their files.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.ensembling.blending import blend
from models.ensembling.calibration import scale
from models.estimators.boosters import Boosters
from models.estimators.persistence import Estimators

SMALLEST_PROBABILITY = 1e-5  # smaller ones say no more of a row, but would rule a line
Models = Boosters | Estimators


class Recipe(ABC):
    """From the members' probabilities to one prediction."""

    @abstractmethod
    def predict(self, members: np.ndarray, kin: np.ndarray | None = None) -> np.ndarray:
        """`(n_members, n, n_classes)` -> `(n, n_classes)`; `kin (n, d)` as the stackers had it."""

    @abstractmethod
    def described(self) -> dict[str, Any]:
        """The recipe as plain JSON values, its models apart."""

    def stacked(self) -> Iterator[Stacked]:
        """The stackers among its parts."""
        return iter(())

    def members_used(self, n_members: int) -> np.ndarray:
        """`(n_members,) bool`, which members it looks at."""
        return np.ones(n_members, dtype=bool)


@dataclass(frozen=True)
class Weighted(Recipe):
    """The weighted mean, `weights (n_members,)`."""

    weights: np.ndarray

    def predict(self, members: np.ndarray, kin: np.ndarray | None = None) -> np.ndarray:  # noqa: ARG002
        """`(n_members, n, n_classes)` -> `(n, n_classes)`."""
        return blend(members, self.weights)

    def described(self) -> dict[str, Any]:
        """Its weights."""
        return {"kind": "weighted", "weights": self.weights.tolist()}

    def members_used(self, n_members: int) -> np.ndarray:  # noqa: ARG002
        """Those with a weight."""
        return self.weights > 0


@dataclass(frozen=True)
class Stacked(Recipe):
    """The mean of a stacker's models, one of each of `n_folds` folds."""

    name: str
    n_folds: int
    models: Models

    def predict(self, members: np.ndarray, kin: np.ndarray | None = None) -> np.ndarray:
        """`(n_members, n, n_classes)` -> `(n, n_classes)`."""
        return self.models.predict_mean([stacker_inputs(members, kin)] * self.n_folds)

    def described(self) -> dict[str, Any]:
        """Its name: the models are files of their own."""
        return {"kind": "stacked", "name": self.name, "n_folds": self.n_folds}

    def stacked(self) -> Iterator[Stacked]:
        """Itself."""
        yield self


@dataclass(frozen=True)
class MeanOf(Recipe):
    """The mean of several ways."""

    parts: tuple[Recipe, ...]

    def predict(self, members: np.ndarray, kin: np.ndarray | None = None) -> np.ndarray:
        """`(n_members, n, n_classes)` -> `(n, n_classes)`."""
        mean: np.ndarray = np.mean([part.predict(members, kin) for part in self.parts], axis=0)
        return mean

    def described(self) -> dict[str, Any]:
        """Its parts."""
        return {"kind": "mean", "parts": [part.described() for part in self.parts]}

    def stacked(self) -> Iterator[Stacked]:
        """Those among its parts."""
        for part in self.parts:
            yield from part.stacked()

    def members_used(self, n_members: int) -> np.ndarray:
        """Those that any part looks at."""
        used: np.ndarray = np.any([p.members_used(n_members) for p in self.parts], axis=0)
        return used


@dataclass(frozen=True)
class Tempered(Recipe):
    """Another way at a temperature."""

    of: Recipe
    temperature: float

    def predict(self, members: np.ndarray, kin: np.ndarray | None = None) -> np.ndarray:
        """`(n_members, n, n_classes)` -> `(n, n_classes)`."""
        return scale(self.of.predict(members, kin), self.temperature)

    def described(self) -> dict[str, Any]:
        """The way and its temperature."""
        return {"kind": "tempered", "of": self.of.described(), "temperature": self.temperature}

    def stacked(self) -> Iterator[Stacked]:
        """Those of the other way."""
        return self.of.stacked()

    def members_used(self, n_members: int) -> np.ndarray:
        """Those that the other way looks at."""
        return self.of.members_used(n_members)


def from_description(told: dict[str, Any], models: Callable[[str], Models]) -> Recipe:
    """The recipe that `described` told of.

    Args:
        told: plain JSON values.
        models: gives the models of a stacker by its name.
    """
    if told["kind"] == "weighted":
        return Weighted(np.array(told["weights"]))
    if told["kind"] == "stacked":
        return Stacked(told["name"], told["n_folds"], models(told["name"]))
    if told["kind"] == "mean":
        return MeanOf(tuple(from_description(part, models) for part in told["parts"]))
    return Tempered(from_description(told["of"], models), told["temperature"])


def stacker_inputs(probabilities: np.ndarray, kin: np.ndarray | None) -> dict[str, np.ndarray]:
    """What a stacker is told of rows, `x_num (n_rows, n_members * n_classes + d)`.

    Args:
        probabilities: the members', `(n_members, n_rows, n_classes)`.
        kin: further inputs, `(n_rows, d)`.
    """
    logits = member_logits(probabilities)
    return {"x_num": logits if kin is None else np.hstack([logits, kin.astype(np.float32)])}


def member_logits(probabilities: np.ndarray) -> np.ndarray:
    """Each member's log-probabilities less their mean over classes, side by side.

    `(n_members, n_rows, n_classes)` -> `(n_rows, n_members * n_classes) float32`.
    """
    logs = np.log(np.clip(probabilities, SMALLEST_PROBABILITY, None))
    logits = logs - logs.mean(axis=2, keepdims=True)
    by_row = np.moveaxis(logits, 0, 1)  # (M, n, C) -> (n, M, C)
    joined: np.ndarray = by_row.reshape(len(by_row), -1).astype(np.float32)
    return joined
