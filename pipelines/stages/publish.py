"""Puts a run's CSV where a person looks for it, and notes the run in the ledger."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.workspace import files
from pipelines.workspace.layout import RunLayout, Workspace
from pipelines.workspace.stage_files import SubmissionFiles
from submissions import ledger

if TYPE_CHECKING:
    from pipelines.workspace.summary import Summary


@dataclass(frozen=True)
class Label:
    """What tells a run from others in the ledger.

    Attributes:
        note: What a person wrote of it; None to leave what the ledger has.
        settings: By key, those that differ from the competition's file.
    """

    note: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


def copies(summary: Summary, folder: Path, root: Path, out: Path | None) -> None:
    """Copy the CSV to `submissions/` and to `out`.

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


def note(summary: Summary, root: Path, label: Label | None = None) -> None:
    """Note the run in the ledger; of one that is there already only a new note."""
    book, label = Workspace(root).ledger, label or Label()
    known = {(entry.competition, entry.run): entry for entry in ledger.read(book)}
    earlier = known.get((summary.competition, summary.run))
    if earlier is None:
        ledger.append(book, _entry(summary, label))
    elif label.note is not None and label.note != earlier.note:
        noted = ledger.Scores(run=summary.run, competition=summary.competition, note=label.note)
        ledger.update_scores(book, noted)


def _entry(summary: Summary, label: Label) -> ledger.Entry:
    keys = ("run", "competition", "source", "synthetic", "metric", "greater_is_better", "cv")
    same = {key: getattr(summary, key) for key in keys}
    return ledger.Entry(
        **same,
        note=label.note or "",
        members=tuple(member.name for member in summary.members),
        settings=json.loads(json.dumps(dict(label.settings))),
        cv_std=summary.cv_std,
        local_score=summary.local_score,
        submission=summary.submission,
        sha256=summary.submission_sha256,
        time_utc=datetime.now(UTC),
    )
