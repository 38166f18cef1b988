"""`foldwise blend`: runs and files of predictions, blended and scored honestly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.commands.json_output import kept_for_json
from pipelines.commands.options import Json, Name, Track, console, grouped, patience

if TYPE_CHECKING:
    from pipelines.blending.request import BlendRequest

PathList = list[Path] | None
TextList = list[str] | None


@dataclass(frozen=True)
class FileOptions:
    """Predictions from elsewhere."""

    oof: Annotated[
        PathList,
        typer.Option(metavar="FILE", help="out-of-fold predictions: CSV, parquet or npy"),
    ] = None
    sub: Annotated[
        PathList,
        typer.Option(metavar="FILE", help="the same model's test predictions, in the same order"),
    ] = None
    pairs: Annotated[
        TextList,
        typer.Option(metavar="'oof_*.csv'", help="all such files, each with sub_*.csv beside it"),
    ] = None
    weights: Annotated[
        TextList,
        typer.Option(
            metavar="FILE=W,FILE=W", help="submissions without out-of-fold ones: unscored"
        ),
    ] = None
    fold_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="columns id and fold: how out-of-fold files were made"),
    ] = None
    claim: Annotated[
        TextList, typer.Option(metavar="FILE=SCORE", help="check the score that a file claims")
    ] = None


@dataclass(frozen=True)
class HowOptions:
    """How the members are blended."""

    method: Annotated[
        str,
        typer.Option(
            metavar="auto|equal|hill|gradient|ranks|ridge|logistic|lightgbm|mlp",
            help="one or several, separated by commas",
        ),
    ] = "auto"
    negative: Annotated[bool, typer.Option("--negative", help="allow negative weights")] = False
    levels: Annotated[
        int, typer.Option(metavar="N", min=1, max=3, help="levels of stacking upon each other")
    ] = 1
    without: Annotated[
        TextList, typer.Option(metavar="NAME", help="leave out a member, a file or a run")
    ] = None
    keep_suspects: Annotated[
        bool, typer.Option("--keep-suspects", help="blend files that look in-sample too")
    ] = False
    no_runs: Annotated[bool, typer.Option("--no-runs", help="blend files alone")] = False


@dataclass(frozen=True)
class OutputOptions:
    """Where the files come from, and what is written."""

    source: Annotated[
        str | None,
        typer.Option(metavar="auto|kaggle|sample|PATH", help="default: as the newest run"),
    ] = None
    out: Annotated[
        Path | None, typer.Option(metavar="CSV", help="write the submission here as well")
    ] = None
    note: Annotated[str | None, typer.Option(metavar="TEXT", help="shown by `foldwise runs`")] = (
        None
    )
    track: Track = True
    json: Json = False


@grouped
def blend(
    context: typer.Context,
    name: Name,
    files: FileOptions,
    how: HowOptions,
    output: OutputOptions,
    runs: Annotated[
        TextList, typer.Argument(metavar="[RUN-ID]...", help="default: all finished runs")
    ] = None,
) -> None:
    """Blend runs and other people's predictions; every method is scored nested."""
    from pipelines import competitions
    from pipelines.blending import unscored_csv
    from pipelines.blending.blend import blend as blend_all
    from pipelines.console import Narrator
    from pipelines.runs.summary_page import show

    request = _request(context, files, how, output, runs or [])
    competition, page = competitions.load_competition(name), console(stderr=output.json)
    with kept_for_json(is_wanted=output.json):
        if unscored_csv.is_by_hand_alone(request):
            made = unscored_csv.write_unscored(competition, request, Narrator(page))
            unscored_csv.show(made, competition, Narrator(page))
            return
        summary = blend_all(competition, request, Narrator(page))
        show(summary, page)
    if output.json:
        print(summary.as_json(), flush=True)


def _request(
    context: typer.Context,
    files: FileOptions,
    how: HowOptions,
    output: OutputOptions,
    runs: Sequence[str],
) -> BlendRequest:
    """What was typed, as the blend takes it."""
    from pipelines.blending import request as asked

    return asked.BlendRequest(
        runs=tuple(runs),
        use_runs=not how.no_runs,
        files=asked.Files(
            oof=tuple(files.oof or ()),
            sub=tuple(files.sub or ()),
            pairs=tuple(files.pairs or ()),
            weights=tuple(files.weights or ()),
            fold_file=files.fold_file,
            claims=tuple(files.claim or ()),
        ),
        how=asked.How(
            method=how.method,
            negative=how.negative,
            levels=how.levels,
            without=tuple(how.without or ()),
            keep_suspects=how.keep_suspects,
        ),
        source=output.source,
        out=output.out,
        track=output.track,
        note=output.note,
        patience=patience(context),
    )
