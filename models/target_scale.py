"""Scales on which models learn a target: transformed, standardised, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np

Transform = Literal["none", "log1p", "sqrt", "rank_gauss"]
N_QUANTILES = 1000


class TransformError(ValueError):
    """A transform that does not suit the target."""

    exit_code = 3


@dataclass(frozen=True)
class TargetScale:
    """The scale of one target column, learned from a fold's training rows.

    Attributes:
        transform: `log1p`, `sqrt`, `rank_gauss` (quantiles of a normal distribution), or `none`.
        mean: Of the transformed training target; 0 where it is not standardised.
        deviation: Its standard deviation; 1 where it is not standardised.
        quantiles: For `rank_gauss`, the target's quantiles at even shares.
    """

    transform: Transform = "none"
    mean: float = 0.0
    deviation: float = 1.0
    quantiles: tuple[float, ...] = ()

    @classmethod
    def fit(cls, target: np.ndarray, transform: Transform, *, standardise: bool) -> Self:
        """Learn the scale.

        Args:
            target: `(n,)`, the training rows' values.
            transform: Which one.
            standardise: Whether the model shall learn a target of mean 0 and deviation 1.

        Raises:
            TransformError: `log1p` of a value of -1 or less, `sqrt` of a negative one.
        """
        _check(target, transform)
        quantiles: tuple[float, ...] = ()
        if transform == "rank_gauss":
            shares = np.linspace(0, 1, min(N_QUANTILES, max(2, len(target))))
            quantiles = tuple(map(float, np.quantile(target, shares)))
        scale = cls(transform, quantiles=quantiles)
        if not standardise:
            return scale
        learned = scale.forward(target)
        deviation = float(learned.std()) or 1.0
        return cls(transform, float(learned.mean()), deviation, quantiles)

    def forward(self, target: np.ndarray) -> np.ndarray:
        """From the target to what the model learns, in the same shape."""
        values = np.asarray(target, dtype=np.float64)
        if self.transform == "log1p":
            values = np.log1p(values)
        elif self.transform == "sqrt":
            values = np.sqrt(values)
        elif self.transform == "rank_gauss":
            values = self._to_normal(values)
        return (values - self.mean) / self.deviation

    def inverse(self, learned: np.ndarray) -> np.ndarray:
        """From what the model gives to the target's scale, in the same shape."""
        values: np.ndarray = np.asarray(learned, dtype=np.float64) * self.deviation + self.mean
        if self.transform == "log1p":
            values = np.expm1(values)
        elif self.transform == "sqrt":
            values = np.maximum(values, 0.0) ** 2
        elif self.transform == "rank_gauss":
            values = self._from_normal(values)
        return values

    def _to_normal(self, values: np.ndarray) -> np.ndarray:
        from scipy.special import ndtri

        shares = np.linspace(0, 1, len(self.quantiles))
        rising = np.interp(values, self.quantiles, shares)
        # From both sides, so that a value of many rows gets the middle of its shares.
        falling = 1 - np.interp(-values, -np.array(self.quantiles[::-1]), shares)
        edge = 0.5 / len(self.quantiles)
        normal: np.ndarray = ndtri(edge + (1 - 2 * edge) * (rising + falling) / 2)
        return normal

    def _from_normal(self, values: np.ndarray) -> np.ndarray:
        from scipy.special import ndtr

        edge = 0.5 / len(self.quantiles)
        shares = np.linspace(0, 1, len(self.quantiles))
        stretched = (ndtr(values) - edge) / (1 - 2 * edge)
        found: np.ndarray = np.interp(stretched, shares, self.quantiles)
        return found

    def to_dict(self) -> dict[str, Any]:
        """The scale as JSON values."""
        return {
            "transform": self.transform,
            "mean": self.mean,
            "deviation": self.deviation,
            "quantiles": list(self.quantiles),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """What `to_dict` gave."""
        return cls(**{**stored, "quantiles": tuple(stored["quantiles"])})


def _check(target: np.ndarray, transform: Transform) -> None:
    limits = {"log1p": -1.0, "sqrt": 0.0}
    if transform not in limits or not len(target):
        return
    limit, lowest = limits[transform], float(np.min(target))
    if lowest < limit or (transform == "log1p" and lowest <= limit):
        raise TransformError(
            f"target_transform {transform!r} needs values above {limit:g}, found {lowest:g} in "
            f"training row {int(np.argmin(target)) + 1} of the fold; set target_transform='none' "
            "or 'rank_gauss'"
        )
