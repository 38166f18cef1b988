"""What every executor keeps to: each task once, its reports in order and once, errors at once."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import pytest

from models.executor import LOCAL, STOPPED, Call, Executor, Task, in_order
from tests.unruly_executor import Unruly

EXECUTORS = {"local": LOCAL, **{f"unruly {seed}": Unruly(seed) for seed in range(4)}}


def counted(base: int, n_steps: int, call: Call) -> int:
    """Reports each step; a sum that depends on all of them."""
    total = base
    for step in range(n_steps):
        total += step
        call.tell((step, total))
    return total


def failing(base: int, number: int, call: Call) -> int:
    if number == 2:
        raise ValueError("number 2 cannot be done")
    return base + number


def tasks(executor: Executor, work: Any = counted, n_tasks: int = 6) -> list[Task]:
    shared = executor.share(100)
    return [Task(work, shared, number) for number in range(n_tasks)]


@pytest.fixture(params=EXECUTORS)
def executor(request: pytest.FixtureRequest) -> Executor:
    return EXECUTORS[request.param]


@pytest.mark.parametrize("side_by_side", [1, 3])
def test_every_task_gives_one_result(executor: Executor, side_by_side: int) -> None:
    results = list(executor.run(tasks(executor), side_by_side=side_by_side))
    expected = {number: 100 + sum(range(number)) for number in range(6)}
    assert len(results) == 6
    assert dict(results) == expected


def test_reports_come_in_order_and_each_once(executor: Executor) -> None:
    heard: dict[int, list[Any]] = {}

    def hear(number: int, report: Any) -> bool:
        heard.setdefault(number, []).append(report)
        return False

    list(executor.run(tasks(executor), hear))
    assert sorted(heard) == [1, 2, 3, 4, 5]
    assert heard[5] == [(0, 100), (1, 101), (2, 103), (3, 106), (4, 110)]


def test_a_task_that_nobody_waits_for_ends_and_the_others_do_not(executor: Executor) -> None:
    last: dict[int, int] = {}

    def hear(number: int, report: Any) -> bool:
        last[number] = report[0]
        return number == 4 and report[0] == 1

    results = dict(executor.run(tasks(executor), hear))
    assert results[4] is STOPPED
    assert last[4] == 1
    assert results[5] == 110


@pytest.mark.parametrize("side_by_side", [1, 2])
def test_an_error_of_a_task_reaches_the_caller_as_it_is(
    executor: Executor, side_by_side: int
) -> None:
    with pytest.raises(ValueError, match="number 2 cannot be done"):
        list(executor.run(tasks(executor, failing), side_by_side=side_by_side))


def test_results_are_put_in_order(executor: Executor) -> None:
    assert list(in_order(executor.run(tasks(executor)))) == [100, 100, 101, 103, 106, 110]


def test_no_tasks_are_no_results(executor: Executor) -> None:
    assert list(executor.run([])) == []


def test_pieces_of_work_give_their_results_in_order(executor: Executor) -> None:
    def piece(n_tasks: int) -> int:
        return sum(result for _, result in executor.run(tasks(executor, n_tasks=n_tasks)))

    works = [partial(piece, n_tasks) for n_tasks in (3, 1, 4)]
    assert executor.each(works) == [301, 100, 404]


def waits_for_the_end(shared: threading.Event, number: int, call: Call) -> int:
    if number == 0:
        raise ValueError("the first fails")
    shared.wait(60)
    call.check()
    raise AssertionError("it was not told that nobody waits")


def test_tasks_on_threads_end_once_one_has_failed() -> None:
    """The pool is left only when all its tasks have ended."""
    ended = threading.Event()
    shared = LOCAL.share(ended)
    threading.Timer(0.2, ended.set).start()
    with pytest.raises(ValueError, match="the first fails"):
        list(LOCAL.run([Task(waits_for_the_end, shared, n) for n in range(3)], side_by_side=3))


def test_what_is_here_does_not_travel() -> None:
    seen: list[Any] = []
    for executor in (LOCAL, Unruly()):
        shared = executor.share(0)
        (result,) = executor.run([Task(what_is_here, shared, None, here=seen)])
        assert result[1] == (executor is LOCAL)


def what_is_here(_shared: int, _arguments: None, call: Call) -> bool:
    return call.here is not None
