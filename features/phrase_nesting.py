"""Phrases cut from the same sentences: which contains which, and which occur elsewhere.

A phrase lies within a longer one of its sentence if its words occur there in a row. Only texts are
used, so that test rows can be related as well as training rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from scipy import sparse

Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Nesting:
    """How the phrases of each sentence contain each other, as row numbers.

    A row without such a phrase has its own number there.

    Attributes:
        around: `(n_rows,)` the shortest longer phrase that contains each row.
        within: `(n_rows,)` the longest phrase that it contains.
        beside: `(n_rows,)` the longest other phrase within the one around it.
        whole: `(n_rows,)` the longest phrase of its sentence.
        inside: `(n_rows, n_rows)` sparse; 1 where the column's phrase lies within the row's.
        n_words: `(n_rows,)`.
    """

    around: Int64s
    within: Int64s
    beside: Int64s
    whole: Int64s
    inside: sparse.csr_array
    n_words: Int64s

    def mean_within(self, values: np.ndarray) -> np.ndarray:
        """The mean over the phrases within each row: `(n_rows, d) -> (n_rows, d)`."""
        return _mean(self.inside, values)

    def mean_around(self, values: np.ndarray) -> np.ndarray:
        """The mean over the phrases around each row: `(n_rows, d) -> (n_rows, d)`."""
        return _mean(self.inside.T.tocsr(), values)


def nest(phrases: Sequence[str], sentence: np.ndarray) -> Nesting:
    """Relate the phrases of each sentence.

    Args:
        phrases: `(n_rows,)` words separated by spaces; capitals count as small letters.
        sentence: `(n_rows,)` the sentence that each phrase is from.
    """
    from scipy import sparse

    texts = [padded(phrase) for phrase in phrases]
    n_words = np.array([len(text.split()) for text in texts], dtype=np.int64)
    related = np.tile(np.arange(len(texts)), (4, 1))
    pairs = [np.empty((2, 0), dtype=np.int64)]
    for rows in _of_each(sentence):
        by_length = rows[np.argsort(n_words[rows], kind="stable")]
        is_within = _is_within([texts[row] for row in by_length], n_words[by_length])
        related[:, by_length] = by_length[_related(is_within)]
        pairs.append(by_length[np.stack(np.nonzero(is_within.T))])
    outer, inner = np.concatenate(pairs, axis=1)
    shape = (len(texts), len(texts))
    inside = sparse.csr_array((np.ones(len(outer)), (outer, inner)), shape=shape)
    around, within, beside, whole = related
    return Nesting(around, within, beside, whole, inside, n_words)


def stand_elsewhere(phrases: Sequence[str], sentence: np.ndarray, part: np.ndarray) -> Bools:
    """Which phrases also occur, word by word, in a sentence of another part.

    Args:
        phrases: `(n_rows,)`.
        sentence: `(n_rows,)` the sentence that each phrase is from.
        part: `(n_rows,)` the part, such as a fold, that each row's sentence is in.

    Returns:
        `(n_rows,)`.
    """
    texts = [padded(phrase) for phrase in phrases]
    parts_of: dict[str, set[int]] = {text: set() for text in texts}
    for rows in _of_each(sentence):
        longest = max((texts[row] for row in rows), key=lambda text: text.count(" "))
        for span in _spans(longest):
            if span in parts_of:
                parts_of[span].add(int(part[rows[0]]))
    return np.array([bool(parts_of[t] - {int(p)}) for t, p in zip(texts, part, strict=True)])


def padded(phrase: str) -> str:
    """Small letters with a space around every word, so that only whole words match."""
    words = phrase.lower().split()
    return f" {' '.join(words)} " if words else "  "


def _of_each(sentence: np.ndarray) -> Iterator[Int64s]:
    """The rows of each sentence."""
    order = np.argsort(sentence, kind="stable")
    starts = np.flatnonzero(np.diff(sentence[order])) + 1
    yield from (rows for rows in np.split(order, starts) if rows.size)


def _spans(text: str) -> Iterator[str]:
    """Every sequence of words of a padded text, padded."""
    words = text.split()
    for start in range(len(words)):
        for stop in range(start + 1, len(words) + 1):
            yield f" {' '.join(words[start:stop])} "


def _is_within(texts: Sequence[str], n_words: Int64s) -> Bools:
    """`(m, m)`: whether the row's phrase lies within the column's; texts from short to long."""
    is_within = np.zeros((len(texts), len(texts)), dtype=np.bool_)
    for outer, text in enumerate(texts):
        for inner in range(outer):
            is_within[inner, outer] = n_words[inner] < n_words[outer] and texts[inner] in text
    return is_within


def _related(is_within: Bools) -> Int64s:
    """`(4, m)`: around, within, beside and whole of the phrases of a sentence, short to long."""
    itself = np.arange(len(is_within))
    around = np.where(is_within.any(axis=1), is_within.argmax(axis=1), itself)
    last = len(itself) - 1 - is_within[::-1].argmax(axis=0)
    within = np.where(is_within.any(axis=0), last, itself)
    apart = ~(is_within | is_within.T | np.eye(len(itself), dtype=np.bool_))
    shares_outer = is_within[:, around] & apart  # column k: phrases within the one around k
    beside = np.where(
        shares_outer.any(axis=0), len(itself) - 1 - shares_outer[::-1].argmax(axis=0), itself
    )
    return np.stack([around, within, beside, np.full(len(itself), len(itself) - 1)])


def _mean(weights: sparse.csr_array, values: np.ndarray) -> np.ndarray:
    """Weighted means of rows; a row without weights keeps its values."""
    total = np.asarray(weights.sum(axis=1)).reshape(-1, 1)
    mean: np.ndarray = np.where(total > 0, weights @ values / np.maximum(total, 1), values)
    return mean
