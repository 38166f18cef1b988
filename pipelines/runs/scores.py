"""Writes Kaggle's scores of a submission to the ledger and to the run's MLflow run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pipelines.configuration.competition import Competition
from pipelines.console import Narrator
from pipelines.kaggle.client import sign_in
from pipelines.kaggle.credentials import exposure
from pipelines.kaggle.errors import Subject
from pipelines.kaggle.retry import Patience
from pipelines.kaggle.sent import Sent
from pipelines.runs.mlflow_record import kaggle_scores
from pipelines.tracking.record import Update
from pipelines.tracking.tracker import Tracker
from pipelines.workspace.layout import Workspace
from pipelines.workspace.summary import Summary
from submissions import ledger

MARK_CHARACTERS = 12


def marked(message: str, sha256: str) -> str:
    """The message with the mark that identifies a file's bytes among Kaggle's submissions."""
    return f"{message} {_mark(sha256)}"


def _mark(sha256: str) -> str:
    return f"[{sha256[:MARK_CHARACTERS]}]"


def find(listed: Sequence[Sent], sha256: str, csv: Path) -> Sent | None:
    """The submission of those bytes: by its mark, else by the name and size of the file."""
    for sent in listed:
        if _mark(sha256) in sent.message:
            return sent
    size = csv.stat().st_size if csv.is_file() else None
    alike = (sent for sent in listed if sent.file_name == csv.name)
    return next((sent for sent in alike if size is not None and sent.n_bytes == size), None)


def record(root: Path, competition: str, run: str, sent: Sent, narrator: Narrator) -> bool:
    """Write what is new, and return whether anything was; a failure of MLflow is a warning.

    Raises:
        LedgerError: The ledger has no such run, or cannot be read or written.
    """
    entries = {
        (entry.competition, entry.run): entry for entry in ledger.read(Workspace(root).ledger)
    }
    known = entries[competition, run].model_dump()
    facts = {
        "message": sent.message,
        "submitted_utc": sent.time_utc,
        "kaggle_ref": sent.ref,
        "public_score": sent.public_score,
        "private_score": sent.private_score,
        "refused": _refusal(sent),
    }
    changes = {key: value for key, value in facts.items() if value not in (None, known[key])}
    if not changes:
        return False
    ledger.update_scores(
        Workspace(root).ledger, ledger.Scores(run=run, competition=competition, **changes)
    )
    _track(root, competition, run, sent, narrator)
    return True


def record_all(root: Path, competition: str, listed: Sequence[Sent], narrator: Narrator) -> int:
    """Record the submissions of runs in the ledger; the number of runs with a change."""
    n_changed = 0
    for entry in ledger.read(Workspace(root).ledger):
        if entry.competition != competition or not entry.sha256 or not entry.submission:
            continue
        sent = find(listed, entry.sha256, root / entry.submission)
        n_changed += sent is not None and record(root, competition, entry.run, sent, narrator)
    return n_changed


def refresh(
    competition: Competition,
    root: Path,
    narrator: Narrator,
    patience: Patience,
    *,
    imports: bool = False,
) -> None:
    """Get the scores of every run that was sent to Kaggle.

    Args:
        competition: Whose.
        root: The workspace.
        narrator: Tells what was found.
        patience: How long to wait for Kaggle.
        imports: Whether submissions that no run of the ledger stands for are noted as well.

    Raises:
        KaggleError: Kaggle refused or could not be reached.
        LedgerError: The ledger cannot be read or written.
    """
    subject = Subject(competition.on_kaggle.slug, competition.on_kaggle.kind)
    if (warning := exposure()) is not None:
        narrator.warn(warning)
    patience = replace(patience, tell=lambda text: narrator.warn(f"Kaggle: {text}"))
    with sign_in(subject, patience) as kaggle:
        listed = kaggle.submissions(subject)
    n_changed = record_all(root, competition.name, listed, narrator)
    new = f"{_imported(competition, root, listed)} new and " if imports else ""
    narrator.say("kaggle", f"{len(listed)} submissions; {new}{n_changed} changed in the ledger")


def _imported(competition: Competition, root: Path, listed: Sequence[Sent]) -> int:
    """Append those that no run of the ledger stands for, oldest first; how many there were."""
    book = Workspace(root).ledger
    known = {e.kaggle_ref for e in ledger.read(book) if e.competition == competition.name}
    further = [sent for sent in reversed(listed) if sent.ref not in known]
    for sent in further:
        ledger.append(book, _entry(competition, sent))
    return len(further)


def _entry(competition: Competition, sent: Sent) -> ledger.Entry:
    return ledger.Entry(
        run=f"kaggle-{sent.ref}",
        competition=competition.name,
        time_utc=sent.time_utc,
        source="kaggle",
        synthetic=False,
        metric=competition.metric.name,
        greater_is_better=competition.greater_is_better,
        note=sent.message,
        public_score=sent.public_score,
        private_score=sent.private_score,
        message=sent.message,
        submitted_utc=sent.time_utc,
        kaggle_ref=sent.ref,
        refused=_refusal(sent),
    )


def _refusal(sent: Sent) -> str | None:
    if sent.status != "error":
        return None
    return sent.reason or "Kaggle gave no reason"


def _track(root: Path, competition: str, run: str, sent: Sent, narrator: Narrator) -> None:
    summary = Summary.read(Workspace(root).run(competition, run).folder)
    if summary is None or summary.mlflow_run_id is None:
        return
    tags = {
        "kaggle.message": sent.message,
        "kaggle.submitted": sent.time_utc.isoformat(timespec="seconds"),
        "kaggle.status": sent.status,
        "kaggle.ref": str(sent.ref),
    }
    if (refusal := _refusal(sent)) is not None:
        tags["kaggle.refused"] = refusal
    update = Update(
        experiment=competition,
        run=run,
        mlflow_run_id=summary.mlflow_run_id,
        is_local=bool(summary.mlflow_is_local),
        metrics=kaggle_scores(sent.public_score, sent.private_score),
        tags=tags,
    )
    tracker = Tracker.start(root, narrator)
    if tracker is not None:
        tracker.update(update)
