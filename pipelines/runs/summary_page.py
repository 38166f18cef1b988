"""The page that ends a run: what a person reads of its summary."""

from __future__ import annotations

import os

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.workspace.summary import BLEND, FurtherLine, Summary


def next_commands(summary: Summary) -> tuple[str, ...]:
    """What a person would type next."""
    report = f"foldwise report {summary.run}"
    commands = (report, "make mlflow", f"foldwise runs {summary.competition}")
    is_kaggles = summary.source != "sample" and summary.local_score is None
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
    if len(summary.ways) > 1:
        console.print(_ways(summary))
        console.print()
    for line in summary.tuned:
        told = f"{line.name}: best of {line.n_trials} trials, {line.score:.4f} on the folds that "
        _line(console, "tuned", f"{told}it was tuned on, which flatters; the scores above do not")
    for label, text in _places(summary):
        _line(console, label, text)
    for index, command in enumerate(next_commands(summary)):
        _line(console, "" if index else "next", command)


def _line(console: Console, label: str, text: str) -> None:
    console.print(Text.assemble((f"{label:<12}", "bold"), text), soft_wrap=True)


def _facts(summary: Summary) -> list[tuple[str, str]]:
    how = f"{summary.folds}, each {_predicted(summary)} from the others"
    spread = f"{summary.cv:.4f} ± {summary.cv_std:.4f}"
    facts = [(summary.metric, f"{spread}   cross-validated: {how}")]
    if summary.cv_new is not None:
        known = f"{summary.known_share:.1%} of the test rows stand in the training file"
        told = f"on rows that are new; {known}, and count as right"
        facts.append(("of these", f"{summary.cv_new:.4f}            {told}"))
    if summary.local_score is not None:
        rows = f"on {summary.n_held_back:,} held-back rows that were never trained on"
        facts.append(("held back", f"{summary.local_score:.4f}            {rows}"))
    return facts + [_further(line) for line in summary.also]


def _further(line: FurtherLine) -> tuple[str, str]:
    held_back = "" if line.local_score is None else f"; held back {line.local_score:.4f}"
    return line.metric, f"{line.cv:.4f} ± {line.cv_std:.4f}   as well{held_back}"


def _predicted(summary: Summary) -> str:
    return "blended by weights" if summary.way == BLEND else f"predicted by {summary.way}, learned"


def _members(summary: Summary) -> Table:
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="bold", pad_edge=False)
    table.add_column("member", min_width=9)
    table.add_column(summary.metric, justify="right")
    table.add_column("± folds", justify="right")
    table.add_column("weight", justify="right")
    for line in summary.also:
        table.add_column(line.metric, justify="right")
    for member in summary.members:
        numbers = (f"{member.score:.4f}", f"{member.std:.4f}", f"{member.weight:.2f}")
        table.add_row(member.name, *numbers, *(f"{score:.4f}" for score in member.also))
    return table


def _ways(summary: Summary) -> Table:
    """The second level's ways, the best first, with what each is better than the blend by."""
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="bold", pad_edge=False)
    for name in ("second level", summary.metric, "± folds", "better by"):
        table.add_column(name, justify="left" if name == "second level" else "right")
    sign = 1 if summary.greater_is_better else -1
    blend = summary.ways[0].score
    for way in sorted(summary.ways, key=lambda way: -sign * way.score):
        gain = sign * (way.score - blend)
        table.add_row(way.name, f"{way.score:.4f}", f"{way.std:.4f}", f"{gain:+.4f}")
    return table


def _places(summary: Summary) -> list[tuple[str, str]]:
    figures = os.path.commonpath(summary.figures) if summary.figures else "none"
    return [
        ("seconds", _seconds(summary)),
        ("submission", f"{summary.submission}   {summary.n_rows:,} rows, checked"),
        ("figures", f"{figures}   {len(summary.figures)} pictures"),
        ("report", f"runs/{summary.competition}/{summary.run}/report.html"),
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
