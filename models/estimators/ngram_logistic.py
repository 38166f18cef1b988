"""Logistic regression on the tf-idf of token n-grams, computed from the tokens' numbers."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression

from models.losses import row_weights

Int64s = npt.NDArray[np.int64]
LINE = ("classes_", "coef_", "intercept_")
BITS = 60  # shared by the numbers of all tokens of a run, which are packed into one number


class NgramLogistic(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Classifies rows of token numbers, padded with 0, by their runs of tokens."""

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
        """Count the runs of `x (n_rows, width)`, weigh them, and fit the regression."""
        self.runs_ = [self._frequent(keys) for _, keys in _runs(x, self.longest)]
        self.weighting_ = TfidfTransformer(sublinear_tf=True)
        weighted = self.weighting_.fit_transform(self._counts(x))
        self.line_ = LogisticRegression(C=self.C, max_iter=self.max_iter, tol=1e-3)
        with warnings.catch_warnings():
            # The number of steps is chosen on purpose: more of them only overfit.
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

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The runs, their weights, and the coefficients of each class."""
        line = {name: np.asarray(getattr(self.line_, name)) for name in LINE}
        runs = {f"runs_{n}": keys for n, keys in enumerate(self.runs_, start=1)}
        return {**line, **runs, "idf_": self.weighting_.idf_}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> Self:
        """Take the fitted state from what `to_arrays` returned."""
        self.runs_ = [arrays[f"runs_{n}"] for n in range(1, self.longest + 1)]
        self.weighting_ = TfidfTransformer(sublinear_tf=True)
        self.weighting_.idf_ = arrays["idf_"]
        self.line_ = LogisticRegression()
        for name in LINE:
            setattr(self.line_, name, arrays[name])
        self.classes_ = arrays["classes_"]
        return self

    def _frequent(self, keys: Int64s) -> Int64s:
        runs, counts = np.unique(keys, return_counts=True)
        return runs[counts >= self.min_count]

    def _counts(self, x: np.ndarray) -> sparse.csr_matrix:
        """How often each row contains each of the fitted runs: `(n_rows, n_runs)`."""
        blocks = []
        for runs, (rows, keys) in zip(self.runs_, _runs(x, self.longest), strict=True):
            columns = np.searchsorted(runs, keys)
            is_fitted = columns < len(runs)
            is_fitted[is_fitted] = runs[columns[is_fitted]] == keys[is_fitted]
            ones = np.ones(int(is_fitted.sum()))
            places = (rows[is_fitted], columns[is_fitted])
            blocks.append(sparse.csr_matrix((ones, places), shape=(len(x), len(runs))))
        return sparse.hstack(blocks, format="csr")


def _runs(x: np.ndarray, longest: int) -> Iterator[tuple[Int64s, Int64s]]:
    """For runs of 1, 2, ... tokens: the row of each run, and its tokens packed into one number."""
    tokens = np.asarray(x).astype(np.int64)
    bits = BITS // longest
    for n in range(1, longest + 1):
        n_places = max(tokens.shape[1] - n + 1, 0)
        parts = [tokens[:, start : start + n_places] for start in range(n)]
        keys = sum((part << (bits * place) for place, part in enumerate(parts)), np.int64(0))
        rows, places = np.nonzero(parts[-1])  # if the last token is no padding, none is
        yield rows, np.asarray(keys)[rows, places]
