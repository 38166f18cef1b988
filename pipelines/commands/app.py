"""The commands; every one says what was typed to the room that does it.

Imports stand inside the commands: `foldwise --help` must not wait for torch.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.exceptions import TyperException

from pipelines.commands.mlflow import sync
from pipelines.commands.predict import predict
from pipelines.commands.report import compare, report
from pipelines.commands.tune import tune

if TYPE_CHECKING:
    from rich.console import Console

    from pipelines.configuration.competition import Competition
    from pipelines.configuration.tuned_values import Tuned
    from pipelines.kaggle.retry import Patience

app = typer.Typer(
    help="Kaggle pipelines that train every fold and every seed at once.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

INTERRUPTED = 130
DISK_FAULTS = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG),
    *(errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR),
)
OUR_ERRORS = (ValueError, RuntimeError, LookupError, OSError, ImportError)

Name = Annotated[str, typer.Argument(metavar="COMPETITION", help="its name: see `foldwise list`")]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="a setting, e.g. train.lr=1e-3"),
]
Members = Annotated[
    str | None, typer.Option(metavar="A,B", help="only these members, by name, comma between them")
]
Folds = Annotated[int | None, typer.Option(metavar="K", min=2, help="number of folds")]
Seeds = Annotated[int | None, typer.Option(metavar="N", min=1, help="replicas per fold")]
UseTuned = Annotated[
    bool, typer.Option("--tuned/--no-tuned", help="the values that `foldwise tune` found")
]


def main(arguments: list[str] | None = None, *, patience: Patience | None = None) -> int:
    """Run one command; give its exit code, having told any fault on one line.

    Args:
        arguments: as typed; those of the process if None.
        patience: how long to wait for Kaggle, and how often to ask it again.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments
    try:
        typed = [argument for argument in arguments if argument != "--debug"]
        code = app(typed, standalone_mode=False, obj=patience) or 0
    except TyperException as error:
        _tell(f"{_usage(error)}; type `foldwise --help` for the commands and their options")
        return 2
    except OUR_ERRORS as error:
        code = _exit_code(error)
        if code is None or debug:
            raise
        _tell(_disk_fault(error) if isinstance(error, OSError) else str(error))
    if code == INTERRUPTED:
        _tell("interrupted; nothing is lost: type the same command again and it goes on")
    return int(code)


def _usage(error: TyperException) -> str:
    told = getattr(error, "format_message", lambda: str(error))()
    return str(told).rstrip(".")


def _exit_code(error: BaseException) -> int | None:
    """The code on the error's class; 3 for a disk that refuses; None for what is our own fault."""
    if isinstance(error, OSError) and error.errno in DISK_FAULTS:
        return getattr(error, "exit_code", 3)
    return getattr(error, "exit_code", None)


def _disk_fault(error: OSError) -> str:
    if hasattr(error, "exit_code"):
        return str(error)
    what = f"cannot write {error.filename}" if error.filename else "cannot write"
    return (
        f"{what}: {(error.strerror or 'refused').lower()}; nothing is half-written; make room or "
        "allow writing there, then type the same command again and it goes on"
    )


def _tell(message: str) -> None:
    print(f"foldwise: {message}", file=sys.stderr)


@app.command()
def run(
    context: typer.Context,
    name: Name,
    source: Annotated[
        str,
        typer.Option(metavar="auto|kaggle|sample|PATH", help="PATH is a folder or Kaggle's zip"),
    ] = "auto",
    members: Members = None,
    folds: Folds = None,
    seeds: Seeds = None,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda")] = "auto",
    set_: Sets = None,
    tuned: UseTuned = True,
    out: Annotated[Path | None, typer.Option(metavar="CSV", help="write the CSV here too")] = None,
    run_id: Annotated[
        str | None, typer.Option("--run", metavar="RUN-ID", help="go on with this unfinished run")
    ] = None,
    track: Annotated[bool, typer.Option("--track/--no-track", help="write an MLflow run")] = True,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="ask Kaggle whether its files have changed")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="last line of output is one JSON object")
    ] = False,
) -> None:
    """All six stages, from the files to a checked submission."""
    found = _tuned(name, members) if tuned else []
    competition = _configured(name, members, folds, seeds, set_, found)
    from pipelines.console import Narrator
    from pipelines.runs.run import Request
    from pipelines.runs.run import run as run_stages
    from pipelines.runs.summary_page import show

    console = _console(stderr=json)
    request = Request(
        source=source,
        device=device,
        run_id=run_id,
        out=out,
        track=track,
        refresh=refresh,
        patience=_patience(context),
        tuned=tuple(found),
    )
    summary = run_stages(competition, request, Narrator(console))
    show(summary, console)
    if json:
        print(summary.as_json(), flush=True)


@app.command("compare-losses")
def compare_losses(
    name: Name,
    source: Annotated[
        str,
        typer.Option(metavar="auto|kaggle|sample|PATH", help="PATH is a folder or Kaggle's zip"),
    ] = "auto",
    member: Annotated[
        str | None, typer.Option(metavar="NAME", help="the network to train; default: the first")
    ] = None,
    steps: Annotated[int, typer.Option(metavar="N", min=2, help="steps of each trial")] = 300,
    set_: Sets = None,
    track: Annotated[bool, typer.Option("--track/--no-track", help="write MLflow runs")] = True,
) -> None:
    """CrossEntropyLoss, LogSoftmax + NLLLoss and the naive way, side by side."""
    competition = _configured(name, None, None, None, set_)
    from pipelines.compare_losses import compare as losses
    from pipelines.console import Narrator

    console = _console()
    request = losses.CompareLossesRequest(source=source, member=member, n_steps=steps, track=track)
    losses.show(losses.compare_losses(competition, request, Narrator(console)), console)


app.command("predict")(predict)


@app.command("list")
def list_() -> None:
    """The competitions."""
    from pipelines import competitions

    for name in competitions.list_competitions():
        print(f"{name:<20}{competitions.load_competition(name).title}")


@app.command("show")
def show_(
    name: Name,
    members: Members = None,
    folds: Folds = None,
    seeds: Seeds = None,
    set_: Sets = None,
    tuned: UseTuned = True,
) -> None:
    """One competition's settings, as `run` would use them."""
    from pipelines.configuration.assignments import describe

    found = _tuned(name, members) if tuned else []
    print(describe(_configured(name, members, folds, seeds, set_, found)))


app.command("tune")(tune)


@app.command()
def submit(
    context: typer.Context,
    name: Name,
    run_id: Annotated[
        str | None, typer.Argument(metavar="[RUN-ID]", help="default: the newest finished run")
    ] = None,
    message: Annotated[
        str | None, typer.Option(metavar="TEXT", help="default: the run and its score")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="send without asking")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="do everything but send")] = False,
    wait: Annotated[float, typer.Option(metavar="SECONDS", min=0, help="for the score")] = 120,
) -> None:
    """Send a run's CSV to Kaggle, once, and write its score to the ledger."""
    from pipelines import competitions
    from pipelines.console import Narrator
    from pipelines.runs import submit as submitting

    request = submitting.Request(
        run_id=run_id,
        message=message,
        yes=yes,
        dry_run=dry_run,
        wait_s=wait,
        patience=_patience(context),
    )
    submitting.submit(competitions.load_competition(name), request, Narrator(_console()))


@app.command()
def runs(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="[COMPETITION]")] = None,
    sort: Annotated[str, typer.Option(metavar="newest|best", help="what comes first")] = "newest",
    refresh: Annotated[
        bool, typer.Option("--refresh", help="ask Kaggle for the competition's scores first")
    ] = False,
) -> None:
    """The ledger: cross-validated, local, public and private score of every run."""
    from pipelines.runs.ledger_page import show_ledger

    console = _console()
    if refresh:
        _refresh_scores(name, console, _patience(context))
    show_ledger(console, Path(), competition=name, sort=sort)


@app.command()
def pick(name: Name) -> None:
    """The two submissions to choose at the end: the best cv, and as good but most different."""
    from pipelines import competitions
    from pipelines.console import Narrator
    from pipelines.runs import pick as picking

    picking.pick(competitions.load_competition(name), Path(), Narrator(_console()))


@app.command()
def check(
    context: typer.Context,
    name: Name,
    csv: Annotated[Path, typer.Argument(metavar="CSV", help="the submission to check")],
    source: Annotated[
        str, typer.Option(metavar="auto|kaggle|sample|PATH", help="whose sample submission to use")
    ] = "auto",
) -> None:
    """The submission check alone."""
    from pipelines import competitions
    from pipelines.runs.sendable import check_csv

    patience = _patience(context)
    n_rows = check_csv(
        competitions.load_competition(name), csv, source=source, root=Path(), patience=patience
    )
    print(f"{csv}: {n_rows:,} rows, in the form that Kaggle wants")


@app.command()
def mlflow(
    port: Annotated[int | None, typer.Option(metavar="PORT", help="default: a free one")] = None,
) -> None:
    """The MLflow page, with every run, score and figure."""
    from pipelines.tracking.server import serve

    raise typer.Exit(serve(Path(), port))


app.command("report")(report)
app.command("compare")(compare)
app.command("sync")(sync)


def _patience(context: typer.Context) -> Patience:
    from pipelines.kaggle.retry import Patience

    return context.obj or Patience()


def _refresh_scores(name: str | None, console: Console, patience: Patience) -> None:
    from pipelines import competitions
    from pipelines.console import Narrator
    from pipelines.runs import scores

    if name is None:
        raise typer.BadParameter("--refresh needs a COMPETITION")
    scores.refresh(competitions.load_competition(name), Path(), Narrator(console), patience)


def _configured(
    name: str,
    members: str | None,
    folds: int | None,
    seeds: int | None,
    sets: list[str] | None,
    tuned: Sequence[Tuned] = (),
) -> Competition:
    from pipelines import competitions
    from pipelines.configuration.assignments import configure
    from pipelines.configuration.tuned_values import apply

    competition = apply(competitions.load_competition(name), tuned)
    named = _named(members)
    return configure(competition, members=named, folds=folds, seeds=seeds, sets=sets or [])


def _named(members: str | None) -> list[str]:
    return [part.strip() for part in members.split(",")] if members else []


def _tuned(name: str, members: str | None) -> list[Tuned]:
    from pipelines import competitions
    from pipelines.configuration.tuned_values import find

    return find(competitions.load_competition(name), Path(), _named(members))


def _console(*, stderr: bool = False) -> Console:
    from pipelines.console import terminal

    return terminal(stderr=stderr)
