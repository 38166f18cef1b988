"""A notebook's log, read while it grows; after a break it goes on, and tells nothing twice."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import requests

from pipelines.secret_texts import redacted

N_LAST = 12  # lines that are told of a notebook that failed


class LogStream:
    """What was heard of a log so far.

    The server begins at the first event whenever it is asked, so those heard are counted.

    Attributes:
        last: The last lines that were heard.
    """

    def __init__(self, api: Any, address: str) -> None:
        self.last: deque[str] = deque(maxlen=N_LAST)
        self._stream = getattr(api, "kernels_logs_stream", None)  # older clients lack it
        self._address = address
        self._n_heard = 0

    def read(self, hear: Callable[[str], None]) -> bool:
        """Hear what is new, until the log ends.

        Returns:
            Whether it ended; not where the connection broke, was silent for too long, or where
            there is no log yet.
        """
        if self._stream is None:
            return False
        try:
            for number, event in enumerate(self._stream(self._address)):
                if number >= self._n_heard:
                    self._n_heard = number + 1
                    self._hear(event, hear)
        except (requests.RequestException, ValueError):  # the client's own for 401 and 403
            return False
        return True

    def _hear(self, event: Mapping[str, Any], hear: Callable[[str], None]) -> None:
        for line in lines(event):
            self.last.append(line)
            hear(line)


def lines(event: Mapping[str, Any]) -> list[str]:
    """The lines of one event, without secrets and without what is empty."""
    text = redacted(str(event.get("data") or ""))
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def pieces(log: str) -> list[str]:
    """The lines of a log that Kaggle has kept: events as JSON, or plain text."""
    try:
        events = json.loads(log or "[]")
    except ValueError:
        events = [{"data": log}]
    found = events if isinstance(events, list) else [events]
    return [line for event in found if isinstance(event, dict) for line in lines(event)]
