"""The page at the end of a study: both scores, and where everything is."""

from __future__ import annotations

import os

from rich.console import Console
from rich.table import Table

from pipelines.configuration import tuned_values
from pipelines.console import plain_table, print_line, print_lines, print_table
from pipelines.tuning.results import Scored, Tuning
from pipelines.tuning.study import Trial

HONESTY = (
    ("honest?", "the score on the tuning folds is optimistic: it chose the values;"),
    ("", "the scoring folds are those of a run, from a different seed"),
)


def show(tuning: Tuning, console: Console) -> None:
    """Print the result of one member's study."""
    console.print()
    if tuning.synthetic:
        print_line(console, "synthetic", "made by a generator: the scores below mean nothing")
    best = ", ".join(f"{key} = {_short(value)}" for key, value in tuning.best.values.items())
    print_lines(console, [("trials", _trials(tuning)), ("best", best)])
    print_table(console, _scores(tuning))
    console.print()
    print_lines(console, HONESTY)
    if tuning.gain is not None and tuning.gain <= (tuning.gain_error or 0.0):
        found = "worse" if tuning.gain < 0 else "no better than the noise"
        print_line(
            console,
            "warning",
            f"on the scoring folds the tuned values are {found}: a run keeps the defaults",
        )
    print_lines(console, _places(tuning))


def _trials(tuning: Tuning) -> str:
    study = tuning.study
    counts = [f"{len(study.trials)} trials", f"{study.n_pruned} pruned"]
    if study.n_failed:
        counts.append(f"{study.n_failed} interrupted, not counted")
    return f"{' · '.join(counts)} · {tuning.seconds:.1f} s   study {study.name}"


def _scores(tuning: Tuning) -> Table:
    headings = ["tuning folds", "scoring folds", "better by"]
    table = plain_table([f"{tuning.member}, {tuning.metric}"], headings)
    table.add_row("file's defaults", _tried(tuning.default_trial), _scored(tuning.default), "")
    gain = "" if tuning.gain is None else f"{tuning.gain:+.4f}"
    gain += "" if tuning.gain_error is None else f" ± {tuning.gain_error:.4f}"
    table.add_row("tuned", _tried(tuning.best), _scored(tuning.tuned), gain)
    return table


def _tried(trial: Trial | None) -> str:
    return "pruned" if trial is None or trial.score is None else f"{trial.score:.4f}"


def _scored(scored: Scored | None) -> str:
    return "not scored" if scored is None else f"{scored.mean:.4f} ± {scored.std:.4f}"


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _places(tuning: Tuning) -> list[tuple[str, str]]:
    figures = os.path.commonpath(tuning.figures) if tuning.figures else "none"
    return [
        ("tuned file", str(tuning.folder / tuned_values.FILE)),
        ("figures", f"{figures}   {len(tuning.figures)} pictures"),
        ("mlflow run", tuning.mlflow_run_id or "not tracked"),
        ("next", f"foldwise run {tuning.competition}"),
    ]
