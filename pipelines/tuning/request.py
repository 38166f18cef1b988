"""What a person asks of `foldwise tune`, and what of it excludes each other."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

import numpy as np

from pipelines.configuration.assignments import choose_members
from pipelines.configuration.competition import Competition
from pipelines.members.member import Member, members_of
from pipelines.tuning.optimise import Pruner, StudyOptions


class TuneError(ValueError):
    """A member without a search space, an unknown pruner, or options that exclude each other."""

    exit_code = 2


@dataclass(frozen=True)
class TuneRequest:
    """What to tune, and how, beside the configuration.

    Attributes:
        members: Those to tune; none for all that have a search space.
        study: How far each study goes; the time limit is for all studies together.
        pruner: `auto` is `median` for networks and `wilcoxon` for kinds that go fold by fold.
        source: `auto`, `kaggle`, `sample` or a path.
        n_repeats: How often the rows are split into folds for tuning.
        n_seeds: Replicas per fold in tuning.
        device: `auto`, `cpu` or `cuda`.
        score: Whether to score the best values on the folds of a run.
        track: Whether to write MLflow runs.
        join: Whether to try trials alone, and leave all else to the command without it.
        on: The cluster that trains the trials, as `--on` names it; None for this process.
        root: The folder that holds `data/`, `runs/` and `studies/`.
    """

    members: tuple[str, ...] = ()
    study: StudyOptions = field(default_factory=StudyOptions)
    pruner: str = "auto"
    source: str = "auto"
    n_repeats: int = 1
    n_seeds: int = 1
    device: str = "auto"
    score: bool = True
    track: bool = True
    join: bool = False
    on: str | None = None
    root: Path = Path()


def check(request: TuneRequest) -> None:
    """Check the pruner's name, and that nobody else proposes trials between two rounds.

    Raises:
        TuneError: There is no such pruner, or options exclude each other.
    """
    if request.pruner not in ("auto", *get_args(Pruner)):
        known = ", ".join(("auto", *get_args(Pruner)))
        raise TuneError(f"unknown pruner {request.pruner!r}; known: {known}")
    if request.on is not None and request.study.at_once > 1:
        raise TuneError(
            "--on and --trials-at-once exclude each other: a cluster trains each trial on its own, "
            "as many at once as it has room for; leave --trials-at-once out"
        )
    if request.study.rounds is None:
        return
    if request.join:
        raise TuneError("--rounds and --join exclude each other: rounds belong to one command")
    if request.study.at_once > 1:
        raise TuneError(
            "--rounds and --trials-at-once exclude each other: in a round each trial is trained "
            "on its own; leave --trials-at-once out"
        )


def shares(
    members: Sequence[Member], options: StudyOptions
) -> Iterator[tuple[Member, StudyOptions]]:
    """Each member with its share of the time that is left when its turn comes."""
    end = time.monotonic() + (np.inf if options.time_limit_s is None else options.time_limit_s)
    for n_done, member in enumerate(members):
        left = (end - time.monotonic()) / (len(members) - n_done)
        time_limit_s = None if options.time_limit_s is None else max(0.0, left)
        yield member, replace(options, time_limit_s=time_limit_s)


def searched(competition: Competition, names: Sequence[str]) -> list[Member]:
    """The members to tune: those named, which must have a search space, else all that have one."""
    chosen = members_of(choose_members(competition, names))
    searched = [member for member in chosen if member.search]
    without = [member.name for member in chosen if not member.search]
    if searched and not (names and without):
        return searched
    known = ", ".join(m.name for m in members_of(competition) if m.search) or "none"
    raise TuneError(
        f"{competition.name}: no search space for {', '.join(without)}; those that have one: "
        f"{known}; give the member one in the competition's file, `search={{...}}`"
    )
