"""Pieces of work take turns: what they hand over first is there at once, and one alone goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

import pytest

from pipelines.executors.pieces import done_together, until


class Tasks:
    """Tasks of which each step does the oldest."""

    def __init__(self) -> None:
        self.waiting: list[str] = []
        self.done: set[str] = set()
        self.told: list[str] = []
        self.computing = threading.Lock()

    def step(self) -> None:
        """Do one of them."""
        assert self.computing.acquire(blocking=False)
        self.told.append(f"step with {' '.join(self.waiting)}")
        self.done.add(self.waiting.pop(0))
        self.computing.release()

    def piece(self, name: str, n_tasks: int = 1) -> str:
        """Hand over so many tasks, one after the other."""
        for number in range(n_tasks):
            assert self.computing.acquire(blocking=False), "two compute at a time"
            task = f"{name}{number}"
            self.waiting.append(task)
            self.computing.release()
            until(lambda task=task: task in self.done, self.step)
            self.told.append(f"has {task}")
        return name.upper()


def test_the_first_tasks_of_all_are_there_before_any_is_done() -> None:
    tasks = Tasks()
    works = [partial(tasks.piece, name, n) for name, n in (("a", 2), ("b", 1), ("c", 1), ("d", 0))]
    assert done_together(works, tasks.step) == ["A", "B", "C", "D"]
    assert tasks.told[:3] == ["step with a0 b0 c0", "has a0", "step with b0 c0 a1"]
    assert tasks.told[-2:] == ["step with a1", "has a1"]


def test_a_caller_alone_does_the_steps_itself() -> None:
    tasks = Tasks()
    assert tasks.piece("a", 2) == "A"
    assert done_together([], tasks.step) == []


def holding(left: list[str], work: Callable[[], str]) -> str:
    try:
        return work()
    finally:
        left.append(threading.current_thread().name)


def test_an_error_of_one_ends_the_others_and_lets_them_give_back_what_they_hold() -> None:
    tasks, left = Tasks(), []

    def fails() -> str:
        tasks.piece("a")
        raise ValueError("no second task")

    works = [fails, partial(holding, left, partial(tasks.piece, "b", 3))]
    with pytest.raises(ValueError, match="no second task"):
        done_together(works, tasks.step)
    assert len(left) == 1
    assert "has b0" not in tasks.told


def test_an_interrupt_lets_a_piece_take_what_is_there_and_then_ends_it() -> None:
    tasks, left = Tasks(), []

    def step() -> None:
        tasks.step()
        raise KeyboardInterrupt

    works = [partial(holding, left, partial(tasks.piece, name, 3)) for name in "ab"]
    with pytest.raises(KeyboardInterrupt):
        done_together(works, step)
    assert len(left) == 2
    assert tasks.told == ["step with a0 b0", "has a0"]
