"""The ledger as a table: what each run promised, and what it got."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pipelines.workspace.layout import Workspace
from submissions import ledger
from submissions.ledger import Entry

FIGURE = "cv-and-public.png"
HEADINGS = (
    *("run", "competition", "source", "metric", "cv", "± folds", "local", "public", "private"),
    "sent",
)
N_WITHOUT_NUMBERS = 4
SORTS = ("newest", "best")


class SortError(ValueError):
    """An order that the ledger does not know."""

    exit_code = 2


def show_ledger(
    console: Console, root: Path, *, competition: str | None, sort: str = "newest"
) -> None:
    """Print the runs, of one competition where it is named, and how far cv can be trusted.

    Args:
        console: where to.
        root: the folder that holds `submissions/`.
        competition: its name, or None for all.
        sort: `newest` or `best` first; best is by cross-validated score within a competition.

    Raises:
        SortError: another word for `sort`.
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
        _tell_trust(console, root, [e for e in entries if e.competition == name])


def _rank(entry: Entry) -> tuple[str, float]:
    return entry.competition, -entry.cv if entry.greater_is_better else entry.cv


def _tell_trust(console: Console, root: Path, entries: Sequence[Entry]) -> None:
    """Draw cv against public score, where Kaggle has scored enough runs for it."""
    scored = [e for e in entries if e.public_score is not None and not e.synthetic]
    if not scored:
        return
    from pipelines.figures import ledger as ledger_figure

    name = scored[0].competition
    if len(scored) < ledger_figure.MIN_SCORED:
        told = f"{len(scored)} with a public score; {ledger_figure.MIN_SCORED} give a figure"
    else:
        figure = Workspace(root).submissions(name) / FIGURE
        told = f"{ledger_figure.draw(scored, figure)}; see {figure}"
    console.print(f"{name}: {told}", markup=False, highlight=False, soft_wrap=True)


def _table(entries: Sequence[Entry]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for heading in HEADINGS:
        numeric = heading in HEADINGS[N_WITHOUT_NUMBERS:]
        table.add_column(heading, justify="right" if numeric else "left", overflow="fold")
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
