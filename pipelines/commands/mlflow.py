"""`foldwise sync`: sends to the MLflow server what it has missed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def sync(
    everything: Annotated[
        bool, typer.Option("--all", help="every finished run, also those made without a server")
    ] = False,
) -> None:
    """Send to the server of MLFLOW_TRACKING_URI what it has missed, nothing twice."""
    from rich.console import Console

    from pipelines.console import Narrator
    from pipelines.runs.sync import sync as send

    send(Path(), Narrator(Console()), everything=everything)
