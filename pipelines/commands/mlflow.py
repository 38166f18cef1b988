"""`foldwise mlflow` and `foldwise sync`: the MLflow page, and what a server has missed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.options import console


def mlflow(
    port: Annotated[int | None, typer.Option(metavar="PORT", help="default: a free one")] = None,
) -> None:
    """Open the MLflow page, with every run, score and figure."""
    from pipelines.tracking.server import serve

    raise typer.Exit(serve(Path(), port))


def sync(
    everything: Annotated[
        bool, typer.Option("--all", help="every finished run, also those made without a server")
    ] = False,
) -> None:
    """Send to the server of MLFLOW_TRACKING_URI what it has missed, nothing twice."""
    from pipelines.console import Narrator
    from pipelines.runs.sync import sync as send

    send(Path(), Narrator(console()), everything=everything)
