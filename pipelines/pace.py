"""How fast something goes on, and how long it will still take at that pace."""

from __future__ import annotations

from dataclasses import dataclass

LEAST_S = 2.0  # before the pace is worth telling


@dataclass
class Pace:
    """The pace of one piece of work: seconds are those of any one clock.

    Attributes:
        start_s: When it began.
        begun_with: What had been done by then.
        done: What is done, as last heard.
        total: What there is to do, as last heard.
        heard_s: When that was heard.
    """

    start_s: float
    begun_with: int = 0
    done: int = 0
    total: int = 0
    heard_s: float = 0.0

    def __post_init__(self) -> None:
        self.done = self.begun_with

    def hear(self, done: int, total: int, now_s: float) -> None:
        """Note what is done."""
        self.done, self.total, self.heard_s = done, total, now_s

    def left(self, now_s: float) -> str:
        """About how long the rest takes; empty while nobody can know, and at the end."""
        n_done, n_left = self.done - self.begun_with, self.total - self.done
        spent = self.heard_s - self.start_s
        if n_done <= 0 or n_left <= 0 or spent < LEAST_S:
            return ""
        since = now_s - self.heard_s
        return f"~{spoken(max(1.0, spent / n_done * n_left - since))} left"

    def counted(self) -> str:
        """`3 of 10`; empty where nothing was counted."""
        return f"{self.done} of {self.total}" if self.total > 1 else ""


def spoken(seconds: float) -> str:
    """A time as a person says it: `45 s`, `3 min`, `1 h 20 min`."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"
