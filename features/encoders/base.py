"""What all encoders have in common, and encoders made of several others."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Protocol, Self, TypeVar

import numpy as np
import pandas as pd

from features.encoders.parameters import Parameters

Encoded = dict[str, np.ndarray]
Names = Mapping[str, Sequence[str]]
State = dict[str, np.ndarray | list[Any]]
Value = TypeVar("Value")

PROTOCOL = (
    *("fit", "transform", "fit_transform", "names", "cardinalities", "cardinalities_by_array"),
    *("expensive_state", "refit"),
)


class EncodingError(ValueError):
    """A table or a target that an encoder cannot work with."""

    exit_code = 3


class Encoder(Protocol):
    """Turns the columns of a table into arrays, fitted on one fold's training rows.

    `fit_transform` is for the rows it was fitted on (target statistics leave the row itself out);
    `transform` is for every other row. Derive from `BaseEncoder`, which needs `fit` and
    `transform` only.
    """

    def fit(self, table: pd.DataFrame, target: np.ndarray) -> Any: ...  # noqa: D102
    def transform(self, table: pd.DataFrame) -> Encoded: ...  # noqa: D102
    def fit_transform(self, table: pd.DataFrame, target: np.ndarray) -> Encoded: ...  # noqa: D102
    def names(self) -> Names: ...  # noqa: D102
    def cardinalities(self) -> tuple[int, ...]: ...  # noqa: D102
    def cardinalities_by_array(self) -> Mapping[str, tuple[int, ...]]: ...  # noqa: D102
    def expensive_state(self) -> dict[str, np.ndarray]: ...  # noqa: D102
    def refit(  # noqa: D102
        self, table: pd.DataFrame, target: np.ndarray, expensive: Mapping[str, np.ndarray]
    ) -> Any: ...


def with_columns(table: pd.DataFrame, columns: Mapping[str, Any]) -> pd.DataFrame:
    """The table with these columns, new ones behind its own.

    `DataFrame.assign` puts in one column after the other, and warns of it in a wide table.

    Args:
        table: `n_rows` rows.
        columns: By name, `n_rows` values each.
    """
    changed = {name: values for name, values in columns.items() if name in table}
    added = {name: values for name, values in columns.items() if name not in table}
    return pd.concat([table.assign(**changed), pd.DataFrame(added, index=table.index)], axis=1)


class BaseEncoder(Parameters):
    """The defaults of an encoder; a subclass has `fit` and `transform`, and what it does better.

    Attributes:
        stateless: Whether the encoder learns nothing from rows, so that all folds share its
            arrays and `fit` is never called.
    """

    stateless: bool = False

    def fit(self, table: pd.DataFrame, target: np.ndarray) -> Self:
        """Learn from the training rows of a fold."""
        raise NotImplementedError(f"{type(self).__name__} needs a method fit(table, target)")

    def transform(self, table: pd.DataFrame) -> Encoded:
        """Encode rows that were not fitted on: arrays `(n_rows, ...)` by keyword of `forward`."""
        raise NotImplementedError(f"{type(self).__name__} needs a method transform(table)")

    def fit_transform(self, table: pd.DataFrame, target: np.ndarray) -> Encoded:
        """Fit, and encode the rows that were fitted on."""
        self.fit(table, target)
        return self.transform(table)

    def names(self) -> Names:
        """The name of each column of each array; an array left out has its columns numbered."""
        return {}

    def cardinalities(self) -> tuple[int, ...]:
        """The number of codes of each column of `x_cat`; none where they are not known."""
        return ()

    def cardinalities_by_array(self) -> Mapping[str, tuple[int, ...]]:
        """The same by array, for encoders that give codes under other names than `x_cat`."""
        counts = self.cardinalities()
        return {"x_cat": counts} if counts else {}

    def expensive_state(self) -> dict[str, np.ndarray]:
        """The part of what was learned that takes long to learn; kept with a run."""
        return {}

    def refit(
        self,
        table: pd.DataFrame,
        target: np.ndarray,
        expensive: Mapping[str, np.ndarray],  # noqa: ARG002
    ) -> Self:
        """Fit again on the rows that were fitted on, with what `expensive_state` gave."""
        return self.fit(table, target)


class _Completed(BaseEncoder):
    """An encoder that has some of the methods, with the defaults for the others."""

    def __init__(self, encoder: Any) -> None:
        self.encoder = encoder
        self.stateless = is_stateless(encoder)

    @property
    def vocabulary_(self) -> Sequence[str]:
        """The words that the numbers in `tokens` stand for, where the encoder has them."""
        return tuple(getattr(self.encoder, "vocabulary_", ()))

    def fit(self, table: pd.DataFrame, target: np.ndarray) -> Self:
        self.encoder.fit(table, target)
        return self

    def transform(self, table: pd.DataFrame) -> Encoded:
        return dict(self.encoder.transform(table))

    def fit_transform(self, table: pd.DataFrame, target: np.ndarray) -> Encoded:
        return dict(self._method("fit_transform")(table, target))

    def names(self) -> Names:
        named: Names = self._method("names")()
        return named

    def cardinalities(self) -> tuple[int, ...]:
        return tuple(self._method("cardinalities")())

    def cardinalities_by_array(self) -> Mapping[str, tuple[int, ...]]:
        return dict(self._method("cardinalities_by_array")())

    def expensive_state(self) -> dict[str, np.ndarray]:
        return dict(self._method("expensive_state")())

    def refit(
        self, table: pd.DataFrame, target: np.ndarray, expensive: Mapping[str, np.ndarray]
    ) -> Self:
        self._method("refit")(table, target, expensive)
        return self

    def _method(self, name: str) -> Any:
        return getattr(self.encoder, name, None) or getattr(super(), name)


def complete(encoder: Any) -> Encoder:
    """The encoder with every method of the protocol; a person's own may have a few of them."""
    has_all = all(hasattr(encoder, name) for name in PROTOCOL)
    completed: Encoder = encoder if has_all else _Completed(encoder)
    return completed


def is_stateless(encoder: Any) -> bool:
    """Whether the encoder says that it learns nothing from rows."""
    return bool(getattr(encoder, "stateless", False))


def require_columns(table: pd.DataFrame, names: Iterable[str], encoder: object) -> None:
    """Check that the table has the columns an encoder reads.

    Raises:
        EncodingError: It lacks some; all of them are named.
    """
    absent = [n for n in names if not isinstance(n, Hashable) or n not in table.columns]
    if absent:
        raise EncodingError(
            f"{type(encoder).__name__} reads the columns {', '.join(map(str, absent))}, found only "
            f"{', '.join(map(str, table.columns))}; add them in the competition's features"
        )


def refit(
    encoder: Encoder, table: pd.DataFrame, target: np.ndarray, expensive: Mapping[str, np.ndarray]
) -> None:
    """Fit an encoder again on the rows that it was fitted on.

    Args:
        encoder: Not fitted.
        table: The same rows.
        target: `(n_rows,) int64`.
        expensive: What `expensive_state` gave; empty where nothing was kept.
    """
    if expensive:
        encoder.refit(table, target, expensive)
    else:
        encoder.fit(table, target)


class EncoderChain(BaseEncoder):
    """Steps that add columns to the table, then an encoder that turns it into arrays.

    Like scikit-learn's Pipeline, but with `names` and `state`. In `fit_transform` each step sees
    the training rows as the previous step gave them, so that leave-one-out values pass down the
    chain.
    """

    def __init__(self, steps: Sequence[Any]) -> None:
        self.steps = steps

    @property
    def vocabulary_(self) -> Sequence[str]:
        """The last step's vocabulary; empty where it has none."""
        return tuple(getattr(self._last, "vocabulary_", ()))

    def fit(self, table: pd.DataFrame, target: np.ndarray) -> Self:
        """Fit every step on these rows as the steps before it give them."""
        self.fit_transform(table, target)
        return self

    def transform(self, table: pd.DataFrame) -> Encoded:
        """Encode rows that were not fitted on: arrays `(n_rows, ...)` by keyword of `forward`."""
        encoded: Any = table
        for step in self.steps:
            encoded = step.transform(encoded)
        return dict(encoded)

    def fit_transform(self, table: pd.DataFrame, target: np.ndarray) -> Encoded:
        """Fit, and encode the rows that were fitted on."""
        encoded: Any = table
        for step in self.steps[:-1]:
            encoded = step.fit_transform(encoded, target)
        return dict(self._last.fit_transform(encoded, target))

    def expensive_state(self) -> dict[str, np.ndarray]:
        """That of the last step; the others must pass all rows on to it in any case."""
        return self._last.expensive_state()

    def refit(
        self, table: pd.DataFrame, target: np.ndarray, expensive: Mapping[str, np.ndarray]
    ) -> Self:
        """Fit as before, with the last step's expensive state taken over."""
        encoded: Any = table
        for step in self.steps[:-1]:
            encoded = step.fit_transform(encoded, target)
        refit(self._last, encoded, target, expensive)
        return self

    def names(self) -> Names:
        """The name of each column of each array."""
        return self._last.names()

    def cardinalities(self) -> tuple[int, ...]:
        """The number of codes of each column of `x_cat`."""
        return self._last.cardinalities()

    def cardinalities_by_array(self) -> Mapping[str, tuple[int, ...]]:
        """The number of codes of each column, by array."""
        return self._last.cardinalities_by_array()

    def state(self) -> State:
        """Everything learned from the rows fitted on, by step."""
        return {
            f"{i}.{name}": value
            for i, step in enumerate(self.steps)
            for name, value in step.state().items()
        }

    @property
    def _last(self) -> Encoder:
        return complete(self.steps[-1])


class EncoderBlocks(BaseEncoder):
    """Several encoders side by side, each one's array under a name of its own.

    Members pick the blocks that suit them, so that an expensive one is computed once.

    Args:
        blocks: By name, an encoder that gives one array.
    """

    def __init__(self, blocks: Mapping[str, Any]) -> None:
        self.blocks = blocks

    def fit(self, table: pd.DataFrame, target: np.ndarray) -> Self:
        """Fit every block on these rows."""
        for encoder in self.blocks.values():
            encoder.fit(table, target)
        return self

    def transform(self, table: pd.DataFrame) -> Encoded:
        """Encode rows that were not fitted on: by block, `(n_rows, ...)`."""
        return {name: _only(encoder.transform(table)) for name, encoder in self.blocks.items()}

    def fit_transform(self, table: pd.DataFrame, target: np.ndarray) -> Encoded:
        """Fit, and encode the rows that were fitted on."""
        return {
            name: _only(encoder.fit_transform(table, target))
            for name, encoder in self._encoders().items()
        }

    def expensive_state(self) -> dict[str, np.ndarray]:
        """That of every block, the block's name in front."""
        return {
            f"{block}.{name}": value
            for block, encoder in self._encoders().items()
            for name, value in encoder.expensive_state().items()
        }

    def refit(
        self, table: pd.DataFrame, target: np.ndarray, expensive: Mapping[str, np.ndarray]
    ) -> Self:
        """Fit as before, with each block's expensive state taken over."""
        for block, encoder in self._encoders().items():
            start = f"{block}."
            kept = {k.removeprefix(start): v for k, v in expensive.items() if k.startswith(start)}
            refit(encoder, table, target, kept)
        return self

    def names(self) -> Names:
        """The name of each column of each block."""
        named = {block: encoder.names() for block, encoder in self._encoders().items()}
        return {block: _only(names) for block, names in named.items() if names}

    def cardinalities(self) -> tuple[int, ...]:
        """The number of codes of each column of the blocks that give codes, block by block."""
        return tuple(chain.from_iterable(self.cardinalities_by_array().values()))

    def cardinalities_by_array(self) -> Mapping[str, tuple[int, ...]]:
        """The number of codes of each column, by block."""
        counts = {block: encoder.cardinalities() for block, encoder in self._encoders().items()}
        return {block: n_codes for block, n_codes in counts.items() if n_codes}

    def state(self) -> State:
        """Everything learned from the rows fitted on, by block."""
        return {
            f"{block}.{name}": value
            for block, encoder in self.blocks.items()
            for name, value in encoder.state().items()
        }

    def _encoders(self) -> dict[str, Encoder]:
        return {name: complete(encoder) for name, encoder in self.blocks.items()}


def chosen_blocks(make: Callable[[], Any], names: Sequence[str]) -> EncoderBlocks:
    """The encoder that `make` makes, with these of its blocks alone."""
    blocks = make().blocks
    return EncoderBlocks({name: blocks[name] for name in names})


def _only(arrays: Mapping[str, Value]) -> Value:
    """The one value that there is."""
    (value,) = arrays.values()
    return value
