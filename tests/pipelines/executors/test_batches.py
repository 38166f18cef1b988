"""Whose turn is next among the tasks of many callers, and what a caller gets."""

from __future__ import annotations

from typing import Any

import pytest

from models.executor import LOCAL, Call, Task
from pipelines.executors.attempts import Attempt
from pipelines.executors.batches import MOST_RETRIES, Batch, LostTaskError, Say, Waiting, tell


def nothing(_shared: Any, _arguments: Any, _call: Call) -> None:
    """Is never called."""


def batch(*costs: float) -> tuple[Batch, list[str]]:
    said: list[str] = []
    shared = LOCAL.share(None)
    tasks = [Task(nothing, shared, None, cost=cost) for cost in costs]

    return Batch.of(tasks, None, Say("train", said.append, said.append), "blocks"), said


def test_the_longest_of_all_callers_begin_first_and_lost_ones_before_them() -> None:
    waiting = Waiting()
    (first, _), (second, _), (left, _) = batch(1.0, 30.0, 5.0), batch(5.0, 60.0), batch(99.0)
    for one in (first, second, left):
        waiting.add(one, map(Attempt, range(len(one.tasks))))
    waiting.drop(left)
    waiting.add(first, [Attempt(0, n_lost=1)])
    order = []
    while waiting:
        owner, attempt = waiting.next()
        order.append(("first" if owner is first else "second", attempt.number))
    longest = [("second", 1), ("first", 1), ("first", 2), ("second", 0), ("first", 0)]
    assert order == [("first", 0), *longest]


def test_an_error_comes_after_the_results_that_are_there() -> None:
    one, _ = batch(1.0, 1.0)
    one.end(1, "done")
    one.error = ValueError("the other failed")
    assert one.next() == (1, "done")
    assert one.has_news
    assert one.is_open
    with pytest.raises(ValueError, match="the other failed"):
        one.next()


def test_a_task_is_lost_up_to_three_times() -> None:
    one, said = batch(1.0)
    attempt: Attempt | None = Attempt(0, n_heard=4)
    for _ in range(MOST_RETRIES):
        assert attempt is not None
        attempt = one.again(attempt, "it is gone")
    assert attempt == Attempt(0, n_heard=4, n_lost=3)
    assert said[-1].endswith("its part is done again, 3 of 3")
    assert one.again(attempt, "out of memory") is None
    with pytest.raises(LostTaskError, match=r"blocks lost its worker 4 times \(out of memory\)"):
        one.next()


def test_each_caller_tells_of_its_own_tasks() -> None:
    one, said = batch(1.0, 1.0, 1.0)
    one.end(0, None)
    tell([one], [Attempt(1, node="here"), Attempt(2)], lambda: 0.0)
    one.standing.active_s -= 6
    tell([one], [Attempt(2)], lambda: 0.5)
    assert said == [
        "1/3 blocks · 1 running on 1 node",
        "1/3 blocks · waiting for room, 0.5 cores are free",
    ]


def test_callers_that_share_a_line_tell_of_all_their_tasks() -> None:
    (one, said), (other, _) = batch(1.0, 1.0), batch(1.0)
    one.end(0, None)
    tell([one, other], [Attempt(1, node="here"), Attempt(0, node="there")], lambda: 0.0)
    assert said == ["1/3 blocks · 2 running on 2 nodes"]
    other.standing.active_s -= 6
    tell([one, other], [Attempt(0)], lambda: 0.5)  # the other caller's ran a moment ago
    assert len(said) == 1
    one.standing.active_s = other.standing.active_s = one.standing.active_s - 6
    tell([one, other], [Attempt(0)], lambda: 0.5)
    assert said[1:] == ["1/3 blocks · waiting for room, 0.5 cores are free"]
