"""The finished runs of a competition, and which of them may be sent to Kaggle."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

from pipelines.configuration.competition import Competition
from pipelines.raw_files import manifest
from pipelines.stages import preprocess
from pipelines.stages.publish import csv_path
from pipelines.stages.submission import submit_form
from pipelines.workspace.run_folders import FILE as RUN_FILE
from pipelines.workspace.summary import FILE, Summary
from submissions.check import SubmissionError, check


class NoRunError(LookupError):
    """No finished run that could be sent, or none of that id."""

    exit_code = 2


def finished(root: Path, competition: str) -> list[Summary]:
    """Summaries of the finished runs, newest first."""
    folders = sorted((root / "runs" / competition).glob(f"*/{FILE}"), reverse=True)
    found = (Summary.read(path.parent) for path in folders)
    return [summary for summary in found if summary is not None]


def best_first(runs: list[Summary]) -> list[Summary]:
    """By cross-validated score; runs of the same score newest first, as they came."""
    return sorted(runs, key=lambda s: -s.cv if s.greater_is_better else s.cv)


def why_not(summary: Summary) -> str | None:
    """Why a run's file is not for Kaggle; None where it may be sent."""
    if summary.synthetic:
        return "its rows were made by a generator, so they are not Kaggle's test rows"
    if summary.source == "sample":
        return f"it was made from {summary.origin}, whose test rows are not Kaggle's"
    if summary.local_score is not None:
        return f"its test rows were held back from {summary.origin}, they are not a competition's"
    return None


def sendable(root: Path, competition: str) -> list[Summary]:
    """The finished runs that may be sent, newest first.

    Raises:
        NoRunError: there are none.
    """
    runs = finished(root, competition)
    if able := [summary for summary in runs if why_not(summary) is None]:
        return able
    make = f"type foldwise run {competition} --source kaggle"
    if not runs:
        raise NoRunError(f"{competition} has no finished run; {make}")
    raise NoRunError(
        f"run {runs[0].run} of {competition} cannot be sent: {why_not(runs[0])}; {make}"
    )


def choose(root: Path, competition: str, run_id: str | None) -> tuple[Summary, str]:
    """The run that a person named, else the newest that may be sent; and a word on why it is it.

    Raises:
        NoRunError: no such run, or one that may not be sent.
    """
    if run_id is not None:
        return _named(root, competition, run_id), "the run you named"
    able = sendable(root, competition)
    best = best_first(able)[0]
    if best.cv == able[0].cv:
        return able[0], f"the newest of {len(able)} finished runs; none has a better cv"
    return able[0], f"the newest; {best.run} has the best cv, {best.cv:.4f}"


def newest(root: Path, competition: str, run_id: str | None) -> Summary:
    """The finished run that a person named, else the newest; whether Kaggle may have it or not.

    Raises:
        NoRunError: there is none, or the one named is unknown or unfinished.
    """
    runs = {summary.run: summary for summary in finished(root, competition)}
    if run_id is None and runs:
        return next(iter(runs.values()))
    if run_id is None:
        raise NoRunError(f"{competition} has no finished run; type foldwise run {competition}")
    if run_id in runs:
        return runs[run_id]
    if (root / "runs" / competition / run_id / RUN_FILE).is_file():
        raise NoRunError(
            f"run {run_id} of {competition} is unfinished; "
            f"type foldwise run {competition} --run {run_id} to finish it"
        )
    raise NoRunError(_unknown(competition, run_id, runs))


def _unknown(competition: str, run_id: str, runs: Iterable[str]) -> str:
    near = difflib.get_close_matches(run_id, list(runs), n=1)
    hint = f"did you mean {near[0]}?" if near else f"type foldwise runs {competition}"
    return f"{competition} has no finished run {run_id!r}; {hint}"


def _named(root: Path, competition: str, run_id: str) -> Summary:
    runs = {summary.run: summary for summary in finished(root, competition)}
    if run_id not in runs:
        raise NoRunError(_unknown(competition, run_id, runs))
    if (reason := why_not(runs[run_id])) is not None:
        raise NoRunError(
            f"run {run_id} of {competition} cannot be sent: {reason}; "
            f"type foldwise run {competition} --source kaggle"
        )
    return runs[run_id]


def checked_csv(root: Path, competition: Competition, summary: Summary) -> Path:
    """The run's CSV in `submissions/`, byte for byte what the run wrote and right in form.

    Raises:
        SubmissionError: it is missing, was changed, or fails the submission check.
    """
    csv = csv_path(competition.name, summary.run)
    path = root / csv
    again = f"the command that made the run, foldwise run {competition.name}, writes it again"
    if not path.is_file():
        raise SubmissionError(f"{csv}: there is no such file; {again}")
    if manifest.sha256(path) != summary.submission_sha256:
        raise SubmissionError(f"{csv}: has changed since its run wrote it; {again}")
    stage = root / "runs" / competition.name / summary.run / "stages" / "preprocess"
    check(path, preprocess.load(stage).sample_submission, submit_form(competition))
    return path
