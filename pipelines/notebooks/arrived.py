"""What a notebook made, back here: its files, its run, the check of its CSV, and the ledger."""

from __future__ import annotations

import shutil
from pathlib import Path

from pipelines.configuration.competition import Competition
from pipelines.console import Narrator
from pipelines.kaggle.client import Kaggle
from pipelines.kaggle.errors import Subject
from pipelines.kaggle.output_files import Output
from pipelines.notebooks.pushed import Record
from pipelines.runs.sendable import checked_csv
from pipelines.stages import preprocess, publish
from pipelines.workspace import files
from pipelines.workspace.layout import LOCK_FILE, Workspace
from pipelines.workspace.summary import Summary
from submissions import ledger
from submissions.check import SubmissionError, check
from submissions.whole_file import WRITING

CSV = "submission.csv"
N_NAMED = 5  # files of an output that lacks the CSV


class NoOutputError(ValueError):
    """An output without what the notebook of Foldwise writes."""

    exit_code = 5


def fetch(kaggle: Kaggle, record: Record, place: Path, narrator: Narrator) -> Path:
    """Fetch the output of that version; the folder that holds it.

    Raises:
        NoOutputError: It has no CSV.
        KaggleError: It could not be fetched; what was received is kept.
    """
    subject = Subject(record.address, "notebook")
    made, log = kaggle.kernels.outputs(subject)
    # The competition's own files, which the run has copied there, are here or come from Kaggle.
    outputs = [output for output in made if not output.name.startswith("data/")]
    if not any(output.name == CSV for output in outputs):
        raise _no_csv(subject, record, outputs, log)
    folder = place / f"version-{record.version}"
    kaggle.kernels.fetch(subject, outputs, folder)
    files.write_text(folder / "log.txt", "".join(f"{line}\n" for line in log))
    narrator.say("output", f"{folder}   {len(outputs)} files, and log.txt")
    return folder


def _no_csv(
    subject: Subject, record: Record, outputs: list[Output], log: list[str]
) -> NoOutputError:
    names = ", ".join(output.name for output in outputs[:N_NAMED]) or "nothing"
    last = f"; its log ends: {log[-1]}" if log else ""
    return NoOutputError(
        f"version {record.version} of {subject.slug} ended without a {CSV}: found {names}{last}; "
        f"look at {subject.page}, correct the notebook, and type the command with --again"
    )


def take(
    competition: Competition, folder: Path, run_id: str | None, root: Path, narrator: Narrator
) -> Summary:
    """Check the CSV, and take a run that was made there into the workspace.

    Args:
        competition: Of the notebook.
        folder: Holds its output.
        run_id: The run that it predicted with; None where it trained one.
        root: The workspace.
        narrator: Shows what was found.

    Returns:
        Of the run that the CSV goes back to.

    Raises:
        NoOutputError: The run is not there.
        SubmissionError: The CSV fails its check.
    """
    if run_id is None:
        summary = _take_run(competition, folder, root)
        csv = checked_csv(root, competition, summary)
        if files.sha256(folder / CSV) != files.sha256(csv):
            raise SubmissionError(f"{folder / CSV}: is not what its run wrote, {csv}; type --again")
    else:
        summary = _check_predictions(competition, folder / CSV, run_id, root, narrator)
    narrator.say("checked", f"{folder / CSV}   in the form that Kaggle wants")
    cv = f"{summary.metric} {summary.cv:.4f} ± {summary.cv_std:.4f} cross-validated"
    narrator.say("run", f"{summary.run}   {cv}")
    return summary


def _take_run(competition: Competition, folder: Path, root: Path) -> Summary:
    """Copy the run that the notebook made to where runs lie, whole or not at all."""
    found = sorted(Workspace(folder).runs(competition.name).glob("*/summary.json"))
    summary = Summary.read(found[-1].parent) if found else None
    if summary is None:
        raise NoOutputError(
            f"{folder}: found {CSV} and no finished run in runs/{competition.name}, expected both; "
            "does the notebook still call foldwise.run?"
        )
    workspace = Workspace(root)
    runs, run = workspace.runs(competition.name), workspace.run(competition.name, summary.run)
    runs.mkdir(parents=True, exist_ok=True)
    with files.locked(runs / LOCK_FILE, wait=True):
        if not run.folder.exists():
            new = runs / f".{summary.run}{WRITING}"
            shutil.rmtree(new, ignore_errors=True)
            shutil.copytree(found[-1].parent, new, copy_function=files.link_or_copy)
            new.rename(run.folder)
    publish.copies(summary, run.folder, root, None)
    return summary


def _check_predictions(
    competition: Competition, csv: Path, run_id: str, root: Path, narrator: Narrator
) -> Summary:
    run = Workspace(root).run(competition.name, run_id)
    summary = Summary.read(run.folder)
    assert summary is not None, "the notebook was made from that run"
    prepared = preprocess.load(run.preprocess)
    check(csv, prepared.sample_submission, prepared.form)
    if files.sha256(csv) != summary.submission_sha256:
        narrator.warn(f"{csv} differs from the run's own {summary.submission}")
    return summary


def note(summary: Summary, record: Record, folder: Path, root: Path) -> None:
    """Write the ledger's line: the run, if it is new here, and the notebook that made the CSV.

    Raises:
        LedgerError: The ledger cannot be read or written.
    """
    book, key = Workspace(root).ledger, (summary.competition, summary.run)
    known = {(entry.competition, entry.run): entry for entry in ledger.read(book)}
    there = ledger.read(Workspace(folder).ledger)
    made = next((entry for entry in there if (entry.competition, entry.run) == key), None)
    if key not in known and made is not None:
        ledger.append(book, made)
    else:
        publish.note(summary, root)
    notebook = f"{record.address}/{record.version}"
    if key not in known or known[key].notebook != notebook:
        noted = ledger.Scores(run=summary.run, competition=summary.competition, notebook=notebook)
        ledger.update_scores(book, noted)
