"""`foldwise predict`: predict new rows with a finished run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.commands.json_output import kept_for_json
from pipelines.commands.options import Json, Name, console, grouped

if TYPE_CHECKING:
    from rich.console import Console

    from pipelines.prediction.predict import Prediction


@dataclass(frozen=True)
class PredictOptions:
    """The rows, the run, and where the predictions go."""

    text: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="a text to predict; may be given several times"),
    ] = None
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="rows in the test file's form; ids optional")
    ] = None
    run_id: Annotated[
        str | None, typer.Option("--run", metavar="RUN-ID", help="or best; default: the newest one")
    ] = None
    out: Annotated[Path | None, typer.Option(metavar="CSV", help="write the predictions here")] = (
        None
    )
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="a column for each class in the CSV")
    ] = False
    json: Json = False


@grouped
def predict(name: Name, options: PredictOptions) -> None:
    """Predict new rows with a finished run: texts that you type, or a file."""
    if bool(options.text) == (options.csv is not None):
        found = "both" if options.text else "neither"
        raise typer.BadParameter(
            f"give either --text or --csv, found {found}; "
            f'for example foldwise predict {name} --csv FILE, or --text "some words"'
        )
    notes = console(stderr=True)
    with kept_for_json(is_wanted=options.json):
        made = _made(name, options, notes)
    _print(made, options, notes)


def _made(name: str, options: PredictOptions, notes: Console) -> Prediction:
    """Predict the rows that were asked for."""
    from pipelines import competitions
    from pipelines.console import Narrator
    from pipelines.prediction import new_rows
    from pipelines.prediction.predict import predict as predict_rows
    from pipelines.prediction.predictor import Predictor
    from pipelines.workspace import finished_runs, out, stage_cache
    from pipelines.workspace.layout import RunLayout, Workspace

    out.check(options.out)
    competition = competitions.load_competition(name)
    summary = finished_runs.newest(Workspace(), competition.name, options.run_id)
    if options.csv:
        rows = new_rows.read(competition, options.csv)
    else:
        rows = new_rows.typed(competition, options.text or [])
    folder = Workspace().run(competition.name, summary.run).folder
    stage_cache.check(RunLayout(folder))
    predictor = Predictor.open(folder, competition)
    reason = finished_runs.why(Workspace(), summary, options.run_id)
    return predict_rows(predictor, rows, summary, Narrator(notes), reason=reason)


def _print(prediction: Prediction, options: PredictOptions, notes: Console) -> None:
    """Write the CSV if one is asked for, and print JSON, a table of the texts, or the CSV."""
    answers = prediction.answers
    if options.out is not None:
        from submissions.build import write_csv

        write_csv(answers.table(with_probabilities=options.probabilities), options.out)
        notes.print(f"{len(answers.rows.ids):,} predictions in {options.out}", soft_wrap=True)
    if options.json:
        print(prediction.as_json(), flush=True)
    elif options.text:
        answers.show(console())
    elif options.out is None:
        from submissions.build import csv_text

        table = answers.table(with_probabilities=options.probabilities)
        print(csv_text(table), end="", flush=True)
