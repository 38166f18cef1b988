"""The clock of a run with a time limit, and the signal at its end."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType

from pipelines.pace import spoken

LEAST_POSSIBLE_S = 2.0
LEAST_S, MOST_S = 20.0, 4 * 3600.0
MARGIN = 0.03  # share of the limit that no plan uses
RESERVE_S = 0.3  # for what is written when time is up


class TimeLimitError(ValueError):
    """A time limit in which nothing can be done."""

    exit_code = 2


class TimeUpError(KeyboardInterrupt):
    """Time is up: like Ctrl-C it ends whatever goes on, and what is finished is the result."""


@dataclass(frozen=True)
class TimeLimit:
    """What a person asks for with a time limit.

    Attributes:
        limit_s: Seconds.
        started: When they began, of `time.monotonic`.
        bound: Keys of settings that the plan must leave as they are, as a person types them.
        binds_members: Whether all of the competition's members must be part of the plan.
    """

    limit_s: float
    started: float
    bound: tuple[str, ...] = ()
    binds_members: bool = False


@dataclass(frozen=True)
class Clock:
    """Seconds from the start of the process, or of the call from Python, to the limit.

    Attributes:
        limit_s: The limit.
        started: When it began, of `time.monotonic`.
    """

    limit_s: float
    started: float

    @property
    def spent(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    @property
    def left(self) -> float:
        """Seconds to the limit."""
        return self.limit_s - self.spent

    @contextlib.contextmanager
    def watched(self, *, ahead_s: float = 0.0) -> Iterator[None]:
        """Interrupt what goes on within when time is up, as Ctrl-C does.

        Only the main thread can be interrupted; another one notices at the end of a step. Within
        another one, that goes on behind it.

        Args:
            ahead_s: Seconds before the limit at which it is up.

        Raises:
            TimeUpError: In the middle of whatever was done.
        """
        can_interrupt = hasattr(signal, "setitimer")
        if not can_interrupt or threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGALRM, _ring)
        outer_s, _ = signal.setitimer(signal.ITIMER_REAL, self._until_alarm(ahead_s))
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, self._until_alarm(0.0) if outer_s else 0.0)
            signal.signal(signal.SIGALRM, before)

    def _until_alarm(self, ahead_s: float) -> float:
        return max(self.left - RESERVE_S - ahead_s, 1e-3)


def _ring(_number: int, _frame: FrameType | None) -> None:
    raise TimeUpError


def seconds_in(text: str) -> float:
    """The seconds that were typed.

    Raises:
        TimeLimitError: The text is no number, or one below 0.
    """
    try:
        seconds = float(text)
    except ValueError:
        raise _wrong(repr(text)) from None
    if not 0 <= seconds < math.inf:
        raise _wrong(text)
    return seconds


def checked(limit_s: float) -> float:
    """The limit, if anything can be done in it.

    Raises:
        TimeLimitError: It is less than the program takes to start, or no number.
    """
    if not LEAST_POSSIBLE_S <= limit_s < math.inf:
        raise _wrong(f"{limit_s:g}")
    return limit_s


def too_short(clock: Clock, least_s: float | None) -> TimeLimitError:
    """A limit in which no submission can be made, with one in which it can.

    Args:
        clock: The limit's.
        least_s: Seconds that the cheapest submission still takes; None where that is unknown.
    """
    what, enough = "time was up before the first submission", 2 * clock.limit_s
    if least_s is not None:
        takes = f"the cheapest submission takes {spoken(least_s)} more"
        what = f"{clock.spent:.0f} s are gone, and {takes}"
        enough = (clock.spent + least_s) / (1 - MARGIN)
    again = math.ceil(max(enough, clock.limit_s + 1) / 10) * 10
    return TimeLimitError(
        f"--time-limit {clock.limit_s:g}: {what}; type --time-limit {again}, or leave "
        "--members, --folds and --set to the plan"
    )


def _wrong(found: str) -> TimeLimitError:
    return TimeLimitError(
        f"--time-limit: found {found}, expected seconds, best from {LEAST_S:.0f} to "
        f"{MOST_S:.0f} (4 h); type for example --time-limit 300"
    )
