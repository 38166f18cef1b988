"""The ledger as a table: what each run promised, and what it got."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from submissions import ledger
from submissions.ledger import Entry

FILE = Path("submissions") / "ledger.jsonl"
HEADINGS = ("run", "competition", "source", "metric", "cv", "± folds", "local", "public", "private")


def show_ledger(console: Console, root: Path, *, competition: str | None) -> None:
    """Print the runs, newest first; of one competition where it is named."""
    entries = [e for e in ledger.read(root / FILE) if competition in (None, e.competition)]
    if not entries:
        console.print(f"no runs yet; type `foldwise run {competition or 'titanic'}`", markup=False)
        return
    console.print(_table(entries[::-1]))


def _table(entries: Sequence[Entry]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for heading in HEADINGS:
        numeric = heading in HEADINGS[4:]
        table.add_column(heading, justify="right" if numeric else "left", overflow="fold")
    for entry in entries:
        source = "synthetic" if entry.synthetic else entry.source
        scores = (entry.cv, entry.cv_std, entry.local_score, entry.public_score)
        numbers = [_number(score) for score in (*scores, entry.private_score)]
        table.add_row(entry.run, entry.competition, source, entry.metric, *numbers)
    return table


def _number(score: float | None) -> str:
    return "-" if score is None else f"{score:.4f}"
