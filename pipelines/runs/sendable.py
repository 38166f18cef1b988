"""Which finished runs may be sent to Kaggle, and the check of their CSVs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.raw_files.sources import choose_source
from pipelines.stages import preprocess
from pipelines.stages.download import download
from pipelines.stages.input_tables import read_sample_submission
from pipelines.workspace import stage_cache
from pipelines.workspace.files import sha256
from pipelines.workspace.finished_runs import NoRunError, best_first, finished, named
from pipelines.workspace.layout import PREPROCESS, Workspace, submission_csv
from submissions.check import SubmissionError, check

if TYPE_CHECKING:
    from pipelines.configuration.competition import Competition
    from pipelines.kaggle.retry import Patience
    from pipelines.workspace.summary import Summary


def why_not(summary: Summary) -> str | None:
    """Why a run's CSV is not for Kaggle; None where it may be sent."""
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
        NoRunError: There are none.
    """
    runs = finished(Workspace(root), competition)
    if able := [summary for summary in runs if why_not(summary) is None]:
        return able
    if not runs:
        raise NoRunError(f"{competition} has no finished run; {_make(competition)}")
    raise NoRunError(_refused(runs[0]))


def choose(root: Path, competition: str, run_id: str | None) -> tuple[Summary, str]:
    """The run that a person named, else the newest that may be sent; and why that one.

    Raises:
        NoRunError: There is no such run, or it may not be sent.
    """
    if run_id is not None:
        return _named(Workspace(root), competition, run_id), "the run you named"
    able = sendable(root, competition)
    best = best_first(able)[0]
    if best.cv == able[0].cv:
        return able[0], f"the newest of {len(able)} finished runs; none has a better cv"
    return able[0], f"the newest; {best.run} has the best cv, {best.cv:.4f}"


def _named(workspace: Workspace, competition: str, run_id: str) -> Summary:
    summary = named(workspace, competition, run_id, finished(workspace, competition))
    if why_not(summary) is not None:
        raise NoRunError(_refused(summary))
    return summary


def _refused(summary: Summary) -> str:
    name = summary.competition
    return f"run {summary.run} of {name} cannot be sent: {why_not(summary)}; {_make(name)}"


def _make(competition: str) -> str:
    return f"type foldwise run {competition} --source kaggle"


def checked_csv(root: Path, competition: Competition, summary: Summary) -> Path:
    """The run's CSV in `submissions/`: the bytes that the run wrote, and right in form.

    Raises:
        SubmissionError: It is missing, was changed, or fails the submission check.
        DamagedFileError: The run's own sample submission was changed.
    """
    csv = submission_csv(competition.name, summary.run)
    path = root / csv
    command = f"foldwise {summary.kind} {competition.name}"
    again = f"the command that made the run, {command}, writes it again"
    if not path.is_file():
        raise SubmissionError(f"{csv}: there is no such file; {again}")
    if sha256(path) != summary.submission_sha256:
        raise SubmissionError(f"{csv}: has changed since its run wrote it; {again}")
    run = Workspace(root).run(competition.name, summary.run)
    stage_cache.check(run, stage=PREPROCESS)
    prepared = preprocess.load(run.preprocess)
    check(path, prepared.sample_submission, prepared.form)
    return path


def check_csv(
    competition: Competition, csv: Path, *, source: str, root: Path, patience: Patience
) -> int:
    """Check a CSV on disk against the competition's sample submission; give its rows.

    Raises:
        SubmissionError: The CSV fails; names every fault.
    """
    chosen = choose_source(source, competition)
    raw = download(competition, chosen, Workspace(root).data, patience=patience)
    sample = read_sample_submission(competition, raw)
    check(csv, sample, preprocess.submission_form(competition, sample))
    return len(sample)
