"""What a study found, as plain data: its trials, the best of them, and what mattered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pipelines.configuration.search_space import Value

Values = Mapping[str, Value]


@dataclass(frozen=True)
class Trial:
    """One trial that ran to its end or was pruned.

    Attributes:
        score: on the tuning folds; of a pruned trial the last that was seen, if any.
        values: by dotted key of the member.
        curve: (step, score): per cent of the training for networks, folds for other members.
    """

    number: int
    state: Literal["complete", "pruned"]
    score: float | None
    values: Values
    curve: tuple[tuple[int, float], ...]
    seconds: float


@dataclass(frozen=True)
class Study:
    """All counted trials of a study, in the order in which they were begun.

    Attributes:
        name: of the study in its storage.
        ours: numbers of the trials that this process ran; other workers have theirs.
        n_failed: trials that were cut short by a kill or Ctrl-C; they count for nothing.
        importance: by key, each parameter's share in what made trials good or bad.
    """

    name: str
    greater_is_better: bool
    trials: tuple[Trial, ...]
    ours: tuple[int, ...] = ()
    n_failed: int = 0
    importance: Mapping[str, float] = field(default_factory=dict)

    @property
    def complete(self) -> list[Trial]:
        """Those that were not pruned."""
        return [trial for trial in self.trials if trial.state == "complete"]

    @property
    def n_pruned(self) -> int:
        """How many were stopped early."""
        return len(self.trials) - len(self.complete)

    @property
    def best(self) -> Trial | None:
        """The complete trial of the best score, the first of several; None without one."""
        sign = -1 if self.greater_is_better else 1
        scored = [trial for trial in self.complete if trial.score is not None]
        return min(scored, key=lambda t: (sign * (t.score or 0.0), t.number), default=None)
