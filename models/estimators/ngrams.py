"""Logistic regression on weighted runs of tokens: tf-idf, made of the tokens' numbers."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression

from models.estimators.sklearn_models import EstimatorSettings
from models.losses import row_weights

Int64s = npt.NDArray[np.int64]
LINE = ("classes_", "coef_", "intercept_")
BITS = 60  # for the numbers of all tokens of a run, which together make one number


class NgramSettings(EstimatorSettings):
    """Logistic regression on the tf-idf of runs of one to `longest` tokens."""

    longest: int = Field(
        3,
        ge=1,
        le=5,
        description="tokens in a run, at most; more than 3 are for characters, which are few",
    )
    min_count: int = Field(2, ge=1, description="training rows that a run must stand in")
    C: float = Field(3.0, gt=0, description="inverse strength of the L2 penalty")
    max_iter: int = Field(40, ge=1, description="steps of the solver")
    balance: float = Field(
        0.0, ge=0, le=1, description="rows weigh by their class's share to minus this power"
    )

    def build(self, seed: int) -> Any:  # noqa: ARG002
        """An estimator for `tokens (n_rows, width)`; nothing in it is random."""
        return NgramLogistic(**self.model_dump())

    def learned(self, estimator: Any) -> dict[str, np.ndarray]:
        """The runs, their weights, and the line of each class."""
        line = {name: np.asarray(getattr(estimator.line_, name)) for name in LINE}
        runs = {f"runs_{n}": known for n, known in enumerate(estimator.runs_, start=1)}
        return {**line, **runs, "idf_": estimator.weighting_.idf_}

    def rebuild(self, seed: int, learned: Mapping[str, np.ndarray]) -> Any:
        """The estimator of which `learned` told."""
        estimator = self.build(seed)
        estimator.runs_ = [learned[f"runs_{n}"] for n in range(1, self.longest + 1)]
        estimator.weighting_ = TfidfTransformer(sublinear_tf=True)
        estimator.weighting_.idf_ = learned["idf_"]
        estimator.line_ = LogisticRegression()
        for name in LINE:
            setattr(estimator.line_, name, learned[name])
        estimator.classes_ = learned["classes_"]
        return estimator


class NgramLogistic(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Rows of token numbers, padded with 0, to runs of tokens, to classes."""

    def __init__(
        self,
        *,
        longest: int,
        min_count: int,
        C: float,  # noqa: N803
        max_iter: int,
        balance: float = 0.0,
    ) -> None:
        self.longest = longest
        self.min_count = min_count
        self.C = C
        self.max_iter = max_iter
        self.balance = balance

    def fit(self, x: np.ndarray, y: np.ndarray) -> Self:
        """Count the runs of `x (n_rows, width)`, weigh them, fit the line."""
        self.runs_ = [self._frequent(keys) for _, keys in _runs(x, self.longest)]
        self.weighting_ = TfidfTransformer(sublinear_tf=True)
        weighted = self.weighting_.fit_transform(self._counts(x))
        self.line_ = LogisticRegression(C=self.C, max_iter=self.max_iter, tol=1e-3)
        with warnings.catch_warnings():
            # So many steps are what was asked for; more of them fit the training rows only.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.line_.fit(weighted, y, row_weights(y, self.balance))
        self.classes_ = self.line_.classes_
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """`(n_rows, width)` -> `(n_rows, n_classes)`."""
        probabilities: np.ndarray = self.line_.predict_proba(
            self.weighting_.transform(self._counts(x))
        )
        return probabilities

    def _frequent(self, keys: Int64s) -> Int64s:
        known, counts = np.unique(keys, return_counts=True)
        return known[counts >= self.min_count]

    def _counts(self, x: np.ndarray) -> sparse.csr_matrix:
        """How often each known run stands in each row: `(n_rows, n_runs)`."""
        blocks = []
        for known, (rows, keys) in zip(self.runs_, _runs(x, self.longest), strict=True):
            at = np.searchsorted(known, keys)
            found = at < len(known)
            found[found] = known[at[found]] == keys[found]
            ones = np.ones(int(found.sum()))
            shape = (len(x), len(known))
            blocks.append(sparse.csr_matrix((ones, (rows[found], at[found])), shape=shape))
        return sparse.hstack(blocks, format="csr")


def _runs(x: np.ndarray, longest: int) -> Iterator[tuple[Int64s, Int64s]]:
    """For runs of 1, 2, ... tokens: the row of each, and one number for its tokens."""
    tokens = np.asarray(x).astype(np.int64)
    bits = BITS // longest
    for n in range(1, longest + 1):
        n_places = max(tokens.shape[1] - n + 1, 0)
        parts = [tokens[:, start : start + n_places] for start in range(n)]
        keys = sum((part << (bits * place) for place, part in enumerate(parts)), np.int64(0))
        rows, places = np.nonzero(parts[-1])  # the last token is no padding, so none is
        yield rows, np.asarray(keys)[rows, places]
