"""The finished runs of a workspace: all of a competition's, the newest, or one by its id."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

from pipelines.workspace.layout import RunLayout, Workspace
from pipelines.workspace.stored import DamagedFileError, pass_over
from pipelines.workspace.summary import Summary

BEST = "best"  # in place of an id: the run with the best cross-validated score


class NoRunError(LookupError):
    """No finished run that would do, or none of that id."""

    exit_code = 2


def finished(workspace: Workspace, competition: str) -> list[Summary]:
    """Summaries of the finished runs, newest first; a damaged one is a warning."""
    folders = sorted((run.folder for run in workspace.finished(competition)), reverse=True)
    found = (_read(folder) for folder in folders)
    return [summary for summary in found if summary is not None]


def _read(folder: Path) -> Summary | None:
    try:
        return Summary.read(folder)
    except DamagedFileError as error:
        pass_over(error)
        return None


def best_first(runs: Iterable[Summary]) -> list[Summary]:
    """By cross-validated score; runs of the same score stay in their order."""
    return sorted(runs, key=lambda s: -s.cv if s.greater_is_better else s.cv)


def newest(workspace: Workspace, competition: str, run_id: str | None) -> Summary:
    """The finished run that a person named, by its id or as `best`, else the newest.

    Raises:
        NoRunError: There is none, or the one named is unknown or unfinished.
    """
    runs = _with_models(finished(workspace, competition), run_id)
    if run_id not in (None, BEST):
        return named(workspace, competition, run_id, runs)
    if not runs:
        raise NoRunError(f"{competition} has no finished run; type foldwise run {competition}")
    return best_first(runs)[0] if run_id == BEST else runs[0]


def _with_models(runs: list[Summary], run_id: str | None) -> list[Summary]:
    """The runs that can predict new rows: blends of other runs and files have no models.

    Raises:
        NoRunError: The one named is such a blend.
    """
    if any(summary.run == run_id and summary.kind == "blend" for summary in runs):
        raise NoRunError(
            f"run {run_id} is a blend of predictions and has no models of its own; name one of its "
            "members' runs"
        )
    return [summary for summary in runs if summary.kind == "run"]


def why(workspace: Workspace, chosen: Summary, run_id: str | None) -> str:
    """Why `newest` gave this run, for a person who did not name its id; empty for one who did."""
    runs = _with_models(finished(workspace, chosen.competition), run_id)
    best = best_first(runs)[0]
    if run_id == BEST:
        return f"the best cv of {len(runs)} finished runs"
    if run_id is not None or len(runs) == 1:
        return ""
    if best.run == chosen.run:
        return f"the newest of {len(runs)} finished runs, and the best cv"
    return f"the newest; {best.run} has a better cv, {best.cv:.4f}: --run {BEST} takes it"


def named(workspace: Workspace, competition: str, run_id: str, runs: Iterable[Summary]) -> Summary:
    """The one of a competition's finished runs that has that id.

    Raises:
        NoRunError: None has; says whether the run is unfinished, else which id is near.
    """
    by_id = {summary.run: summary for summary in runs}
    if run_id in by_id:
        return by_id[run_id]
    if workspace.run(competition, run_id).run_file.is_file():
        raise NoRunError(
            f"run {run_id} of {competition} is unfinished; "
            f"type foldwise run {competition} --run {run_id} to finish it"
        )
    near = difflib.get_close_matches(run_id, list(by_id), n=1)
    hint = f"did you mean {near[0]}?" if near else f"type foldwise runs {competition}"
    raise NoRunError(f"{competition} has no finished run {run_id!r}; {hint}")


def by_id_or_competition(workspace: Workspace, text: str) -> RunLayout:
    """The finished run of that id, or the newest of the competition of that name.

    Raises:
        NoRunError: There is none; names the nearest id or competition.
    """
    runs = sorted(workspace.finished(), key=lambda run: run.run_id)  # which begins with its time
    if named := [run for run in runs if text == run.run_id]:
        return named[-1]
    found = [run for run in runs if text == run.competition and _read(run.folder) is not None]
    if found:
        return found[-1]
    known = [run.run_id for run in runs] + sorted({run.competition for run in runs})
    near = difflib.get_close_matches(text, known, n=1)
    hint = f"did you mean {near[0]}?" if near else "type foldwise runs to list them"
    raise NoRunError(f"no finished run {text!r} in {workspace.all_runs}; {hint}")
