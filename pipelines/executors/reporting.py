"""A task that tells how it goes on, as a generator of what it tells and, last, of its result."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from models.executor import Call, StoppedError


@dataclass(frozen=True)
class Report:
    """A report of a task."""

    report: Any


@dataclass(frozen=True)
class Ended:
    """A task's result."""

    result: Any


@dataclass
class _Line:
    """The `Call` of a task that runs in a thread."""

    here: None = None
    reports: queue.SimpleQueue[Report | None] = field(default_factory=queue.SimpleQueue)
    is_over: threading.Event = field(default_factory=threading.Event)

    def tell(self, report: Any) -> None:
        self.check()
        self.reports.put(Report(report))

    def check(self) -> None:
        if self.is_over.is_set():
            raise StoppedError


def reports_of(work: Callable[[Call], Any]) -> Generator[Report | Ended, None, None]:
    """What the work tells, as it tells it, and its result.

    Closing the generator, or an interrupt, ends the work at its next `tell` or `check`.
    """
    line = _Line()
    with ThreadPoolExecutor(1, thread_name_prefix="task") as pool:
        try:
            result = pool.submit(work, line)
            result.add_done_callback(lambda _: line.reports.put(None))
            while (report := line.reports.get()) is not None:
                yield report
            yield Ended(result.result())
        finally:
            line.is_over.set()
