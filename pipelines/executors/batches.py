"""The tasks that callers have handed over: whose turn is next, and what becomes of each."""

from __future__ import annotations

import heapq
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from models.executor import Hear, Task
from pipelines.executors.attempts import Attempt, Standing

MOST_RETRIES = 3


class LostTaskError(RuntimeError):
    """A task whose workers were lost again and again."""

    exit_code = 3


@dataclass(frozen=True)
class Say:
    """Tells the person of the tasks; those of equal ones share a line.

    Attributes:
        title: What the tasks belong to.
        note: Shows a text beside the bar; None where there is none.
        warn: Shows a warning.
    """

    title: str
    note: Callable[[str], None] | None
    warn: Callable[[str], None]

    def lost(self, text: str) -> None:
        """Warn of a lost worker."""
        self.warn(f"{self.title}: {text}")


@dataclass(eq=False)
class Batch:
    """The tasks of one call of `Executor.run`.

    Attributes:
        tasks: As they were handed over.
        hear: Takes their reports.
        say: Tells how far they are.
        standing: How far they are.
        ended: Numbers and results that the caller has not taken yet.
        error: What ends the call.
    """

    tasks: Sequence[Task]
    hear: Hear | None
    say: Say
    standing: Standing
    ended: deque[tuple[int, Any]] = field(default_factory=deque)
    error: BaseException | None = None

    @classmethod
    def of(cls, tasks: Sequence[Task], hear: Hear | None, say: Say, unit: str) -> Batch:
        """Tasks of which none has begun."""
        return cls(tasks, hear, say, Standing(len(tasks), unit, time.monotonic()))

    @property
    def has_news(self) -> bool:
        """Whether the caller can go on."""
        return bool(self.ended) or self.error is not None or self.is_done

    @property
    def is_done(self) -> bool:
        """Whether every task has ended."""
        return self.standing.n_done == len(self.tasks)

    @property
    def is_open(self) -> bool:
        """Whether there is something that the caller has not taken yet."""
        return bool(self.ended) or not self.is_done

    def next(self) -> tuple[int, Any]:
        """What the caller takes next; an error comes after all results."""
        if not self.ended and self.error is not None:
            raise self.error
        return self.ended.popleft()

    def end(self, number: int, result: Any) -> None:
        """Note a task's result."""
        self.standing.n_done += 1
        self.ended.append((number, result))

    def again(self, lost: Attempt, reason: str) -> Attempt | None:
        """The next attempt at a lost task; None, and an error, where there were too many."""
        n_lost = lost.n_lost + 1
        if n_lost > MOST_RETRIES:
            self.error = LostTaskError(self.standing.lost(n_lost, reason))
            return None
        again = f"its part is done again, {n_lost} of {MOST_RETRIES}"
        self.say.lost(f"a worker was lost ({reason}); {again}")
        return Attempt(lost.number, n_heard=lost.n_heard, n_lost=n_lost)


def tell(batches: Sequence[Batch], running: Sequence[Attempt], free: Callable[[], float]) -> None:
    """Say how far the tasks of batches that share a line are, or that they wait.

    Args:
        batches: At least one.
        running: Their attempts that have begun, or wait for a node.
        free: Gives the cores that are free.
    """
    note = batches[0].say.note
    together = Standing.of_all([batch.standing for batch in batches])
    nodes = [attempt.node for attempt in running if attempt.node is not None]
    are_waiting = together.are_waiting(nodes, time.monotonic())
    for batch in batches:
        batch.standing.active_s = together.active_s
    if note is not None and are_waiting:
        note(together.waiting(free()))
    elif note is not None and nodes:
        note(together.running(nodes))


class Waiting:
    """Attempts that have not begun: lost tasks first, then the longest, then the earliest."""

    def __init__(self) -> None:
        self._heap: list[tuple[bool, float, int, Batch, Attempt]] = []
        self._n_added = 0

    def __bool__(self) -> bool:
        return bool(self._heap)

    def add(self, batch: Batch, attempts: Iterable[Attempt]) -> None:
        """Let further attempts wait."""
        for attempt in attempts:
            self._n_added += 1
            is_new, cost = attempt.n_lost == 0, batch.tasks[attempt.number].cost
            heapq.heappush(self._heap, (is_new, -cost, self._n_added, batch, attempt))

    def next(self) -> tuple[Batch, Attempt]:
        """Take the one that is to begin now."""
        *_, batch, attempt = heapq.heappop(self._heap)
        return batch, attempt

    def drop(self, batch: Batch) -> None:
        """Forget the attempts of a batch."""
        self._heap = [entry for entry in self._heap if entry[3] is not batch]
        heapq.heapify(self._heap)
