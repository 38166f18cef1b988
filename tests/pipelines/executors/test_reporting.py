"""A task as a generator: reports, result, errors, and an end that nobody waits for."""

from __future__ import annotations

import threading

import pytest

from models.executor import Call
from pipelines.executors.reporting import Ended, Report, reports_of


def test_reports_come_before_the_result() -> None:
    def work(call: Call) -> str:
        call.tell(1)
        call.tell(2)
        assert call.here is None
        return "done"

    assert list(reports_of(work)) == [Report(1), Report(2), Ended("done")]


def test_an_error_comes_behind_the_reports() -> None:
    def work(call: Call) -> None:
        call.tell(1)
        raise ValueError("of the work")

    stream = reports_of(work)
    assert next(stream) == Report(1)
    with pytest.raises(ValueError, match="of the work"):
        next(stream)


def test_closing_it_ends_the_work() -> None:
    ended = threading.Event()

    def work(call: Call) -> None:
        try:
            while True:
                call.tell(0)
        finally:
            ended.set()

    stream = reports_of(work)
    next(stream)
    stream.close()
    assert ended.is_set()
