"""Texts as rows of word or character numbers, with a vocabulary of the rows fitted on."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.encoders.base import BaseEncoder, EncodingError, State, require_columns
from features.encoders.parameters import check_is_fitted
from features.encoders.spelling import spelling

Unit = Literal["word", "char"]
Int64s = npt.NDArray[np.int64]

PADDING, UNKNOWN = 0, 1
SPECIAL = ("<padding>", "<unknown>")
# Splits plain text as the Penn Treebank does, and leaves text that is already split unchanged.
WORD = re.compile(
    r"n't\b|'(?:s|re|ve|ll|d|m)\b"  # did n't, it 's
    r"|-(?:lrb|rrb|lsb|rsb|lcb|rcb)-"  # brackets
    r"|\w+?(?=n't\b)"
    r"|\w+(?:[-/.&]\w+)*"
    r"|\.{2,}|-{2,}|``|''"
    r"|[^\w\s]",
    re.IGNORECASE,
)


def words(text: str) -> list[str]:
    """The words and punctuation marks of a text; emoji count as marks.

    Example:
        >>> words("It isn't good, it's well-made ...")
        ['It', 'is', "n't", 'good', ',', 'it', "'s", 'well-made', '...']
    """
    return WORD.findall(text)


def tokens(text: str, *, unit: Unit = "word", lowercase: bool = True) -> list[str]:
    """A text's words, or its characters."""
    split = words(text) if unit == "word" else list(text)
    return _lowered(split) if lowercase else split


def _lowered(split: Iterable[str]) -> list[str]:
    return [token.lower() for token in split]


def vocabulary(texts: Iterable[Sequence[str]], *, min_count: int = 1) -> list[str]:
    """Tokens that occur `min_count` times or more, the most frequent first, after `SPECIAL`."""
    counts = Counter(token for text in texts for token in text)
    known = [token for token, n in counts.items() if n >= min_count and token not in SPECIAL]
    return [*SPECIAL, *sorted(known, key=lambda token: (-counts[token], token))]


class TextEncoder(BaseEncoder):
    """Numbers each token of a text column.

    Gives `tokens (n_rows, width) int64`, padded with 0 after the text, and `lengths (n_rows,)
    int64`. The width is that of the longest text fitted on. A token that occurred fewer than
    `min_count` times in the rows fitted on is number 1, and so is the only token of an empty
    text. A longer text keeps its beginning and its end.

    Args:
        column: The texts.
        unit: `word`, or `char` for single characters.
        min_count: Times that a token must occur in the rows fitted on.
        max_len: Most tokens of a text, however long the texts fitted on are.
        lowercase: Whether capitals count as small letters.
        fixed_width: Whether rows are `max_len` wide even where all texts fitted on are shorter, so
            that folds with different longest texts have the same width.
        spelled: Whether `spelling (n_rows, width) int64` is given as well: the letters of every
            token, known or not, as one number, and 0 after the text.
    """

    def __init__(
        self,
        column: str,
        *,
        unit: Unit = "word",
        min_count: int = 1,
        max_len: int = 128,
        lowercase: bool = True,
        fixed_width: bool = False,
        spelled: bool = False,
    ) -> None:
        self.column = column
        self.unit = unit
        self.min_count = min_count
        self.max_len = max_len
        self.lowercase = lowercase
        self.fixed_width = fixed_width
        self.spelled = spelled

    def fit(self, table: pd.DataFrame, target: np.ndarray | None = None) -> Self:  # noqa: ARG002
        """Count the tokens of these rows; the target is ignored."""
        return self._fit(self._normalised(self._split(table)))

    def transform(self, table: pd.DataFrame) -> dict[str, np.ndarray]:
        """`tokens (n_rows, width) int64`, `lengths (n_rows,) int64`, perhaps `spelling`."""
        check_is_fitted(self)
        return self._encoded(self._split(table))

    def fit_transform(
        self,
        table: pd.DataFrame,
        target: np.ndarray | None = None,  # noqa: ARG002
    ) -> dict[str, np.ndarray]:
        """Fit and transform the same rows."""
        texts = self._split(table)
        return self._fit(self._normalised(texts))._encoded(texts)

    def names(self) -> dict[str, list[str]]:
        """The name of each column of each array."""
        check_is_fitted(self)
        places = [f"{self.unit} {place + 1}" for place in range(self.width_)]
        spelled = {"spelling": [f"spelling of {place}" for place in places]} if self.spelled else {}
        return {"tokens": places, "lengths": [f"{self.unit}s"], **spelled}

    def state(self) -> State:
        """Everything learned from the rows fitted on."""
        check_is_fitted(self)
        return {"vocabulary": list(self.vocabulary_), "width": [self.width_]}

    def load_state(self, state: State) -> Self:
        """Take over what `state` gave, instead of fitting."""
        self.vocabulary_ = [str(token) for token in state["vocabulary"]]
        self.width_ = int(state["width"][0])
        return self

    def expensive_state(self) -> dict[str, np.ndarray]:
        """All of it: counting the words of every training row takes seconds."""
        text = json.dumps({"vocabulary": self.vocabulary_, "width": [self.width_]})
        return {"json": np.frombuffer(text.encode(), np.uint8)}

    def refit(
        self,
        table: pd.DataFrame,  # noqa: ARG002
        target: np.ndarray,  # noqa: ARG002
        expensive: Mapping[str, np.ndarray],
    ) -> Self:
        """Take over what `expensive_state` gave; the rows are ignored."""
        return self.load_state(json.loads(expensive["json"].tobytes()))

    def coverage(self, table: pd.DataFrame) -> float:
        """Share of these rows' tokens that are in the vocabulary."""
        check_is_fitted(self)
        known = set(self.vocabulary_)
        seen = [token in known for text in self._normalised(self._split(table)) for token in text]
        return float(np.mean(seen)) if seen else 1.0

    def _split(self, table: pd.DataFrame) -> list[list[str]]:
        """The tokens as written."""
        require_columns(table, [self.column], self)
        texts = table[self.column]
        if texts.isna().any():
            raise EncodingError(
                f"column {self.column!r}, row {texts.index[texts.isna()][0]}: found a missing "
                "value, expected a text; declare the column with keep_empty=True, which reads an "
                "empty field as the text ''"
            )
        return [tokens(text, unit=self.unit, lowercase=False) for text in texts]

    def _fit(self, texts: Sequence[Sequence[str]]) -> Self:
        longest = self.max_len if self.fixed_width else max(map(len, texts), default=1)
        self.width_ = min(max(longest, 1), self.max_len)
        # Only the kept part of a longer text counts: a network knows no numbers but those it saw.
        kept = (_cut(text, self.width_) for text in texts)
        self.vocabulary_ = vocabulary(kept, min_count=self.min_count)
        return self

    def _normalised(self, texts: Sequence[Sequence[str]]) -> list[list[str]]:
        """The tokens in the form that the vocabulary has."""
        return [_lowered(text) if self.lowercase else list(text) for text in texts]

    def _encoded(self, texts: Sequence[Sequence[str]]) -> dict[str, np.ndarray]:
        encoded = self._numbered(self._normalised(texts))
        return encoded | {"spelling": self._spelling(texts)} if self.spelled else encoded

    def _spelling(self, texts: Sequence[Sequence[str]]) -> Int64s:
        known = {token: spelling(token) for token in set(chain.from_iterable(texts))}
        spelled = np.zeros((len(texts), self.width_), dtype=np.int64)
        for row, text in enumerate(texts):
            kept = _cut(text, self.width_)
            spelled[row, : len(kept)] = [known[token] for token in kept]
        return spelled

    def _numbered(self, texts: Sequence[Sequence[str]]) -> dict[str, np.ndarray]:
        number = {token: i for i, token in enumerate(self.vocabulary_) if i >= len(SPECIAL)}
        numbered = np.full((len(texts), self.width_), PADDING, dtype=np.int64)
        lengths = np.ones(len(texts), dtype=np.int64)
        for row, text in enumerate(texts):
            kept = _cut(text, self.width_) or SPECIAL[UNKNOWN:]
            numbered[row, : len(kept)] = [number.get(token, UNKNOWN) for token in kept]
            lengths[row] = len(kept)
        return {"tokens": numbered, "lengths": lengths}


def _cut(text: Sequence[str], width: int) -> Sequence[str]:
    """The beginning and the end of a text that has more than `width` tokens."""
    if len(text) <= width:
        return text
    n_last = width // 2
    return [*text[: width - n_last], *text[len(text) - n_last :]]
