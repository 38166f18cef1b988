"""Texts as a few dense numbers: tf-idf of words and of letters, reduced by an SVD."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import pandas as pd

from features.encoders.base import State, require_columns
from features.encoders.parameters import Parameters, check_is_fitted

if TYPE_CHECKING:
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

MOST_TERMS = 50_000


class TextComponents(Parameters):
    """Adds `<column>_svd_0` ... for each column of texts: the main components of its tf-idf.

    Args:
        columns: Columns of texts; a missing one counts as empty.
        n_components: Numbers per column; fewer where there are fewer terms or rows, the rest is 0.
        analyzer: `word` counts runs of words, `char_wb` runs of letters within words, which also
            say something of words that no training row has.
        ngram_range: The shortest and the longest run.
        min_df: Training rows that a run needs.
        seed: Of the SVD.
    """

    def __init__(
        self,
        columns: Sequence[str],
        *,
        n_components: int = 32,
        analyzer: Literal["word", "char_wb"] = "word",
        ngram_range: tuple[int, int] = (1, 2),
        min_df: int = 2,
        seed: int = 0,
    ) -> None:
        self.columns = columns
        self.n_components = n_components
        self.analyzer = analyzer
        self.ngram_range = ngram_range
        self.min_df = min_df
        self.seed = seed

    def fit(self, table: pd.DataFrame, target: np.ndarray | None = None) -> Self:  # noqa: ARG002
        """Learn the terms and components of these rows."""
        require_columns(table, self.columns, self)
        self.learned_ = {name: self._learn(_texts(table[name])) for name in self.columns}
        return self

    def transform(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table with the components."""
        check_is_fitted(self)
        added: dict[str, np.ndarray] = {}
        for name, learned in self.learned_.items():
            components = np.zeros((len(table), self.n_components))
            if learned is not None:
                vectorizer, svd = learned
                found = svd.transform(vectorizer.transform(_texts(table[name])))
                components[:, : found.shape[1]] = found
            added |= {f"{name}_svd_{at}": column for at, column in enumerate(components.T)}
        columns = pd.DataFrame(added, index=table.index)
        whole: pd.DataFrame = pd.concat([table, columns], axis="columns")
        return whole

    def fit_transform(self, table: pd.DataFrame, target: np.ndarray | None = None) -> pd.DataFrame:
        """Fit and transform the same rows."""
        return self.fit(table, target).transform(table)

    def state(self) -> State:
        """By column, the components."""
        return {
            name: np.empty(0) if learned is None else learned[1].components_
            for name, learned in self.learned_.items()
        }

    def _learn(self, texts: list[str]) -> tuple[TfidfVectorizer, TruncatedSVD] | None:
        """None for texts without a single term that is frequent enough."""
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectorizer = TfidfVectorizer(
            analyzer=self.analyzer,
            ngram_range=self.ngram_range,
            min_df=min(self.min_df, len(texts)),
            sublinear_tf=True,
            max_features=MOST_TERMS,
        )
        try:
            weighted = vectorizer.fit_transform(texts)
        except ValueError:  # scikit-learn's way to say that no term is left
            return None
        n_components = min(self.n_components, min(weighted.shape) - 1)
        if n_components < 1:
            return None
        return vectorizer, TruncatedSVD(n_components, random_state=self.seed).fit(weighted)


def _texts(column: pd.Series) -> list[str]:
    return column.astype("str").fillna("").tolist()
