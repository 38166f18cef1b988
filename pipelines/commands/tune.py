"""`foldwise tune`: a search for a member's best settings."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Annotated

import typer

from pipelines.commands.options import (
    Device,
    Folds,
    Name,
    On,
    Sets,
    Source,
    Track,
    console,
    grouped,
    names_in,
)


@dataclass(frozen=True)
class SearchOptions:
    """What is searched, and for how long."""

    members: Annotated[
        str | None,
        typer.Option(
            *("--members", "--member"),
            metavar="A,B",
            help="only these members; default: each one with a search space",
        ),
    ] = None
    trials: Annotated[
        int, typer.Option(metavar="N", min=1, help="total number of trials in each study")
    ] = 100
    time_limit: Annotated[
        str | None,
        typer.Option(
            *("--time-limit", "--timeout"),
            metavar="SECONDS",
            help="start no more trials after this time, from the start of the command",
        ),
    ] = None
    storage: Annotated[
        str | None,
        typer.Option(metavar="URL", help="shared by many workers, e.g. sqlite:///studies.db"),
    ] = None
    join: Annotated[
        bool, typer.Option("--join", help="only try trials, for `foldwise tune` without it")
    ] = False
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="of the proposals")] = 0
    trials_at_once: Annotated[
        int, typer.Option(metavar="N", min=1, help="trials of networks trained in one stack")
    ] = 1
    rounds: Annotated[
        int | None,
        typer.Option(
            metavar="K",
            min=1,
            help="propose in K rounds, each after the results of the one before; "
            "the same study on any number of machines",
        ),
    ] = None
    pruner: Annotated[
        str, typer.Option(metavar="auto|median|hyperband|wilcoxon|none", help="stops poor trials")
    ] = "auto"


@dataclass(frozen=True)
class TrialOptions:
    """How each trial is trained and scored."""

    source: Source = "auto"
    folds: Folds = None
    repeats: Annotated[
        int, typer.Option(metavar="N", min=1, help="times the rows are split for tuning")
    ] = 1
    seeds: Annotated[int, typer.Option(metavar="N", min=1, help="replicas per fold in tuning")] = 1
    set_: Sets = None
    device: Device = "auto"
    on: On = None
    score: Annotated[
        bool,
        typer.Option("--score/--no-score", help="train the best on the folds that `run` uses"),
    ] = True
    track: Track = True


@grouped
def tune(name: Name, search: SearchOptions, trial: TrialOptions) -> None:
    """Search a member's settings with Optuna; the next `run` uses the best."""
    from pipelines import competitions
    from pipelines.configuration.assignments import configure
    from pipelines.console import Narrator
    from pipelines.tuning.optimise import StudyOptions
    from pipelines.tuning.page import show
    from pipelines.tuning.request import TuneRequest
    from pipelines.tuning.tune import tune as tune_members

    competition = configure(
        competitions.load_competition(name), folds=trial.folds, sets=trial.set_ or []
    )
    study = StudyOptions(
        n_trials=search.trials,
        time_limit_s=_left(search.time_limit),
        storage=search.storage,
        seed=search.seed,
        at_once=search.trials_at_once,
        rounds=search.rounds,
    )
    request = TuneRequest(
        members=tuple(names_in(search.members)),
        study=study,
        pruner=search.pruner,
        source=trial.source,
        n_repeats=trial.repeats,
        n_seeds=trial.seeds,
        device=trial.device,
        score=trial.score,
        track=trial.track,
        join=search.join,
        on=trial.on,
    )
    page = console()
    for tuning in tune_members(competition, request, Narrator(page)):
        show(tuning, page)


def _left(time_limit: str | None) -> float | None:
    """Seconds that are left of the limit, which runs from the start of the process."""
    if time_limit is None:
        return None
    from pipelines.planning.clock import seconds_in
    from pipelines.process import started

    return max(0.0, seconds_in(time_limit) - (time.monotonic() - started()))
