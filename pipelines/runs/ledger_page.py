"""The ledger as a table: the cross-validated and the Kaggle scores of every run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from pipelines.console import SEPARATOR, wrapped
from pipelines.program import as_typed
from pipelines.workspace.layout import Workspace
from submissions import ledger
from submissions.ledger import Entry

FIGURE = "cv-and-public.png"
LEFT = ("run", "competition", "source", "metric")
HEADINGS = (*LEFT, "cv", "± folds", "local", "public", "private", "sent")
# In a narrow terminal these leave the row one after the other.
MOVABLE = ("source", "sent", "private", "metric", "local", "public", "competition", "± folds")
NOTHING = "-"
GAP, INDENT = 2, 4  # columns
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
    for line in wrapped(console, f"{name}: {finding}", 0):
        console.print(Text(line), soft_wrap=True)


def _print_runs(console: Console, entries: Sequence[Entry]) -> None:
    """Print a row for each run; what a terminal has no room for stands below the row, in words."""
    rows = [_cells(entry) for entry in entries]
    moved = _moved(rows, console.width) if console.is_terminal else []
    kept = [heading for heading in rows[0] if heading not in moved]
    widths = {name: max(len(name), *(len(row[name]) for row in rows)) for name in kept}
    console.print(Text(_row({name: name for name in kept}, widths), "bold"), soft_wrap=True)
    for row in rows:
        console.print(Text(_row(row, widths)), soft_wrap=True)
        details = [f"{name} {row[name]}" for name in moved if row[name] != NOTHING]
        if details:
            for line in wrapped(console, SEPARATOR.join(details), INDENT):
                console.print(Text(" " * INDENT + line), soft_wrap=True)


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
