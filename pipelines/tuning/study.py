"""The results of a study as plain data: its trials, the best of them, what mattered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pipelines.configuration.search_space import Value

Values = Mapping[str, Value]
State = Literal["complete", "pruned", "failed"]


@dataclass(frozen=True)
class Trial:
    """One trial that is complete, was pruned, or was interrupted.

    Attributes:
        number: Its number in the study.
        state: Whether it ran to its end; `failed` where a kill or Ctrl-C interrupted it.
        score: On the tuning folds; the last one reported of a pruned trial, if any.
        values: By dotted key of the member.
        curve: (step, score); steps are per cent of the training for networks, folds otherwise.
        seconds: From its start to its end; trials of one stack run at the same time.
        start_ms: When it started, since 1970; None where that is unknown.
        place: In the sampler's sequence; None for the trial's number.
    """

    number: int
    state: State
    score: float | None
    values: Values
    curve: tuple[tuple[int, float], ...]
    seconds: float
    start_ms: int | None = None
    place: int | None = None


@dataclass(frozen=True)
class Study:
    """All counted trials of a study, in the order in which they were started.

    Attributes:
        name: Its name in the storage.
        greater_is_better: The metric's direction.
        trials: Complete and pruned trials.
        ours: Numbers of the trials that this process ran, not another worker.
        failed: Trials that a kill or Ctrl-C interrupted; they are not counted.
        importance: By key, each parameter's share in what made trials good or bad.
    """

    name: str
    greater_is_better: bool
    trials: tuple[Trial, ...]
    ours: tuple[int, ...] = ()
    failed: tuple[Trial, ...] = ()
    importance: Mapping[str, float] = field(default_factory=dict)

    @property
    def complete(self) -> list[Trial]:
        """The trials that were not pruned."""
        return [trial for trial in self.trials if trial.state == "complete"]

    @property
    def n_failed(self) -> int:
        """The number of trials that were interrupted."""
        return len(self.failed)

    @property
    def n_pruned(self) -> int:
        """The number of trials that were stopped early."""
        return len(self.trials) - len(self.complete)

    @property
    def best(self) -> Trial | None:
        """The complete trial with the best score, of several the first in place; else None.

        The place depends on no race, as the number does where several workers ask for trials.
        """
        sign = -1 if self.greater_is_better else 1
        scored = [trial for trial in self.complete if trial.score is not None]

        def rank(trial: Trial) -> tuple[float, int]:
            place = trial.number if trial.place is None else trial.place
            return sign * (trial.score or 0.0), place

        return min(scored, key=rank, default=None)
