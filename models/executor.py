"""Where units of work are done: in this process, or by an executor elsewhere; needs no torch.

A trainer says what its units are, and what each needs; an executor does them somewhere and gives
the results back by value. Which executor it was must not change a byte of them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from threading import Event
from typing import Any, Final, Protocol, TypeVar

from models.checkpoints import Checkpoints

T = TypeVar("T")
Hear = Callable[[int, Any], bool]  # the number of a task and its report -> is it to end?


class StoppedError(Exception):
    """Ends a task whose result is not wanted any more; no executor lets it out."""


class Stopped:
    """The result of a task that `hear` ended."""


STOPPED: Final = Stopped()


class Call(Protocol):
    """What a task may say and ask while it runs.

    Attributes:
        here: What only a task of the caller's own process is given, as files; else None.
    """

    @property
    def here(self) -> Any: ...  # noqa: D102

    def tell(self, report: Any) -> None:
        """Report to the caller.

        Raises:
            StoppedError: The task is to end.
        """
        ...

    def check(self) -> None:
        """Look whether anybody still waits for the result.

        Raises:
            StoppedError: The task is to end.
        """
        ...


class Shared(Protocol):
    """A value that many tasks use, handed to the executor once."""

    def get(self) -> Any:
        """The value; its arrays may be read-only."""
        ...


@dataclass(frozen=True)
class Needs:
    """What a task takes while it runs.

    Attributes:
        threads: Cores that it keeps busy.
        n_bytes: Memory, about.
        cards: CUDA cards.
    """

    threads: int = 1
    n_bytes: int = 0
    cards: int = 0


@dataclass(frozen=True)
class Task:
    """A unit of work.

    Attributes:
        work: A function of a module, called with the shared value, the arguments and the `Call`.
        shared: From `Executor.share`.
        arguments: What this task alone gets; small.
        here: What only a task of this process gets as `Call.here`; it never travels.
        needs: What it takes.
        cost: How long it takes, in seconds of a core, about; the longest begin first.
    """

    work: Callable[[Any, Any, Call], Any]
    shared: Shared
    arguments: Any
    here: Any = None
    needs: Needs = field(default_factory=Needs)
    cost: float = 1.0


class Executor(Protocol):
    """Does tasks; what it is set to stands in no fingerprint.

    Attributes:
        slots: Tasks of one thread that run at once.
    """

    slots: int

    def room(self, needs: Needs) -> int:
        """How many tasks that need so much run at once; at least one."""
        ...

    def share(self, value: Any) -> Shared:
        """Hand over a value that many tasks use."""
        ...

    def run(
        self,
        tasks: Sequence[Task],
        hear: Hear | None = None,
        *,
        side_by_side: int = 1,
        unit: str = "models",
    ) -> Generator[tuple[int, Any], None, None]:
        """Do the tasks; each one's number and result, as they end.

        A task's own error ends all of them, as does closing the iterator.

        Args:
            tasks: The tasks; each gives one result, though a task whose machine is lost may be
                done again.
            hear: Takes reports in the order in which their task made them, each once; returns
                whether that task is to end, with `STOPPED` as its result.
            side_by_side: Tasks that run at once on threads, if they run in this process.
            unit: What the tasks are called, for the person.
        """
        ...

    def each(self, works: Sequence[Callable[[], T]]) -> list[T]:
        """Do pieces of the caller's own work; their results, in order.

        Where tasks are done elsewhere, those of all pieces are handed over at once, and a piece
        that waits for its own lets the others go on. No two pieces ever compute at a time.

        Args:
            works: Each may call `run`. The error of one ends the others.
        """
        ...

    def shown(
        self, title: str, note: Callable[[str], None] | None
    ) -> AbstractContextManager[object]:
        """Within the context, tell now and then how far the tasks are, in a few words.

        Args:
            title: What they belong to, for messages.
            note: Takes the words.
        """
        ...

    def close(self) -> None:
        """End everything that still runs."""
        ...


@dataclass(frozen=True)
class _Value:
    """A value in this process."""

    value: Any

    def get(self) -> Any:
        return self.value


@dataclass(frozen=True)
class _Heard:
    """The call of a task of this process."""

    number: int
    hear: Hear | None
    here: Any
    ended: Event

    def tell(self, report: Any) -> None:
        self.check()
        if self.hear is not None and self.hear(self.number, report):
            raise StoppedError

    def check(self) -> None:
        if self.ended.is_set():
            raise StoppedError


class Local:
    """Does tasks in this process, in their order."""

    slots = 1

    def room(self, needs: Needs) -> int:  # noqa: ARG002
        """One."""
        return 1

    def share(self, value: Any) -> Shared:
        """The value itself."""
        return _Value(value)

    def run(
        self,
        tasks: Sequence[Task],
        hear: Hear | None = None,
        *,
        side_by_side: int = 1,
        unit: str = "models",  # noqa: ARG002
    ) -> Generator[tuple[int, Any], None, None]:
        """Do the tasks one after the other, or on threads."""
        ended = Event()
        calls = [_Heard(number, hear, task.here, ended) for number, task in enumerate(tasks)]
        if side_by_side == 1:
            for task, call in zip(tasks, calls, strict=True):
                yield call.number, _done(task, call)
            return
        with _threads(side_by_side, ended) as pool:
            pairs = zip(tasks, calls, strict=True)
            numbers = {pool.submit(_done, task, call): call.number for task, call in pairs}
            for future in as_completed(list(numbers)):
                yield numbers.pop(future), future.result()

    def each(self, works: Sequence[Callable[[], T]]) -> list[T]:
        """Do the pieces one after the other."""
        return [work() for work in works]

    def shown(
        self,
        title: str,  # noqa: ARG002
        note: Callable[[str], None] | None,  # noqa: ARG002
    ) -> AbstractContextManager[object]:
        """Nothing to tell: a stage's own bar shows how far it is."""
        return nullcontext()

    def close(self) -> None:
        """Nothing to end."""


LOCAL: Final = Local()


@dataclass(frozen=True)
class Place:
    """Where units of work are done, and where their results are kept.

    Attributes:
        executor: Does them.
        checkpoints: Keeps each as it ends, and gives back what an earlier process kept.
    """

    executor: Executor = LOCAL
    checkpoints: Checkpoints | None = None


HERE: Final = Place()


def in_order(results: Generator[tuple[int, Any], None, None]) -> Generator[Any, None, None]:
    """The results in the order of their tasks, each as soon as those before it are there."""
    early: dict[int, Any] = {}
    wanted = 0
    with closing(results):
        for number, result in results:
            early[number] = result
            while wanted in early:
                yield early.pop(wanted)
                wanted += 1


def _done(task: Task, call: _Heard) -> Any:
    try:
        call.check()
        return task.work(task.shared.get(), task.arguments, call)
    except StoppedError:
        return STOPPED


@contextmanager
def _threads(n_threads: int, ended: Event) -> Iterator[ThreadPoolExecutor]:
    """A pool whose tasks end at their next `check` when the caller fails or is interrupted."""
    pool = ThreadPoolExecutor(n_threads, thread_name_prefix="task")
    try:
        yield pool
    finally:
        ended.set()
        pool.shutdown(cancel_futures=True)
