"""A finished run for its report: what failed when it was made is tried again first."""

from __future__ import annotations

from pathlib import Path

from pipelines import competitions, faults
from pipelines.configuration.assignments import as_stored
from pipelines.console import Narrator
from pipelines.faults import Attempt
from pipelines.raw_files import manifest
from pipelines.raw_files.raw import RawFile, RawFiles
from pipelines.report.evidence import Evidence
from pipelines.report.find import ReportedRun, find
from pipelines.runs import aftermath
from pipelines.stages.pipeline import Pipeline
from pipelines.stages.run_contents import RunContents
from pipelines.workspace import run_folders, stage_cache
from pipelines.workspace.finished_runs import by_id_or_competition
from pipelines.workspace.layout import RunLayout, Workspace
from pipelines.workspace.stage_cache import StageStore
from pipelines.workspace.summary import Summary


class GoneError(LookupError):
    """The raw files that a run was made of are no longer in the workspace."""

    exit_code = 2


def reported(root: Path, name: str, narrator: Narrator) -> ReportedRun:
    """The run with that id, or the newest one of that competition, with all that can be shown.

    Raises:
        NoRunError: There is none.
        NoReportError: Its report cannot be made from what is left of it.
    """
    layout = by_id_or_competition(Workspace(root), name)
    summary = Summary.read(layout.folder)
    is_run = summary is not None and summary.kind == "run"
    if summary is not None and is_run and _lacks_something(layout, summary):
        with Attempt() as completing, run_folders.locked(layout.folder):
            aftermath.complete(_pipeline(root, layout, summary, narrator), summary, narrator)
        if completing.error is not None:
            why = faults.reason(completing.error)
            narrator.warn(f"what {layout.run_id}'s report lacks cannot be made now: {why}")
    return find(root, layout.run_id)


def _lacks_something(layout: RunLayout, summary: Summary) -> bool:
    with Attempt():
        evidence = Evidence.read(layout.folder)
        return evidence is None or bool(evidence.failed or summary.undrawn or not summary.figures)
    return True


def _pipeline(root: Path, layout: RunLayout, summary: Summary, narrator: Narrator) -> Pipeline:
    """The stages of the finished run, none of which is made again."""
    stage_cache.check(layout)
    described = RunContents(layout).described
    competition = competitions.load_competition(layout.competition)
    as_then = as_stored(competition, described["configuration"])
    raw = raw_files_of(root, summary, described["data"])
    return Pipeline(as_then, raw, StageStore(layout), narrator, device=described["device"])


def raw_files_of(root: Path, summary: Summary, digest: str) -> RawFiles:
    """The raw files that a finished run was made of, as they lie in the workspace.

    Raises:
        GoneError: They are no longer there.
    """
    found = manifest.find(Workspace(root).data / summary.competition, digest)
    if found is None:
        raise GoneError(
            f"the files that it was made of are no longer in {Workspace(root).data}; type "
            f"foldwise run {summary.competition} to fetch them"
        )
    folder, stated = found
    facts = {name: facts for name, facts in stated.files.items() if name != stated.holdout}
    return RawFiles(
        competition=summary.competition,
        source=summary.source,
        synthetic=summary.synthetic,
        origin=summary.origin,
        folder=folder,
        files={name: RawFile(folder / name, f.sha256, f.n_bytes) for name, f in facts.items()},
        holdout=folder / stated.holdout if stated.holdout else None,
    )
