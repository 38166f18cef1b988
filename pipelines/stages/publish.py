"""Puts a run's CSV where a person looks for it, and notes the run in the ledger."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.workspace import files
from pipelines.workspace.layout import RunLayout, Workspace
from pipelines.workspace.stage_files import SubmissionFiles
from submissions import ledger

if TYPE_CHECKING:
    from pipelines.workspace.summary import Summary


def copies(summary: Summary, folder: Path, root: Path, out: Path | None) -> None:
    """Copy the CSV to `submissions/` and to `out`, and note the run in the ledger.

    Args:
        summary: Of a finished run.
        folder: The run's.
        root: The workspace.
        out: Where the person wants another copy.
    """
    made = SubmissionFiles(RunLayout(folder).submission).csv
    for target in (root / summary.submission, out):
        if target is not None:
            files.copy(made, target)
    note(summary, root)


def note(summary: Summary, root: Path) -> None:
    """Note the run in the ledger, unless it is there already."""
    book = Workspace(root).ledger
    if summary.run not in {entry.run for entry in ledger.read(book)}:
        ledger.append(book, _entry(summary))


def _entry(summary: Summary) -> ledger.Entry:
    keys = ("run", "competition", "source", "synthetic", "metric", "greater_is_better", "cv")
    same = {key: getattr(summary, key) for key in keys}
    return ledger.Entry(
        **same,
        cv_std=summary.cv_std,
        local_score=summary.local_score,
        submission=summary.submission,
        sha256=summary.submission_sha256,
        time_utc=datetime.now(UTC),
    )
