"""`foldwise compare-losses`: three forms of one loss, measured on a competition's network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from pipelines.commands.options import Name, Sets, Settings, Source, Track, console, grouped


@dataclass(frozen=True)
class LossOptions:
    """What is measured, and on which files."""

    source: Source = "auto"
    member: Annotated[
        str | None, typer.Option(metavar="NAME", help="the network to train; default: the first")
    ] = None
    steps: Annotated[int, typer.Option(metavar="N", min=2, help="steps of each trial")] = 300
    set_: Sets = None
    track: Track = True


@grouped
def compare_losses(name: Name, options: LossOptions) -> None:
    """Compare CrossEntropyLoss, LogSoftmax + NLLLoss and the naive formula."""
    competition = Settings(set_=options.set_).apply(name, [])
    from pipelines.compare_losses import compare as losses
    from pipelines.console import Narrator

    request = losses.CompareLossesRequest(
        source=options.source, member=options.member, n_steps=options.steps, track=options.track
    )
    page = console()
    losses.show(losses.compare_losses(competition, request, Narrator(page)), page)
