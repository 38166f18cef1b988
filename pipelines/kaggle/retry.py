"""Retries: how long to wait for a server, and how often to try."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import requests

from pipelines.kaggle.http_faults import cause, is_passing

T = TypeVar("T")


def _ignore(_: str) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server, and how often to try.

    Attributes:
        tries: Number of attempts in all.
        first_wait_s: The pause after the first failure; it doubles with every further one.
        longest_wait_s: The longest pause; if a server asks for more, there is no further attempt.
        connect_timeout_s: For a connection to be made.
        read_timeout_s: Between two pieces of an answer.
        sleep: Waits so many seconds.
        tell: Called before each pause with the reason for it.
    """

    tries: int = 4
    first_wait_s: float = 1.0
    longest_wait_s: float = 60.0
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0
    sleep: Callable[[float], None] = time.sleep
    tell: Callable[[str], None] = _ignore

    def persist(self, attempt: Callable[[], T]) -> T:
        """Call `attempt` until it succeeds, fails permanently, or the tries are used up.

        Raises:
            requests.RequestException: The last one.
        """
        for number in range(1, self.tries):
            try:
                return attempt()
            except requests.RequestException as error:
                wait_s = self._pause(error, number)
                if wait_s is None:
                    raise
                reason = cause(error)
            self.tell(f"{reason}; trying again in {wait_s:g} s ({number + 1} of {self.tries})")
            self.sleep(wait_s)
        return attempt()

    def _pause(self, error: requests.RequestException, number: int) -> float | None:
        """Seconds to wait after failure `number`; None where another try is useless."""
        if not is_passing(error):
            return None
        requested = requested_wait_s(error)
        if requested is None:
            return min(self.first_wait_s * 2.0 ** (number - 1), self.longest_wait_s)
        return requested if requested <= self.longest_wait_s else None


def requested_wait_s(error: requests.RequestException) -> float | None:
    """The wait that the server asks for in `Retry-After`, as seconds or as a date."""
    text = "" if error.response is None else error.response.headers.get("Retry-After", "")
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, round((aware - datetime.now(UTC)).total_seconds(), 1))
