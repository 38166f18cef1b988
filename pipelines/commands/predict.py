"""`foldwise predict`: what a finished run says of new rows."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pipelines.configuration.competition import Competition
    from pipelines.console import Narrator
    from pipelines.prediction.answers import Answers
    from pipelines.prediction.new_rows import NewRows
    from pipelines.workspace.summary import Summary

PIPE_WIDTH = 140  # columns


def predict(
    name: Annotated[
        str, typer.Argument(metavar="COMPETITION", help="its name: see `foldwise list`")
    ],
    text: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="a text to predict; may be given several times"),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="rows in the test file's form; ids optional")
    ] = None,
    run_id: Annotated[
        str | None, typer.Option("--run", metavar="RUN-ID", help="default: the newest finished one")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="CSV", help="write the predictions here")
    ] = None,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="in the CSV, a column for each class")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="last line of output is one JSON object")
    ] = False,
) -> None:
    """What a finished run says of new rows: a sentence of your own, or a file."""
    if bool(text) == (csv is not None):
        found = "both" if text else "neither"
        raise typer.BadParameter(
            f"give either --text or --csv, found {found}; "
            f'for example foldwise predict {name} --csv FILE, or --text "some words"'
        )
    from rich.console import Console

    from pipelines import competitions
    from pipelines.console import Narrator
    from pipelines.prediction import new_rows
    from pipelines.workspace import finished_runs
    from pipelines.workspace.layout import Workspace

    competition = competitions.load_competition(name)
    summary = finished_runs.newest(Workspace(), competition.name, run_id)
    rows = new_rows.read(competition, csv) if csv else new_rows.typed(competition, text or [])
    told = Console(stderr=True, width=None if sys.stderr.isatty() else PIPE_WIDTH)
    answers, warnings = _answers(competition, rows, summary, Narrator(told))
    if out is not None:
        from submissions.build import write_csv

        write_csv(answers.table(with_probabilities=probabilities), out)
        told.print(f"{len(rows.ids):,} predictions in {out}", soft_wrap=True)
    if json:
        print(answers.as_json(**_of_the_run(summary, warnings)), flush=True)
    elif text:
        wide = None if sys.stdout.isatty() else PIPE_WIDTH
        answers.show(Console(width=wide))
    elif out is None:
        from submissions.build import csv_text

        print(csv_text(answers.table(with_probabilities=probabilities)), end="", flush=True)


def _answers(
    competition: Competition, rows: NewRows, summary: Summary, narrator: Narrator
) -> tuple[Answers, list[str]]:
    """The predictions, and what has to be said of the run that makes them."""
    from pipelines.prediction.answers import Answers
    from pipelines.prediction.predictor import Predictor
    from pipelines.workspace.layout import Workspace

    folder = Workspace().run(competition.name, summary.run).folder
    predictor = Predictor.open(folder, competition)
    score = f"{summary.metric} {summary.cv:.4f} ± {summary.cv_std:.4f} cross-validated"
    narrator.say("run", f"{summary.run}   {score}")
    warnings = []
    if summary.synthetic:
        warnings.append("the run was trained on made-up rows: what it says means nothing")
    start = time.perf_counter()
    with narrator.stages(), narrator.stage("predict") as line:
        probabilities = predictor.predict(rows.table, line.advance)
        if (change := predictor.change()) is not None:
            warnings.append(change)
        line.end(status="", seconds=time.perf_counter() - start)
    if n_known := predictor.n_known(rows.table):
        narrator.say("known", f"{n_known:,} of {len(rows.ids):,} rows have a training row's label")
    for warning in warnings:
        narrator.warn(warning)
    return Answers(predictor.competition, rows, probabilities), warnings


def _of_the_run(summary: Summary, warnings: list[str]) -> dict[str, object]:
    return {
        "competition": summary.competition,
        "run": summary.run,
        "metric": summary.metric,
        "cv": summary.cv,
        "warnings": warnings,
    }
