"""The page at the end of a study: both scores, and where everything is."""

from __future__ import annotations

import os

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.configuration import tuned_values
from pipelines.tuning.results import Scored, Tuning
from pipelines.tuning.study import Trial


def show(tuning: Tuning, console: Console) -> None:
    """Print the result of one member's study."""
    console.print()
    if tuning.synthetic:
        _line(console, "synthetic", "made by a generator: the scores below mean nothing")
    _line(console, "trials", _trials(tuning))
    _line(console, "best", ", ".join(f"{k} = {_short(v)}" for k, v in tuning.best.values.items()))
    console.print(_scores(tuning))
    console.print()
    _line(console, "honest?", "the score on the tuning folds is optimistic: it chose the values;")
    _line(console, "", "the scoring folds are those of a run, from a different seed")
    if tuning.gain is not None and tuning.gain < 0:
        _line(console, "warning", "on the scoring folds the defaults are better: use --no-tuned")
    for label, text in _places(tuning):
        _line(console, label, text)


def _line(console: Console, label: str, text: str) -> None:
    console.print(Text.assemble((f"{label:<12}", "bold"), text), soft_wrap=True)


def _trials(tuning: Tuning) -> str:
    study = tuning.study
    counts = [f"{len(study.trials)} trials", f"{study.n_pruned} pruned"]
    if study.n_failed:
        counts.append(f"{study.n_failed} interrupted, not counted")
    return f"{' · '.join(counts)} · {tuning.seconds:.1f} s   study {study.name}"


def _scores(tuning: Tuning) -> Table:
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="bold", pad_edge=False)
    for name in (f"{tuning.member}, {tuning.metric}", "tuning folds", "scoring folds", "better by"):
        table.add_column(name, justify="left" if name.startswith(tuning.member) else "right")
    table.add_row("file's defaults", _tried(tuning.default_trial), _scored(tuning.default), "")
    gain = "" if tuning.gain is None else f"{tuning.gain:+.4f}"
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
