"""How far the tasks of a cluster are: each one's attempts, and a line for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

QUIET_S = 5.0  # without a running task, after which the person hears that they wait


@dataclass
class Attempt:
    """An attempt at a task.

    Attributes:
        number: The task's.
        n_heard: Reports that the driver has heard, of this attempt or an earlier one.
        n_lost: Attempts that were lost before.
        node: Where it runs; None while it waits.
        n_reported: Reports of this attempt.
    """

    number: int
    n_heard: int = 0
    n_lost: int = 0
    node: str | None = None
    n_reported: int = 0

    def is_news(self) -> bool:
        """Count a report; whether no earlier attempt made it."""
        self.n_reported += 1
        is_news = self.n_reported > self.n_heard
        self.n_heard = max(self.n_heard, self.n_reported)
        return is_news


@dataclass
class Standing:
    """What a person hears of all tasks.

    Attributes:
        n_tasks: How many there are.
        unit: What they are called.
        active_s: When one of them was last seen to run, by a monotonic clock.
        n_done: How many have ended.
    """

    n_tasks: int
    unit: str
    active_s: float
    n_done: int = 0

    @classmethod
    def of_all(cls, standings: Sequence[Standing]) -> Standing:
        """That of several calls together."""
        return cls(
            n_tasks=sum(standing.n_tasks for standing in standings),
            unit=standings[0].unit,
            active_s=max(standing.active_s for standing in standings),
            n_done=sum(standing.n_done for standing in standings),
        )

    @property
    def counted(self) -> str:
        """As `31/60 blocks`."""
        return f"{self.n_done}/{self.n_tasks} {self.unit}"

    def are_waiting(self, nodes: Sequence[str], now_s: float) -> bool:
        """Whether none has run for some seconds.

        Args:
            nodes: The node of each one that runs.
            now_s: By the same clock.
        """
        if nodes or self.n_done == self.n_tasks:
            self.active_s = now_s
        return now_s - self.active_s > QUIET_S

    def running(self, nodes: Sequence[str]) -> str:
        """As `31/60 blocks · 8 running on 3 nodes`."""
        n_nodes = len(set(nodes))
        plural = "s" * (n_nodes != 1)
        return f"{self.counted} · {len(nodes)} running on {n_nodes} node{plural}"

    def waiting(self, free: float) -> str:
        """That none of them runs."""
        return f"{self.counted} · waiting for room, {free:g} cores are free"

    def lost(self, n_lost: int, reason: str) -> str:
        """That one of them was lost too often."""
        return (
            f"one of its {self.unit} lost its worker {n_lost} times ({reason}); look at the nodes' "
            "memory and logs, and type the same command again to continue"
        )


def own_error(error: BaseException) -> BaseException:
    """The error of the task itself, as if it had been done here."""
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, Exception) else error
