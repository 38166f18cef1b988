"""The options of `foldwise` itself, before any command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EPILOG = "--debug and --competitions may stand anywhere, behind a command too."
EPILOG_OF_COMMANDS = "Every command also takes --debug and --competitions DIR: see foldwise -h."


def installed_version() -> str:
    """The version that is installed, or that of the checkout where nothing is."""
    import importlib.metadata
    import tomllib

    try:
        return importlib.metadata.version("foldwise")
    except importlib.metadata.PackageNotFoundError:
        text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
        return str(tomllib.loads(text)["project"]["version"])


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it so
    if wanted:
        print(f"foldwise {installed_version()}")
        raise typer.Exit


def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    competitions: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Competition files beside those in ./competitions."),
    ] = None,
) -> None:
    """Kaggle pipelines that train every fold and every seed at once."""
    # `pipelines.commands.app` has acted on the last two already, wherever they stood.
    del version, debug, competitions
