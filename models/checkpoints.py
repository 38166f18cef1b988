"""What an unfinished training has reached, kept elsewhere so that it can go on after a kill.

Trainers know neither files nor folders: they hand a `Snapshot` to `Checkpoints`, and a later
training of the same data and settings gets it back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

Layout = Mapping[str, Any]


@dataclass(frozen=True)
class Snapshot:
    """A training between two steps, or one finished model of several.

    Attributes:
        described: What JSON can hold; no NaN.
        arrays: The rest, by name; of numbers or texts.
    """

    described: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]

    @property
    def n_bytes(self) -> int:
        """The size of the arrays."""
        return sum(array.nbytes for array in self.arrays.values())


class Checkpoints(Protocol):
    """Keeps snapshots under names; may be called from several threads."""

    def load(self, name: str, layout: Layout) -> Snapshot | None:
        """The newest usable snapshot of that name; None if there is none.

        Args:
            name: What is trained.
            layout: What decides the bytes of the training beside its data and settings, as JSON
                can hold it. A snapshot of another layout is not usable.
        """
        ...

    def is_due(self, n_bytes: int) -> bool:
        """Whether keeping that much now takes little time beside the training."""
        ...

    def save(self, name: str, layout: Layout, snapshot: Snapshot) -> None:
        """Keep the snapshot in place of earlier ones of that name.

        The arrays may change once this returns. A disk that refuses does not end the training.
        """
        ...

    def tell(self, text: str) -> None:
        """Tell the person where the training goes on."""
        ...


@dataclass(frozen=True)
class Renamed:
    """The same checkpoints, for one of several trainings of a member.

    Attributes:
        checkpoints: Where all of them are kept.
        training: Which one; begins every name and every text.
    """

    checkpoints: Checkpoints
    training: str

    def load(self, name: str, layout: Layout) -> Snapshot | None:
        """The newest usable snapshot."""
        return self.checkpoints.load(self._name(name), layout)

    def is_due(self, n_bytes: int) -> bool:
        """Whether keeping that much now takes little time."""
        return self.checkpoints.is_due(n_bytes)

    def save(self, name: str, layout: Layout, snapshot: Snapshot) -> None:
        """Keep the snapshot."""
        self.checkpoints.save(self._name(name), layout, snapshot)

    def tell(self, text: str) -> None:
        """Tell the person where the training goes on."""
        self.checkpoints.tell(f"{self.training}: {text}")

    def _name(self, name: str) -> str:
        return f"{self.training}-{name}"
