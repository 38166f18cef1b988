"""Puts a run's CSV where a person looks for it, and the run into the ledger."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

from pipelines.stages.submission import CSV
from pipelines.workspace.summary import Summary
from submissions import ledger
from submissions.ledger import FILE as LEDGER


def csv_path(competition: str, run_id: str) -> Path:
    """Where the CSV of a run lies, seen from the workspace."""
    return Path("submissions") / competition / f"{run_id}.csv"


def copies(summary: Summary, folder: Path, root: Path, out: Path | None) -> None:
    """Copy the CSV to `submissions/` (and `out`), and note the run in the ledger once."""
    made = folder / "stages" / "submission" / CSV
    for target in (root / summary.submission, out):
        if target is not None:
            _copy(made, target)
    note(summary, root)


def note(summary: Summary, root: Path) -> None:
    """Note the run in the ledger, unless it stands there."""
    book = root / LEDGER
    if summary.run not in {entry.run for entry in ledger.read(book)}:
        ledger.append(book, _entry(summary))


def _copy(source: Path, target: Path) -> None:
    """A whole copy or none: written beside the target, then renamed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.writing")
    try:
        shutil.copyfile(source, temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _entry(summary: Summary) -> ledger.Entry:
    keys = ("run", "competition", "source", "synthetic", "metric", "greater_is_better", "cv")
    told = {key: getattr(summary, key) for key in keys}
    return ledger.Entry(
        **told,
        cv_std=summary.cv_std,
        local_score=summary.local_score,
        submission=summary.submission,
        sha256=summary.submission_sha256,
        time_utc=datetime.now(UTC),
    )
