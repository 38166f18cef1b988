"""Machines with other libraries are refused with names; another processor is a warning, once."""

from __future__ import annotations

import pytest

from models.executor import Needs
from pipelines.executors.attempts import Attempt, Standing
from pipelines.executors.machines import Facts, UnlikeMachineError, check_alike, unlike_processors
from pipelines.executors.nodes import Node, too_large

HERE = Facts({"python": "3.11.7", "torch": "2.6.0", "lightgbm": "4.6.0"}, "x86_64 A")


def test_a_machine_like_this_one_is_welcome() -> None:
    check_alike("10.0.0.2", HERE, HERE)
    assert unlike_processors([("10.0.0.2", HERE)], HERE) is None


def test_node_and_packages_are_named() -> None:
    there = Facts({"python": "3.11.7", "torch": "2.5.1", "lightgbm": None}, "x86_64 A")
    with pytest.raises(UnlikeMachineError) as caught:
        check_alike("10.0.0.2", there, HERE)
    expected = "node 10.0.0.2 has torch 2.5.1, here 2.6.0; no lightgbm, here 4.6.0: "
    assert str(caught.value).startswith(expected)


def test_other_processors_are_one_warning() -> None:
    other = Facts(HERE.versions, "x86_64 B")
    warning = unlike_processors([("a", other), ("b", HERE), ("c", other)], HERE)
    assert warning is not None
    assert warning.startswith("a (x86_64 B), c (x86_64 B): another kind of processor")


def test_what_a_task_lacks_is_told() -> None:
    nodes = [Node("1", "a", {"CPU": 4, "memory": 8e9}), Node("2", "b", {"CPU": 2, "memory": 32e9})]
    assert nodes[0].room(Needs(4, 10**9)) == 1
    assert not any(node.room(Needs(4, 16 * 10**9)) for node in nodes)
    text = too_large(Needs(8, 10**9), nodes, "blocks")
    assert text.startswith("one of its blocks needs 8 cores, the largest node has 4 cores; it ")
    both = too_large(Needs(4, 16 * 10**9), nodes, "blocks")
    assert both.startswith("one of its blocks needs more than any single node has")
    card = too_large(Needs(cards=1), nodes, "blocks")
    assert "needs 1 CUDA cards, the largest node has 0 CUDA cards" in card


def test_a_lost_attempts_reports_are_no_news() -> None:
    first = Attempt(0)
    assert [first.is_news(), first.is_news()] == [True, True]
    again = Attempt(0, n_heard=first.n_heard)
    assert [again.is_news(), again.is_news(), again.is_news()] == [False, False, True]


def test_what_is_told_while_tasks_run_and_wait() -> None:
    standing = Standing(60, "blocks", active_s=100.0, n_done=31)
    nodes = ["a"] * 4 + ["b"] * 3 + ["c"]
    assert standing.running(nodes) == "31/60 blocks · 8 running on 3 nodes"
    assert not standing.are_waiting(nodes, 103.0)
    assert not standing.are_waiting([], 107.0)
    assert standing.are_waiting([], 108.5)
    assert standing.waiting(0.0) == "31/60 blocks · waiting for room, 0 cores are free"
