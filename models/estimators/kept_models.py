"""The finished models of a member, each kept as it ends, so that a kill loses none of them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from models.checkpoints import Checkpoints, Layout, Snapshot
from models.estimators.fold_models import Owner, file_name


class KeptModels:
    """Keeps each model of a member, and gives those back that an earlier process kept.

    Models that are finished faster than keeping them is worth wait for one another; a fault or
    Ctrl-C keeps the waiting ones at once.
    """

    def __init__(
        self, checkpoints: Checkpoints | None, owners: Sequence[Owner], layout: Layout
    ) -> None:
        """Look for the models that are kept.

        Args:
            checkpoints: Where models are kept; None for nowhere.
            owners: Fold and seed of every model.
            layout: What decides their bytes beside data and settings.
        """
        self._checkpoints, self._layout = checkpoints, layout
        self._waiting: list[tuple[str, Snapshot]] = []
        self._lock = threading.Lock()
        self._found: dict[Owner, Snapshot] = {}
        if checkpoints is not None:
            self._load(checkpoints, owners)

    def _load(self, checkpoints: Checkpoints, owners: Sequence[Owner]) -> None:
        for owner in dict.fromkeys(owners):
            snapshot = checkpoints.load(_name(owner), self._layout)
            if snapshot is not None:
                self._found[owner] = snapshot
        if self._found:
            checkpoints.tell(f"{len(self._found)} of {len(owners)} models kept")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            with self._lock:
                self._write()

    def of(self, owner: Owner) -> Snapshot | None:
        """The kept model; None if it is to be trained."""
        return self._found.get(owner)

    def keep(self, owner: Owner, snapshot: Snapshot) -> None:
        """Keep a finished model, now or with the next ones."""
        if self._checkpoints is None:
            return
        with self._lock:
            self._waiting.append((_name(owner), snapshot))
            if self._checkpoints.is_due(sum(waiting.n_bytes for _, waiting in self._waiting)):
                self._write()

    def _write(self) -> None:
        if self._checkpoints is None:
            return
        for name, snapshot in self._waiting:
            self._checkpoints.save(name, self._layout, snapshot)
        self._waiting = []


def _name(owner: Owner) -> str:
    return file_name(owner, "")
