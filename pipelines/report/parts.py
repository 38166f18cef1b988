"""The parts of a report, each measured or drawn for itself: one that fails stops no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pipelines.faults import Attempt, is_foreseen, keep, reason

Value = TypeVar("Value")


class Parts:
    """Notes which parts failed, and why.

    Args:
        log: Where tracebacks are kept.
        tell: Called with the name of each part before it is measured.

    Attributes:
        failed: By the part's name, the reason in a line.
    """

    def __init__(self, log: Path, tell: Callable[[str], None] = lambda _: None) -> None:
        self.failed: dict[str, str] = {}
        self._log, self._tell = log, tell

    def measure(self, name: str, make: Callable[[], Value], instead: Value) -> Value:
        """What `make` gives; `instead` where it fails."""
        self._tell(name)
        attempt = Attempt()
        with attempt:
            return make()
        assert attempt.error is not None, "only a fault ends a block that returns"
        self.failed[name] = reason(attempt.error)
        if not is_foreseen(attempt.error):
            keep(attempt.error, self._log)
        return instead
