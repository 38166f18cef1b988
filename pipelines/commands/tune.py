"""`foldwise tune`: what is typed, handed to the room that does it."""

from __future__ import annotations

from typing import Annotated

import typer


def tune(
    name: Annotated[
        str, typer.Argument(metavar="COMPETITION", help="its name: see `foldwise list`")
    ],
    member: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="default: every member with a search space, in turn"),
    ] = None,
    trials: Annotated[
        int, typer.Option(metavar="N", min=1, help="trials that each study is to have in the end")
    ] = 100,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="S", min=0, help="seconds after which no more trials are begun"),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(metavar="URL", help="e.g. sqlite:///studies.db, for many workers"),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="of the proposals")] = 0,
    trials_at_once: Annotated[
        int, typer.Option(metavar="N", min=1, help="networks' trials that share a stack")
    ] = 1,
    pruner: Annotated[str, typer.Option(metavar="auto|median|hyperband|wilcoxon|none")] = "auto",
    source: Annotated[
        str,
        typer.Option(metavar="auto|kaggle|sample|PATH", help="PATH is a folder or Kaggle's zip"),
    ] = "auto",
    folds: Annotated[int | None, typer.Option(metavar="K", min=2, help="number of folds")] = None,
    repeats: Annotated[
        int, typer.Option(metavar="N", min=1, help="times the rows are dealt for tuning")
    ] = 1,
    seeds: Annotated[int, typer.Option(metavar="N", min=1, help="replicas per fold in tuning")] = 1,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="a setting that is not searched"),
    ] = None,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda")] = "auto",
    score: Annotated[
        bool,
        typer.Option("--score/--no-score", help="train the best on the folds that `run` uses"),
    ] = True,
    track: Annotated[bool, typer.Option("--track/--no-track", help="write MLflow runs")] = True,
) -> None:
    """Search a member's settings by Optuna; the next `run` uses the best."""
    from pipelines import competitions
    from pipelines.configuration.assignments import configure
    from pipelines.console import Narrator, terminal
    from pipelines.tuning.optimise import StudyOptions
    from pipelines.tuning.page import show
    from pipelines.tuning.tune import TuneRequest
    from pipelines.tuning.tune import tune as tune_members

    competition = configure(competitions.load_competition(name), folds=folds, sets=set_ or [])
    study = StudyOptions(
        n_trials=trials, timeout_s=timeout, storage=storage, seed=seed, at_once=trials_at_once
    )
    request = TuneRequest(
        member=member,
        study=study,
        pruner=pruner,
        source=source,
        n_repeats=repeats,
        n_seeds=seeds,
        device=device,
        score=score,
        track=track,
    )
    console = terminal()
    for tuning in tune_members(competition, request, Narrator(console)):
        show(tuning, console)
