"""What all encoders have in common, and several of them as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self, TypeVar

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

State = dict[str, np.ndarray | list[Any]]
Value = TypeVar("Value")


class EncodingError(ValueError):
    """A table or a target that an encoder cannot work with."""

    exit_code = 3


def require_columns(table: pd.DataFrame, names: Iterable[str], encoder: object) -> None:
    """Checks that the table has the columns an encoder reads.

    Raises:
        EncodingError: it has not; all absent columns are named.
    """
    absent = [name for name in names if name not in table.columns]
    if absent:
        raise EncodingError(
            f"{type(encoder).__name__} reads the columns {', '.join(absent)}, found only "
            f"{', '.join(map(str, table.columns))}; add them in the competition's features"
        )


def costly_state(encoder: Any) -> dict[str, np.ndarray]:
    """The part of what an encoder learned that takes long to learn; most encoders have none."""
    own: dict[str, np.ndarray] = getattr(encoder, "costly_state", dict)()
    return own


def refit(
    encoder: Any, table: pd.DataFrame, target: np.ndarray, costly: Mapping[str, np.ndarray]
) -> None:
    """Fit an encoder once more on the rows that it was fitted on.

    Args:
        encoder: not fitted.
        table: the same rows.
        target: `(n_rows,) int64`.
        costly: what `costly_state` gave.
    """
    if costly:
        encoder.refit(table, target, costly)
    else:
        encoder.fit(table, target)


class EncoderChain(BaseEstimator):  # type: ignore[misc]
    """Steps that add columns to the table, then an encoder that turns it into arrays.

    As in scikit-learn's Pipeline, but with `names` and `state`. In `fit_transform` each step sees
    the training rows as the step before it gave them, so that leave-one-out values go down the
    chain.
    """

    def __init__(self, steps: Sequence[Any]) -> None:
        self.steps = steps

    def fit(self, table: pd.DataFrame, target: np.ndarray) -> Self:
        """Fit every step on what the steps before it make of these rows."""
        self.fit_transform(table, target)
        return self

    def transform(self, table: pd.DataFrame) -> dict[str, np.ndarray]:
        """Encode rows that were not fitted on: arrays `(n_rows, ...)` by keyword of `forward`."""
        encoded: Any = table
        for step in self.steps:
            encoded = step.transform(encoded)
        return dict(encoded)

    def fit_transform(self, table: pd.DataFrame, target: np.ndarray) -> dict[str, np.ndarray]:
        """Fit, and encode the rows that were fitted on."""
        encoded: Any = table
        for step in self.steps:
            encoded = step.fit_transform(encoded, target)
        return dict(encoded)

    def costly_state(self) -> dict[str, np.ndarray]:
        """That of the last step: each of the others has to give all rows to the next one."""
        return costly_state(self.steps[-1])

    def refit(
        self, table: pd.DataFrame, target: np.ndarray, costly: Mapping[str, np.ndarray]
    ) -> Self:
        """Fit as before, with what takes long taken from there."""
        encoded: Any = table
        for step in self.steps[:-1]:
            encoded = step.fit_transform(encoded, target)
        refit(self.steps[-1], encoded, target, costly)
        return self

    def names(self) -> dict[str, list[str]]:
        """The name of each column of each array."""
        named: dict[str, list[str]] = self.steps[-1].names()
        return named

    def cardinalities(self) -> tuple[int, ...]:
        """The number of codes of each column of `x_cat`."""
        counts: tuple[int, ...] = self.steps[-1].cardinalities()
        return counts

    def state(self) -> State:
        """All that was learned from the rows fitted on, by step."""
        return {
            f"{i}.{name}": value
            for i, step in enumerate(self.steps)
            for name, value in step.state().items()
        }


class EncoderBlocks(BaseEstimator):  # type: ignore[misc]
    """Several encoders side by side, each one's array under a name of its own.

    Members pick from the blocks what suits them, so that one that is dear is made once.

    Args:
        blocks: by name, an encoder that gives one array.
    """

    def __init__(self, blocks: Mapping[str, Any]) -> None:
        self.blocks = blocks

    def fit(self, table: pd.DataFrame, target: np.ndarray) -> Self:
        """Fit every block on these rows."""
        for encoder in self.blocks.values():
            encoder.fit(table, target)
        return self

    def transform(self, table: pd.DataFrame) -> dict[str, np.ndarray]:
        """Encode rows that were not fitted on: by block, `(n_rows, ...)`."""
        return {name: _only(encoder.transform(table)) for name, encoder in self.blocks.items()}

    def fit_transform(self, table: pd.DataFrame, target: np.ndarray) -> dict[str, np.ndarray]:
        """Fit, and encode the rows that were fitted on."""
        return {
            name: _only(encoder.fit_transform(table, target))
            for name, encoder in self.blocks.items()
        }

    def costly_state(self) -> dict[str, np.ndarray]:
        """That of every block."""
        return {
            f"{block}.{name}": value
            for block, encoder in self.blocks.items()
            for name, value in costly_state(encoder).items()
        }

    def refit(
        self, table: pd.DataFrame, target: np.ndarray, costly: Mapping[str, np.ndarray]
    ) -> Self:
        """Fit as before, with what takes long taken from there."""
        for block, encoder in self.blocks.items():
            start = f"{block}."
            own = {k.removeprefix(start): v for k, v in costly.items() if k.startswith(start)}
            refit(encoder, table, target, own)
        return self

    def names(self) -> dict[str, list[str]]:
        """The name of each column of each block."""
        return {name: _only(encoder.names()) for name, encoder in self.blocks.items()}

    def state(self) -> State:
        """All that was learned from the rows fitted on, by block."""
        return {
            f"{block}.{name}": value
            for block, encoder in self.blocks.items()
            for name, value in encoder.state().items()
        }


def _only(arrays: Mapping[str, Value]) -> Value:
    """The one value that there is."""
    (value,) = arrays.values()
    return value
