"""An executor with everything that a cluster may do to tasks, in one process."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from models.executor import STOPPED, Hear, Needs, StoppedError, Task


class LostError(Exception):
    """A worker that is gone."""


@dataclass
class Sent:
    """A value that travelled: each task gets a copy of its own."""

    pickled: bytes

    def get(self) -> Any:
        return pickle.loads(self.pickled)


@dataclass
class Done:
    """One attempt at a task: what it told, of which the caller has heard some before.

    `dies_at` counts reports and the start; at that the worker is gone.
    """

    hear: Callable[[Any], bool]
    n_heard: int
    dies_at: int | None
    here: Any = None
    n_told: int = 0

    def tell(self, report: Any) -> None:
        self.n_told += 1
        if self.n_told > self.n_heard:
            self.n_heard = self.n_told
            if self.hear(pickle.loads(pickle.dumps(report))):
                raise StoppedError
        self.check()

    def check(self) -> None:
        if self.dies_at is not None and self.n_told >= self.dies_at:
            raise LostError


@dataclass
class Unruly:
    """Does tasks in any order, by value, loses workers, and does their tasks again.

    Attributes:
        seed: Of the order, and of the moments at which workers are lost.
        slots: What it says of itself.
        attempts: How often each task was begun, over all runs.
    """

    seed: int = 0
    slots: int = 4
    attempts: list[int] = field(default_factory=list)

    def room(self, needs: Needs) -> int:
        return max(1, self.slots // needs.threads)

    def share(self, value: Any) -> Sent:
        return Sent(pickle.dumps(value))

    def run(
        self,
        tasks: Sequence[Task],
        hear: Hear | None = None,
        *,
        side_by_side: int = 1,
        unit: str = "models",
    ) -> Generator[tuple[int, Any], None, None]:
        chance = random.Random(self.seed)
        order = list(range(len(tasks)))
        chance.shuffle(order)
        late: list[tuple[int, Any]] = []
        for number in order:
            late.append((number, self._done(number, tasks[number], hear, chance)))
            while late and chance.random() < 0.6:  # results come late, in another order
                yield late.pop(chance.randrange(len(late)))
        chance.shuffle(late)
        yield from late

    def _done(self, number: int, task: Task, hear: Hear | None, chance: random.Random) -> Any:
        n_heard, n_attempts = 0, 0
        arguments = pickle.dumps(task.arguments)
        while True:
            n_attempts += 1
            dies_at = chance.randrange(3) if n_attempts < 3 else None
            call = Done(lambda r: hear is not None and hear(number, r), n_heard, dies_at)
            try:
                call.check()
                work = pickle.loads(pickle.dumps(task.work))
                result = work(task.shared.get(), pickle.loads(arguments), call)
            except StoppedError:
                result = STOPPED
            except LostError:
                n_heard = call.n_heard
                continue
            self.attempts.append(n_attempts)
            return result if result is STOPPED else pickle.loads(pickle.dumps(result))

    def each(self, works: Sequence[Callable[[], Any]]) -> list[Any]:
        """The pieces in any order."""
        order = list(range(len(works)))
        random.Random(self.seed).shuffle(order)
        results = {number: works[number]() for number in order}
        return [results[number] for number in range(len(works))]

    def shown(self, title: str, note: Any) -> AbstractContextManager[object]:
        return nullcontext()

    def close(self) -> None:
        pass
