"""The rows of one epoch: each replica's own, in the order in which it visits them."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from models.batching import Group, Tables

# Gathered in one go, the rows of a small table spare every step its own gather; larger ones would
# leave the cache before they are used (benchmarks/NOTES.md).
_MOST_BYTES = 1 << 22


@dataclass(frozen=True)
class Batch:
    """What some neighbouring replicas see in one step.

    Attributes:
        inputs: For each key `(r, B, ...)`.
        target: `(r, B) int64`.
        sample_weight: `(r, B)` or None.
    """

    inputs: Mapping[str, Tensor]
    target: Tensor
    sample_weight: Tensor | None


class EpochRows:
    """The epoch's batches, gathered step by step or, where they are small, all at once."""

    def __init__(
        self,
        tables: Tables,
        target: Tensor,
        sample_weight: Tensor | None,
        orders: Tensor,
        folds: Tensor,
    ) -> None:
        """Look up what is needed for every step.

        Args:
            tables: The encoded rows of all folds.
            target: `(n_rows,) int64`.
            sample_weight: `(n_rows,)` or None.
            orders: `(r, longest)` row numbers in each replica's order.
            folds: `(r,)` each replica's fold.
        """
        self._tables, self._orders, self._folds = tables, orders, folds
        self._target = target[orders]
        self._weight = None if sample_weight is None else sample_weight[orders]
        is_small = orders.numel() * tables.bytes_per_row <= _MOST_BYTES
        self._inputs = tables.gather(orders, folds) if is_small else None

    def batch(self, group: Group) -> Batch:
        """The batch of the group's replicas."""
        at = (slice(group.low, group.high), slice(group.start, group.start + group.size))
        weight = None if self._weight is None else self._weight[at]
        if self._inputs is None:
            inputs = self._tables.gather(self._orders[at], self._folds[at[0]])
        else:
            inputs = {key: rows[at] for key, rows in self._inputs.items()}
        return Batch(inputs, self._target[at], weight)
