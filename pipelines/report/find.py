"""Finds the finished run that a user names: by its id, or by its competition for the newest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipelines.report.evidence import Evidence
from pipelines.workspace.finished_runs import by_id_or_competition
from pipelines.workspace.layout import RunLayout, Workspace
from pipelines.workspace.summary import Summary


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
    folder = by_id_or_competition(Workspace(root), name).folder
    summary, evidence = Summary.read(folder), Evidence.read(folder)
    if summary is not None and summary.kind == "blend":
        raise NoReportError(
            f"run {folder.name} is a blend of predictions, with a page of its own: "
            f"{RunLayout(folder).report_file}; name a run of foldwise run {folder.parent.name}"
        )
    if summary is None or evidence is None:
        raise NoReportError(
            f"run {folder.name} has no report; type foldwise run {folder.parent.name} to make one"
        )
    return ReportedRun(folder, summary, evidence)
