"""`foldwise clean`: what takes how much room, and what of it may go."""

from __future__ import annotations

from typing import Annotated

import typer

from pipelines.commands.options import console, names_from


def clean(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[COMPETITION]", help="default: all", autocompletion=names_from),
    ] = None,
    keep: Annotated[
        int, typer.Option(metavar="N", min=1, help="how many of the newest runs stay")
    ] = 3,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="remove nothing")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="remove without asking")] = False,
) -> None:
    """Show what takes how much room; remove old runs, raw files and leftovers, after asking.

    What stays: each competition's newest runs, the best, those sent to Kaggle, and their files;
    the ledger, submissions, studies and the MLflow store always.
    """
    from pipelines.console import Narrator
    from pipelines.runs.clean import CleanRequest
    from pipelines.runs.clean import clean as clean_up

    request = CleanRequest(competition=name, n_keep=keep, dry_run=dry_run, yes=yes)
    clean_up(request, Narrator(console()))
