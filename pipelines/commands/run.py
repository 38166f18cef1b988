"""`foldwise run`, `foldwise list` and `foldwise show`: from the files to a checked submission."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.commands.json_output import kept_for_json
from pipelines.commands.options import (
    Device,
    Json,
    Name,
    On,
    Refresh,
    Settings,
    Source,
    Track,
    console,
    grouped,
    patience,
)

if TYPE_CHECKING:
    from pipelines.configuration.competition import Competition
    from pipelines.planning.clock import TimeLimit
    from pipelines.workspace.summary import Summary


@dataclass(frozen=True)
class RunOptions:
    """How a run is made, beside the competition's settings."""

    source: Source = "auto"
    device: Device = "auto"
    on: On = None
    out: Annotated[
        Path | None, typer.Option(metavar="CSV", help="write the submission here as well")
    ] = None
    run_id: Annotated[
        str | None, typer.Option("--run", metavar="RUN-ID", help="continue this unfinished run")
    ] = None
    note: Annotated[
        str | None, typer.Option(metavar="TEXT", help="a note on the run, shown by `foldwise runs`")
    ] = None
    track: Track = True
    refresh: Refresh = False
    json: Json = False
    time_limit: Annotated[
        str | None,
        typer.Option(
            metavar="SECONDS",
            help="the best submission that fits in this time, report and figures apart",
        ),
    ] = None
    plan: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="train what that run with a time limit had trained"),
    ] = None


@grouped
def run(context: typer.Context, name: Name, settings: Settings, options: RunOptions) -> None:
    """Run all six stages, from the files to a checked submission."""
    with kept_for_json(is_wanted=options.json):
        summary = _made(context, name, settings, options)
    if options.json:
        print(summary.as_json(), flush=True)


def _made(context: typer.Context, name: str, settings: Settings, options: RunOptions) -> Summary:
    """Run it, and show its page."""
    limit = _limit(settings, options)
    tuned = [] if options.plan else settings.tuned_values(name)
    from pipelines import competitions
    from pipelines.console import Narrator
    from pipelines.runs.request import RunRequest
    from pipelines.runs.summary_page import show
    from pipelines.runs.timed_run import run as run_stages

    competition = _planned(name, options.plan) if options.plan else settings.apply(name, tuned)
    request = RunRequest(
        source=options.source,
        device=options.device,
        on=options.on,
        run_id=options.run_id,
        out=options.out,
        track=options.track,
        refresh=options.refresh,
        patience=patience(context),
        tuned=tuple(tuned),
        always_tuned=bool(settings.tuned),
        note=options.note,
        defaults=competitions.load_competition(name),
        limit=limit,
    )
    page = console(stderr=options.json)
    summary = run_stages(competition, request, Narrator(page))
    show(summary, page)
    return summary


def _limit(settings: Settings, options: RunOptions) -> TimeLimit | None:
    """The time limit, if there is one.

    Raises:
        PlanError: `--plan` or `--time-limit` stands beside an option that it rules out.
    """
    from pipelines.planning.clock import TimeLimit, checked, seconds_in
    from pipelines.planning.kept_plan import PlanError
    from pipelines.process import started

    has_others = settings.typed() or settings.members or settings.tuned is not None
    if options.plan and (has_others or options.time_limit is not None or options.run_id):
        raise PlanError(
            "--plan trains just what another run has trained; leave --time-limit, --members, "
            "--folds, --seeds, --set, --tuned and --run out"
        )
    if options.time_limit is None:
        return None
    if options.run_id:
        raise PlanError(
            "--time-limit makes a plan of its own, so it cannot continue --run; leave one of them "
            "out"
        )
    if options.on:
        raise PlanError(
            "--time-limit measures the speed of this machine, so it cannot plan for a cluster; "
            "leave --on or --time-limit out"
        )
    limit_s = checked(seconds_in(options.time_limit))
    return TimeLimit(limit_s, started(), tuple(settings.typed()), bool(settings.members))


def _planned(name: str, run: str) -> Competition:
    """The competition as an earlier run with a time limit trained it."""
    from pipelines import competitions
    from pipelines.planning.kept_plan import competition_of

    return competition_of(competitions.load_competition(name), run, Path())


def list_() -> None:
    """List the competitions."""
    from pipelines import competitions

    for name, title in competitions.titles():
        if isinstance(title, str):
            print(f"{name:<20}{title}")
        else:
            print(f"foldwise: {title}", file=sys.stderr)


@grouped
def show(name: Name, settings: Settings) -> None:
    """Show a competition's settings as `run` would use them."""
    from pipelines.configuration.settings_page import describe

    found = settings.tuned_values(name)
    used = [tuned for tuned in found if settings.tuned or tuned.is_better]
    print(describe(settings.apply(name, used), console().width))
