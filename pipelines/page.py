"""The page that ends a run: what a person reads of its summary."""

from __future__ import annotations

import os

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.summary import Summary


def next_commands(summary: Summary) -> tuple[str, ...]:
    """What a person would type next."""
    commands = ("make mlflow", f"foldwise runs {summary.competition}")
    is_kaggles = summary.source != "sample"
    return (*commands, f"foldwise submit {summary.competition}") if is_kaggles else commands


def show(summary: Summary, console: Console) -> None:
    """Print the page that ends a run."""
    console.print()
    if summary.synthetic:
        _line(console, "synthetic", "made by a generator: the scores below mean nothing")
    for label, text in _facts(summary):
        _line(console, label, text)
    console.print(_members(summary))
    console.print()
    for label, text in _places(summary):
        _line(console, label, text)
    for index, command in enumerate(next_commands(summary)):
        _line(console, "" if index else "next", command)


def _line(console: Console, label: str, text: str) -> None:
    console.print(Text.assemble((f"{label:<12}", "bold"), text), soft_wrap=True)


def _facts(summary: Summary) -> list[tuple[str, str]]:
    how = f"{summary.folds}, each blended by weights from the others"
    spread = f"{summary.cv:.4f} ± {summary.cv_std:.4f}"
    facts = [(summary.metric, f"{spread}   cross-validated: {how}")]
    if summary.local_score is not None:
        rows = f"on {summary.n_held_back:,} held-back rows that were never trained on"
        facts.append(("held back", f"{summary.local_score:.4f}            {rows}"))
    return facts


def _members(summary: Summary) -> Table:
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="bold", pad_edge=False)
    table.add_column("member", min_width=9)
    table.add_column(summary.metric, justify="right")
    table.add_column("± folds", justify="right")
    table.add_column("weight", justify="right")
    for member in summary.members:
        numbers = (f"{member.score:.4f}", f"{member.std:.4f}", f"{member.weight:.2f}")
        table.add_row(member.name, *numbers)
    return table


def _places(summary: Summary) -> list[tuple[str, str]]:
    figures = os.path.commonpath(summary.figures) if summary.figures else "none"
    return [
        ("seconds", _seconds(summary)),
        ("submission", f"{summary.submission}   {summary.n_rows:,} rows, checked"),
        ("figures", f"{figures}   {len(summary.figures)} pictures"),
        ("mlflow run", summary.mlflow_run_id or "not tracked"),
    ]


def _seconds(summary: Summary) -> str:
    """What each of the six stages took, over all its parts, and the run with its figures."""
    stages: dict[str, float] = {}
    for part, seconds in summary.stage_seconds.items():
        stage = part.split("-")[0]
        stages[stage] = stages.get(stage, 0.0) + seconds
    told = " · ".join(f"{stage} {seconds:.1f}" for stage, seconds in stages.items())
    return f"{told} · all {summary.seconds:.1f}"
