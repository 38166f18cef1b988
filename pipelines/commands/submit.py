"""`foldwise submit`, `runs`, `pick` and `check`: submissions, scores and the final choice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.options import Name, Source, console, grouped, names_from, patience


@dataclass(frozen=True)
class SubmitOptions:
    """What is sent, and how."""

    message: Annotated[
        str | None, typer.Option(metavar="TEXT", help="default: the run and its score")
    ] = None
    yes: Annotated[bool, typer.Option("--yes", help="send without asking")] = False
    dry_run: Annotated[bool, typer.Option("--dry-run", help="do everything but send")] = False
    wait: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="how long to wait for the score")
    ] = 120


@grouped
def submit(
    context: typer.Context,
    name: Name,
    options: SubmitOptions,
    run_id: Annotated[
        str | None, typer.Argument(metavar="[RUN-ID]", help="default: the newest finished run")
    ] = None,
) -> None:
    """Send a run's CSV to Kaggle, once, and write its score to the ledger."""
    from pipelines import competitions
    from pipelines.console import Narrator
    from pipelines.runs import submit as submitting

    request = submitting.SubmitRequest(
        run_id=run_id,
        message=options.message,
        yes=options.yes,
        dry_run=options.dry_run,
        wait_s=options.wait,
        patience=patience(context),
    )
    submitting.submit(competitions.load_competition(name), request, Narrator(console()))


def runs(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="[COMPETITION]", autocompletion=names_from)
    ] = None,
    sort: Annotated[str, typer.Option(metavar="newest|best", help="which runs first")] = "newest",
    refresh: Annotated[
        bool, typer.Option("--refresh", help="get the competition's scores from Kaggle first")
    ] = False,
    import_: Annotated[
        bool,
        typer.Option("--import", help="the same, and note submissions that were made elsewhere"),
    ] = False,
    show: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="print that run's page again", autocompletion=names_from),
    ] = None,
) -> None:
    """Show the ledger: note, settings and all scores of every run; or one run's page again."""
    from pipelines.runs.ledger_page import show_ledger, show_run

    page = console()
    if show is not None:
        show_run(page, Path(), show)
        return
    if refresh or import_:
        from pipelines import competitions
        from pipelines.console import Narrator
        from pipelines.runs import scores

        if name is None:
            option = "--import" if import_ else "--refresh"
            raise typer.BadParameter(f"{option} needs a COMPETITION")
        competition = competitions.load_competition(name)
        scores.refresh(competition, Path(), Narrator(page), patience(context), imports=import_)
    show_ledger(page, Path(), competition=name, sort=sort)


def leaderboard(context: typer.Context, name: Name) -> None:
    """Show the places around your own, and the days and submissions that are left."""
    from pipelines import competitions
    from pipelines.console import Narrator
    from pipelines.runs import leaderboard_page

    page = console()
    competition = competitions.load_competition(name)
    leaderboard_page.show(competition, page, Narrator(page), patience(context))


def pick(name: Name) -> None:
    """Propose the two final submissions: the best cv, and one as good but most different."""
    from pipelines import competitions
    from pipelines.console import Narrator
    from pipelines.runs import pick as picking

    picking.pick(competitions.load_competition(name), Path(), Narrator(console()))


def check(
    context: typer.Context,
    name: Name,
    csv: Annotated[Path, typer.Argument(metavar="CSV", help="the submission to check")],
    source: Source = "auto",
) -> None:
    """Check a submission's form."""
    from pipelines import competitions
    from pipelines.runs.sendable import check_csv

    n_rows = check_csv(
        competitions.load_competition(name),
        csv,
        source=source,
        root=Path(),
        patience=patience(context),
    )
    print(f"{csv}: {n_rows:,} rows, in the form that Kaggle wants")
