"""`foldwise new`: a competition file drafted from Kaggle's three files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.commands.options import console, grouped, patience

if TYPE_CHECKING:
    from pipelines.drafting.target import Suggestion


@dataclass(frozen=True)
class DraftOptions:
    """What a person knows of the competition."""

    source: Annotated[
        str | None, typer.Option(metavar="PATH", help="a folder or zip; default: Kaggle")
    ] = None
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="what to call it; default: the slug")
    ] = None
    target: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="the target, where it is not clear")
    ] = None
    metric: Annotated[
        str | None, typer.Option(metavar="METRIC", help="its metric, e.g. auc or rmse")
    ] = None
    force: Annotated[bool, typer.Option("--force", help="replace a file that is there")] = False


@grouped
def new(
    context: typer.Context,
    slug: Annotated[
        str, typer.Argument(metavar="SLUG", help="the last part of the competition's address")
    ],
    options: DraftOptions,
) -> None:
    """Draft a competition file from the training file, test file and sample submission."""
    from pipelines.console import Narrator
    from pipelines.drafting.draft import DraftRequest, draft

    request = DraftRequest(slug=slug, **vars(options))
    narrator = Narrator(console())
    draft(request, narrator, ask=_question(narrator.choose), patience=patience(context))


def _question(
    choose: Callable[[str, str | None], str],
) -> Callable[[Sequence[Suggestion]], str] | None:
    """How to ask for the metric; None where nobody sits at a terminal."""
    from pipelines.console import is_terminal

    if not (is_terminal(sys.stdin) and is_terminal(sys.stdout)):
        return None

    def ask(suggested: Sequence[Suggestion]) -> str:
        reasons = "; ".join(f"{one.metric}: {one.reason}" for one in suggested)
        usual = suggested[0].metric if len(suggested) == 1 else None
        return choose(f"Which metric? ({reasons})", usual)

    return ask
