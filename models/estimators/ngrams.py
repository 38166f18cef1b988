"""Settings of a logistic regression on the tf-idf of token n-grams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from models.estimators.sklearn_models import EstimatorSettings


class NgramSettings(EstimatorSettings):
    """Logistic regression on the tf-idf of runs of one to `longest` tokens."""

    rough_row_s: ClassVar[float] = 1e-4

    longest: int = Field(
        3,
        ge=1,
        le=5,
        description="longest run of tokens; more than 3 suits characters, which are few",
    )
    min_count: int = Field(2, ge=1, description="training rows that must contain a run")
    C: float = Field(3.0, gt=0, description="inverse strength of the L2 penalty")
    max_iter: int = Field(40, ge=1, description="steps of the solver")
    balance: float = Field(
        0.0, ge=0, le=1, description="rows weigh by their class's share to minus this power"
    )

    def build(self, seed: int) -> Any:  # noqa: ARG002
        """An estimator for `tokens (n_rows, width)`; nothing in it is random."""
        from models.estimators.ngram_logistic import NgramLogistic

        return NgramLogistic(**self.model_dump())

    def learned(self, estimator: Any) -> dict[str, np.ndarray]:
        """The runs, their weights, and the coefficients of each class."""
        arrays: dict[str, np.ndarray] = estimator.to_arrays()
        return arrays

    def rebuild(self, seed: int, learned: Mapping[str, np.ndarray]) -> Any:
        """The estimator that `learned` describes."""
        return self.build(seed).restore(learned)
