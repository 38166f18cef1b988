"""The finished run that a person names: by its id, or by its competition for the newest one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipelines.report.evidence import Evidence
from pipelines.workspace.finished_runs import NoRunError, by_id_or_competition
from pipelines.workspace.layout import Workspace
from pipelines.workspace.summary import Summary


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
    folder = by_id_or_competition(Workspace(root), named).folder
    summary, evidence = Summary.read(folder), Evidence.read(folder)
    if summary is None or evidence is None:
        raise NoRunError(
            f"run {folder.name} has no report, since it was made before runs wrote them; "
            f"type foldwise run {folder.parent.name} to make it anew"
        )
    return Told(folder, summary, evidence)
