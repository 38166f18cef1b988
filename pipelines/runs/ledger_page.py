"""The ledger as a table: the cross-validated and the Kaggle scores of every run."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from pipelines.console import SEPARATOR, print_line, print_lines, wrapped
from pipelines.faults import Attempt, reason
from pipelines.program import as_typed
from pipelines.workspace.finished_runs import NoRunError, by_id_or_competition
from pipelines.workspace.layout import Workspace
from pipelines.workspace.summary import Summary
from submissions import ledger
from submissions.ledger import Entry

FIGURE = "cv-and-public.png"
LEFT = ("run", "competition", "source", "metric")
HEADINGS = (*LEFT, "cv", "± folds", "local", "public", "private", "sent")
# In a narrow terminal these leave the row one after the other.
MOVABLE = ("source", "sent", "private", "metric", "local", "public", "competition", "± folds")
NOTHING = "-"
GAP, INDENT = 2, 4  # columns
MOST_SETTINGS, MOST_MEMBERS = 6, 8  # of a run, that are listed
SORTS = ("newest", "best")


class SortError(ValueError):
    """An order of runs that is not supported."""

    exit_code = 2


def show_ledger(
    console: Console, root: Path, *, competition: str | None, sort: str = "newest"
) -> None:
    """Print the runs, of one competition if it is named, and how well cv predicts public scores.

    Args:
        console: Where to print.
        root: The folder that holds `submissions/`.
        competition: Its name, or None for all.
        sort: `newest` or `best` first; best is by cross-validated score within a competition.

    Raises:
        SortError: `sort` is another word.
    """
    if sort not in SORTS:
        raise SortError(f"--sort takes {' or '.join(SORTS)}, found {sort!r}")
    entries = [
        e for e in ledger.read(Workspace(root).ledger) if competition in (None, e.competition)
    ]
    if not entries:
        again = as_typed(f"no runs yet; type `foldwise run {competition or 'titanic'}`")
        console.print(Text(again), soft_wrap=True)
        return
    newest_first = entries[::-1]
    _print_runs(console, newest_first if sort == "newest" else sorted(newest_first, key=_rank))
    for name in sorted({entry.competition for entry in entries}):
        _print_trust(console, root, [e for e in entries if e.competition == name])


def show_run(console: Console, root: Path, name: str) -> None:
    """Print the page of a finished run again.

    Args:
        console: Where to print.
        root: The folder that holds `runs/`.
        name: The run's id, or a competition for its newest run.

    Raises:
        NoRunError: There is none; names the nearest id or competition.
    """
    from pipelines.runs import summary_page

    run = by_id_or_competition(Workspace(root), name)
    summary = Summary.read(run.folder)
    if summary is None:  # removed between the two looks
        raise NoRunError(f"no finished run {name!r} any more; type foldwise runs to list them")
    entries = {(e.competition, e.run): e for e in ledger.read(Workspace(root).ledger)}
    print_line(console, "run", run.run_id)
    if (entry := entries.get((run.competition, run.run_id))) is not None:
        print_lines(console, [("", text) for text in _label(entry, with_members=False)])
    summary_page.show(summary, console)


def _rank(entry: Entry) -> tuple[str, float]:
    if entry.cv is None:  # made elsewhere
        return entry.competition, math.inf
    return entry.competition, -entry.cv if entry.greater_is_better else entry.cv


def _print_trust(console: Console, root: Path, entries: Sequence[Entry]) -> None:
    """Draw cv against public score if Kaggle has scored enough runs."""
    has_both = (e for e in entries if None not in (e.cv, e.public_score))
    scored = [entry for entry in has_both if not entry.synthetic]
    if not scored:
        return
    from pipelines.figures import ledger as ledger_figure

    name = scored[0].competition
    if len(scored) < ledger_figure.MIN_SCORED:
        finding = f"{len(scored)} with a public score; {ledger_figure.MIN_SCORED} give a figure"
    else:
        figure = Workspace(root).submissions(name) / FIGURE
        with Attempt() as drawing:
            finding = f"{ledger_figure.draw(scored, figure)}; see {figure}"
        if drawing.error is not None:
            finding = f"no figure of cv against public score: {reason(drawing.error)}"
    for line in wrapped(console, f"{name}: {finding}", 0):
        console.print(Text(line), soft_wrap=True)


def _print_runs(console: Console, entries: Sequence[Entry]) -> None:
    """Print a row for each run; what a terminal has no room for stands below the row, in words."""
    rows, labels = [_cells(entry) for entry in entries], _labels(entries)
    moved = _moved(rows, console.width) if console.is_terminal else []
    kept = [heading for heading in rows[0] if heading not in moved]
    widths = {name: max(len(name), *(len(row[name]) for row in rows)) for name in kept}
    console.print(Text(_row({name: name for name in kept}, widths), "bold"), soft_wrap=True)
    for row, label in zip(rows, labels, strict=True):
        details = [f"{name} {row[name]}" for name in moved if row[name] != NOTHING]
        below = wrapped(console, SEPARATOR.join([*label, *details]), INDENT)
        if not console.is_terminal:
            console.print(
                Text("  ".join([_row(row, widths), *filter(None, below)])), soft_wrap=True
            )
            continue
        console.print(Text(_row(row, widths)), soft_wrap=True)
        for line in filter(None, below):
            console.print(Text(" " * INDENT + line), soft_wrap=True)


def _labels(entries: Sequence[Entry]) -> list[list[str]]:
    """What tells each run from the others: note, members where they differ, settings."""
    members: dict[str, set[tuple[str, ...]]] = {}
    for entry in entries:
        members.setdefault(entry.competition, set()).add(entry.members)
    return [_label(entry, with_members=len(members[entry.competition]) > 1) for entry in entries]


def _label(entry: Entry, *, with_members: bool) -> list[str]:
    settings = [f"{key} = {json.dumps(value)}" for key, value in entry.settings.items()]
    n_more = len(settings) - MOST_SETTINGS
    if n_more > 0:
        settings[MOST_SETTINGS:] = [f"{n_more} more settings"]
    names = list(entry.members)
    if len(names) > MOST_MEMBERS:
        names[MOST_MEMBERS:] = [f"{len(names) - MOST_MEMBERS} more"]
    members = f"members {', '.join(names)}" if with_members and names else ""
    return [part for part in (entry.note, members, ", ".join(settings)) if part]


def _cells(entry: Entry) -> dict[str, str]:
    """A run's cells by heading, those of `LEFT` first."""
    source = "synthetic" if entry.synthetic else entry.source
    names = (entry.run, entry.competition, source, entry.metric)
    scores = (entry.cv, entry.cv_std, entry.local_score, entry.public_score, entry.private_score)
    numbers = map(_number, scores)
    return dict(zip(HEADINGS, (*names, *numbers, _sent(entry)), strict=True))


def _moved(rows: Sequence[Mapping[str, str]], width: int) -> list[str]:
    """The headings whose cells do not fit into the width: empty ones, then by importance."""
    moved: list[str] = []
    for heading in sorted(MOVABLE, key=lambda name: any(row[name] != NOTHING for row in rows)):
        kept = [name for name in HEADINGS if name not in moved]
        needed = (max(len(name), *(len(row[name]) for row in rows)) + GAP for name in kept)
        if sum(needed) - GAP <= width:
            break
        moved.append(heading)
    return [name for name in HEADINGS if name in moved]


def _row(cells: Mapping[str, str], widths: Mapping[str, int]) -> str:
    texts = (
        f"{cells[name]:{'<' if name in LEFT else '>'}{width}}" for name, width in widths.items()
    )
    return (" " * GAP).join(texts).rstrip()


def _number(score: float | None) -> str:
    return NOTHING if score is None else f"{score:.4f}"


def _sent(entry: Entry) -> str:
    if entry.submitted_utc is None:
        return NOTHING
    return "refused" if entry.refused else f"{entry.submitted_utc:%Y-%m-%d}"
