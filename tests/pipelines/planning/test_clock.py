"""The clock of a time limit, and the signal at its end."""

import signal
import threading
import time

import pytest

from pipelines.planning.clock import Clock, TimeLimitError, TimeUpError, checked, seconds_in


@pytest.mark.parametrize("seconds", [0, -5, 1, float("nan"), float("inf")])
def test_a_limit_in_which_nothing_can_be_done_is_one_line(seconds):
    with pytest.raises(TimeLimitError, match=r"expected seconds, best from 20 to 14400") as fault:
        checked(seconds)
    assert "\n" not in str(fault.value)
    assert fault.value.exit_code == 2


@pytest.mark.parametrize("text", ["soon", "", "-1", "nan", "inf", "5 min"])
def test_a_text_that_is_no_time_is_one_line(text):
    with pytest.raises(TimeLimitError, match=r"expected seconds, best from 20 to 14400"):
        seconds_in(text)


def test_seconds_are_read():
    assert (seconds_in("300"), seconds_in("2.5"), seconds_in("1e3")) == (300.0, 2.5, 1000.0)


@pytest.mark.parametrize("seconds", [2, 20, 1800, 4 * 3600, 86400])
def test_other_limits_are_taken(seconds):
    assert checked(seconds) == seconds


def test_time_that_is_up_interrupts_what_goes_on():
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(TimeUpError), Clock(0.4, time.monotonic()).watched():
        time.sleep(60)
    assert signal.getsignal(signal.SIGALRM) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_time_that_is_up_ahead_within_another_lets_that_one_go_on():
    clock = Clock(0.8, time.monotonic())
    with pytest.raises(TimeUpError), clock.watched():
        with pytest.raises(TimeUpError), clock.watched(ahead_s=0.3):
            time.sleep(60)
        assert clock.left > 0.3
        time.sleep(60)
    assert clock.left > 0
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_thread_that_cannot_be_interrupted_goes_on():
    ended = []

    def work():
        with Clock(0.01, time.monotonic()).watched():
            time.sleep(0.05)
        ended.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ended == [True]
