"""Finds the finished run that a user names: by its id, or by its competition for the newest."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from pipelines.report.evidence import Evidence
from pipelines.workspace.summary import FILE, Summary


class NoReportError(LookupError):
    """No finished run of that name, or one without a report."""

    exit_code = 2


@dataclass(frozen=True)
class ReportedRun:
    """A finished run with everything that its report shows."""

    folder: Path
    summary: Summary
    evidence: Evidence


def find(root: Path, name: str) -> ReportedRun:
    """The run with that id, or the newest one of that competition.

    Raises:
        NoReportError: There is none, or it was made before runs wrote reports.
    """
    folders = sorted((path.parent for path in (root / "runs").glob(f"*/*/{FILE}")), key=_started)
    found = [f for f in folders if name in (f.name, f.parent.name)]
    if not found:
        names = [f.name for f in folders] + sorted({f.parent.name for f in folders})
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]}?" if near else "type foldwise runs to list them"
        raise NoReportError(f"no finished run {name!r} in {root / 'runs'}; {hint}")
    folder = found[-1]
    summary, evidence = Summary.read(folder), Evidence.read(folder)
    if summary is None or evidence is None:
        raise NoReportError(
            f"run {folder.name} has no report, since it was made before runs wrote them; "
            f"type foldwise run {folder.parent.name} to make one"
        )
    return ReportedRun(folder, summary, evidence)


def _started(folder: Path) -> str:
    """A run's id begins with the second in which it was started."""
    return folder.name
