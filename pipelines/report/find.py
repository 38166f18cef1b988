"""The finished run that a person names: by its id, or by its competition for the newest one."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from pipelines.report.evidence import Evidence
from pipelines.runs.sendable import NoRunError
from pipelines.workspace.summary import FILE, Summary


@dataclass(frozen=True)
class Told:
    """A finished run with all that its report shows."""

    folder: Path
    summary: Summary
    evidence: Evidence


def find(root: Path, named: str) -> Told:
    """The run of that id, or the newest one of that competition.

    Raises:
        NoRunError: there is none, or it was made before runs wrote reports.
    """
    folders = sorted((path.parent for path in (root / "runs").glob(f"*/*/{FILE}")), key=_when)
    found = [f for f in folders if named in (f.name, f.parent.name)]
    if not found:
        known = [f.name for f in folders] + sorted({f.parent.name for f in folders})
        near = difflib.get_close_matches(named, known, n=1)
        hint = f"did you mean {near[0]}?" if near else "type foldwise runs for those there are"
        raise NoRunError(f"no finished run {named!r} in {root / 'runs'}; {hint}")
    folder = found[-1]
    summary, evidence = Summary.read(folder), Evidence.read(folder)
    if summary is None or evidence is None:
        raise NoRunError(
            f"run {folder.name} has no report, since it was made before runs wrote them; "
            f"type foldwise run {folder.parent.name} to make it anew"
        )
    return Told(folder, summary, evidence)


def _when(folder: Path) -> str:
    """A run's id begins with the second in which it was made."""
    return folder.name
