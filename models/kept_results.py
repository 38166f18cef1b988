"""Finished parts of a training, each kept as it ends, so that a kill loses none of them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from models.checkpoints import Checkpoints, Layout, Snapshot


class KeptResults:
    """Keeps each part of a training, and gives those back that an earlier process kept.

    Parts that are finished faster than keeping them is worth wait for one another; a fault or
    Ctrl-C keeps the waiting ones at once.
    """

    def __init__(
        self,
        checkpoints: Checkpoints | None,
        names: Sequence[str],
        layout: Layout,
        *,
        what: str = "models",
    ) -> None:
        """Look for the parts that are kept.

        Args:
            checkpoints: Where parts are kept; None for nowhere.
            names: The name of every part, which becomes that of its file.
            layout: What decides their bytes beside data and settings.
            what: What the parts are, for the person.
        """
        self._checkpoints, self._layout = checkpoints, layout
        self._waiting: list[tuple[str, Snapshot]] = []
        self._lock = threading.Lock()
        self._found: dict[str, Snapshot] = {}
        if checkpoints is not None:
            self._load(checkpoints, names, what)

    def _load(self, checkpoints: Checkpoints, names: Sequence[str], what: str) -> None:
        for name in dict.fromkeys(names):
            snapshot = checkpoints.load(name, self._layout)
            if snapshot is not None:
                self._found[name] = snapshot
        if self._found:
            checkpoints.tell(f"{len(self._found)} of {len(names)} {what} kept")

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

    def of(self, name: str) -> Snapshot | None:
        """The kept part; None if it is to be trained."""
        return self._found.get(name)

    def keep(self, name: str, snapshot: Snapshot) -> None:
        """Keep a finished part, now or with the next ones."""
        if self._checkpoints is None:
            return
        with self._lock:
            self._waiting.append((name, snapshot))
            if self._checkpoints.is_due(sum(waiting.n_bytes for _, waiting in self._waiting)):
                self._write()

    def _write(self) -> None:
        if self._checkpoints is None:
            return
        for name, snapshot in self._waiting:
            self._checkpoints.save(name, self._layout, snapshot)
        self._waiting = []
