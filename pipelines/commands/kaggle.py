"""`foldwise kaggle run`: a notebook on Kaggle's machine, from the push to its score."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from pipelines.commands.notebook import KINDS
from pipelines.commands.options import Name, console, grouped, patience

LONGEST_SESSION_S = 12 * 3600


@dataclass(frozen=True)
class KaggleOptions:
    """What runs there, on what, and what becomes of its result."""

    kind: Annotated[
        str | None,
        typer.Option(
            metavar="train|predict",
            help="train there, or predict there with a run's models; default: predict if RUN-ID",
        ),
    ] = None
    folder: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="push this notebook of yours; default: a new one"),
    ] = None
    accelerator: Annotated[
        str | None, typer.Option(metavar="ID", help="as Kaggle calls it, e.g. NvidiaTeslaT4")
    ] = None
    public: Annotated[bool, typer.Option("--public", help="everybody may see it")] = False
    again: Annotated[bool, typer.Option("--again", help="push also what has run there already")] = (
        False
    )
    wait: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="how long to wait for its end")
    ] = LONGEST_SESSION_S
    submit: Annotated[bool, typer.Option("--submit", help="submit its result, once")] = False
    message: Annotated[
        str | None, typer.Option(metavar="TEXT", help="of the submission; default: run and score")
    ] = None
    yes: Annotated[bool, typer.Option("--yes", help="submit without asking")] = False


def group(context: typer.Context) -> None:
    """Run a competition on Kaggle's machines."""
    if context.invoked_subcommand is None:
        print(context.get_help())


@grouped
def run(
    context: typer.Context,
    name: Name,
    options: KaggleOptions,
    run_id: Annotated[
        str | None, typer.Argument(metavar="[RUN-ID]", help="a finished run, or best")
    ] = None,
) -> None:
    """Run a competition on Kaggle's machine: push, follow, fetch, check, submit.

    Pushes what `foldwise notebook` writes, private, and takes its run into the workspace. The same
    command resumes; what runs there already is not pushed again.
    """
    from pipelines.console import Narrator
    from pipelines.notebooks.kaggle_run import KaggleRunRequest, run_on_kaggle
    from pipelines.runs.submit import SubmitRequest

    kind = options.kind or ("predict" if run_id else "train")
    if kind not in KINDS:
        raise typer.BadParameter(f"--kind is train or predict, found {kind!r}")
    how = SubmitRequest(message=options.message, yes=options.yes, patience=patience(context))
    request = KaggleRunRequest(
        kind=cast(Literal["train", "predict"], kind),
        run_id=run_id,
        folder=options.folder,
        accelerator=options.accelerator,
        public=options.public,
        again=options.again,
        wait_s=options.wait,
        submit=how if options.submit else None,
        patience=patience(context),
    )
    run_on_kaggle(name, request, Narrator(console()))
