"""The ledger as a table: the cross-validated and the Kaggle scores of every run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pipelines.console import plain_table
from pipelines.workspace.layout import Workspace
from submissions import ledger
from submissions.ledger import Entry

FIGURE = "cv-and-public.png"
HEADINGS = ("run", "competition", "source", "metric")
SCORE_HEADINGS = ("cv", "± folds", "local", "public", "private", "sent")
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
        console.print(f"no runs yet; type `foldwise run {competition or 'titanic'}`", markup=False)
        return
    newest_first = entries[::-1]
    console.print(_table(newest_first if sort == "newest" else sorted(newest_first, key=_rank)))
    for name in sorted({entry.competition for entry in entries}):
        _print_trust(console, root, [e for e in entries if e.competition == name])


def _rank(entry: Entry) -> tuple[str, float]:
    return entry.competition, -entry.cv if entry.greater_is_better else entry.cv


def _print_trust(console: Console, root: Path, entries: Sequence[Entry]) -> None:
    """Draw cv against public score if Kaggle has scored enough runs."""
    scored = [e for e in entries if e.public_score is not None and not e.synthetic]
    if not scored:
        return
    from pipelines.figures import ledger as ledger_figure

    name = scored[0].competition
    if len(scored) < ledger_figure.MIN_SCORED:
        finding = f"{len(scored)} with a public score; {ledger_figure.MIN_SCORED} give a figure"
    else:
        figure = Workspace(root).submissions(name) / FIGURE
        finding = f"{ledger_figure.draw(scored, figure)}; see {figure}"
    console.print(f"{name}: {finding}", markup=False, highlight=False, soft_wrap=True)


def _table(entries: Sequence[Entry]) -> Table:
    table = plain_table(HEADINGS, SCORE_HEADINGS, gap=2)
    for column in table.columns:
        column.overflow = "fold"
    for entry in entries:
        source = "synthetic" if entry.synthetic else entry.source
        scores = (entry.cv, entry.cv_std, entry.local_score, entry.public_score)
        numbers = [_number(score) for score in (*scores, entry.private_score)]
        table.add_row(entry.run, entry.competition, source, entry.metric, *numbers, _sent(entry))
    return table


def _number(score: float | None) -> str:
    return "-" if score is None else f"{score:.4f}"


def _sent(entry: Entry) -> str:
    if entry.submitted_utc is None:
        return "-"
    return "refused" if entry.refused else f"{entry.submitted_utc:%Y-%m-%d}"
