"""The page at the end of a run: its scores, its members, and where everything lies."""

from __future__ import annotations

import os

from rich.console import Console
from rich.table import Table

from models.ensembling.selection import BEST_MEMBER
from pipelines.console import SEPARATOR, plain_table, print_line, print_lines, print_table
from pipelines.runs import blend_page
from pipelines.workspace.summary import BLEND, FurtherLine, Summary

TENTHS_BELOW_S = 100  # a shorter run's seconds have a decimal
OUT = "the same command with --out FILE.csv puts the submission there too"


def next_commands(summary: Summary) -> tuple[str, ...]:
    """What a person would type next."""
    report = f"foldwise report {summary.run}"
    commands = (report, "foldwise mlflow", f"foldwise runs {summary.competition}")
    is_kaggles = summary.source != "sample" and summary.local_score is None
    is_kaggles &= summary.takes_submissions
    return (*commands, f"foldwise submit {summary.competition}") if is_kaggles else commands


def show(summary: Summary, console: Console) -> None:
    """Print the page at the end of a run."""
    console.print()
    if summary.synthetic:
        print_line(console, "synthetic", "made by a generator: the scores below mean nothing")
    print_lines(console, _scores(summary))
    is_blend = summary.kind == "blend"
    print_table(console, blend_page.members(summary) if is_blend else _members(summary))
    console.print()
    if len(summary.ways) > 1:
        print_table(console, blend_page.methods(summary) if is_blend else _candidates(summary))
        console.print()
    print_lines(console, _time(summary))
    print_lines(console, _tuned(summary))
    print_lines(console, _places(summary))
    for index, command in enumerate((*next_commands(summary), OUT)):
        print_line(console, "" if index else "next", command)


def _scores(summary: Summary) -> list[tuple[str, str]]:
    how = f"{summary.folds}, each {_predicted(summary)} the others"
    if summary.kind == "blend":
        how = blend_page.how_scored(summary)
    spread = f"{summary.cv:.4f} ± {summary.cv_std:.4f}"
    scores = [(summary.metric, f"{spread}   cross-validated: {how}")]
    if summary.cv_new is not None:
        share = f"{summary.known_share:.1%} of the test rows are training rows"
        rows = f"on rows that are new; {share}, and count as correct"
        scores.append(("of these", f"{summary.cv_new:.4f}            {rows}"))
    if summary.local_score is not None:
        rows = f"on {summary.n_held_back:,} held-back rows that were never trained on"
        scores.append(("held back", f"{summary.local_score:.4f}            {rows}"))
    return scores + [_further(line) for line in summary.also]


def _further(line: FurtherLine) -> tuple[str, str]:
    held_back = "" if line.local_score is None else f"; held back {line.local_score:.4f}"
    return line.metric, f"{line.cv:.4f} ± {line.cv_std:.4f}   as well{held_back}"


def _predicted(summary: Summary) -> str:
    if summary.way == BLEND:
        return "blended by weights from"
    if summary.way == BEST_MEMBER:
        return "predicted by the best member on"
    return f"predicted by {summary.way}, fitted to"


def _members(summary: Summary) -> Table:
    further = [line.metric for line in summary.also]
    table = plain_table(["member"], [summary.metric, "± folds", "weight", *further])
    table.columns[0].min_width = 9
    for member in summary.members:
        numbers = (f"{member.score:.4f}", f"{member.std:.4f}", f"{member.weight:.2f}")
        table.add_row(member.name, *numbers, *(f"{score:.4f}" for score in member.also))
    return table


def _candidates(summary: Summary) -> Table:
    """The candidates for the ensemble, the best first, each compared with the blend.

    The error is the standard error of the difference.
    """
    table = plain_table(["ensemble"], [summary.metric, "± folds", "better by", "± error"])
    sign = 1 if summary.greater_is_better else -1
    blend = summary.ways[0].score
    for candidate in sorted(summary.ways, key=lambda line: -sign * line.score):
        gain = sign * (candidate.score - blend)
        error = "" if candidate.error is None else f"{candidate.error:.4f}"
        compared = ("", "") if candidate.name == BLEND else (f"{gain:+z.4f}", error)
        table.add_row(candidate.name, f"{candidate.score:.4f}", f"{candidate.std:.4f}", *compared)
    return table


def _tuned(summary: Summary) -> list[tuple[str, str]]:
    return [
        (
            "tuned",
            f"{line.name}: best of {line.n_trials} trials; {line.score:.4f} on the tuning folds is "
            "optimistic, the scores above are not",
        )
        for line in summary.tuned
    ]


def _time(summary: Summary) -> list[tuple[str, str]]:
    """How the time limit was kept, and what had no time."""
    line = summary.time
    if line is None:
        return []
    after = "" if line.after_s is None else f", report and figures {line.after_s:.1f} s more"
    kept = f"{line.within_s:.1f} s of {line.limit_s:g} s to the submission{after}"
    facts = [("time limit", kept)]
    if line.ended != "planned":
        why = "time was up" if line.ended == "time" else "interrupted"
        facts.append(("", f"{why}: this is the last submission so far; its score is honest"))
    if line.left_out:
        facts.append(("", f"no time for {', '.join(line.left_out)}"))
    if line.ended == "interrupted":
        facts.append(("", f"type foldwise report {summary.run} for its report and figures"))
    return facts


def _places(summary: Summary) -> list[tuple[str, str]]:
    figures = os.path.commonpath(summary.figures) if summary.figures else "none"
    drawn = ("figures", f"{figures}   {len(summary.figures)} pictures")
    return [
        ("seconds", _seconds(summary)),
        ("submission", f"{summary.submission}   {summary.n_rows:,} rows, checked"),
        *([] if summary.kind == "blend" else [drawn]),
        ("report", f"runs/{summary.competition}/{summary.run}/report.html"),
        ("mlflow run", summary.mlflow_run_id or "not tracked"),
    ]


def _seconds(summary: Summary) -> str:
    """The seconds of each stage, over all its parts, and of the whole run, which is their sum.

    What is less than the last digit, and what belongs to no stage, is `other`.
    """
    unit = 0.1 if summary.seconds < TENTHS_BELOW_S else 1.0
    whole = round(summary.seconds / unit)
    shown = {name: round(s / unit) for name, s in _by_stage(summary).items()}
    shown = {name: count for name, count in shown.items() if count}
    rest = whole - sum(shown.values())
    if rest < 0:  # by rounding, or stages of an earlier version's run that earlier runs had made
        shown = _less(shown, -rest) if -rest <= len(shown) else {}
    elif rest > 0:
        shown["other"] = rest
    counts = shown | {"all": whole}
    digits = 1 if unit < 1 else 0
    return SEPARATOR.join(f"{name} {count * unit:.{digits}f}" for name, count in counts.items())


def _by_stage(summary: Summary) -> dict[str, float]:
    """The seconds of each stage in this run, over all its parts."""
    stages: dict[str, float] = {}
    for part, seconds in (summary.spent or summary.stage_seconds).items():
        stage = part.split("-")[0]
        stages[stage] = stages.get(stage, 0.0) + seconds
    return stages


def _less(counts: dict[str, int], n_too_many: int) -> dict[str, int]:
    """The counts with the largest one lessened."""
    largest = max(counts, key=lambda name: counts[name])
    return counts | {largest: counts[largest] - n_too_many}
