"""Sends a run's CSV to Kaggle: shows it, asks, sends it once, and waits for its score.

To a code competition goes the version of a notebook that made the CSV there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipelines.configuration.competition import Competition
from pipelines.console import Narrator
from pipelines.kaggle.client import Kaggle, sign_in
from pipelines.kaggle.credentials import exposure, has_credentials
from pipelines.kaggle.errors import Subject
from pipelines.kaggle.retry import Patience
from pipelines.kaggle.sent import Quota, Sent
from pipelines.runs import scores
from pipelines.runs.sendable import checked_csv, choose
from pipelines.stages import publish
from pipelines.workspace.layout import Workspace
from pipelines.workspace.summary import Summary
from submissions import ledger

NOTEBOOK_CSV = "submission.csv"  # what a notebook of Foldwise writes
FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 15.0  # between two looks at the score


class SubmitError(ValueError):
    """A competition that takes no submissions, or no files."""

    exit_code = 2


@dataclass(frozen=True)
class SubmitRequest:
    """What the command line sets.

    Attributes:
        run_id: The run to send; None for the newest that may be sent.
        message: Kaggle's description of the submission; None for the run and its score.
        yes: Whether to send without asking.
        dry_run: Whether to do everything but send.
        wait_s: How long to wait for the score.
        root: The folder that holds `runs/` and `submissions/`.
        patience: How long to wait for Kaggle's answers.
    """

    run_id: str | None = None
    message: str | None = None
    yes: bool = False
    dry_run: bool = False
    wait_s: float = 120.0
    root: Path = Path()
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True)
class _Parcel:
    """A checked submission, ready to be sent."""

    subject: Subject
    summary: Summary
    why: str
    csv: Path
    message: str
    notebook: str | None  # OWNER/NAME/VERSION of the one on Kaggle that made the CSV

    @property
    def again(self) -> str:
        """The command that gets its score."""
        return f"foldwise submit {self.summary.competition} {self.summary.run}"


def submit(competition: Competition, request: SubmitRequest, narrator: Narrator) -> None:
    """Send a run's file, unless Kaggle has those bytes already, and record what Kaggle says.

    A score that is still pending after the wait is not an error: the same command gets it later.

    Raises:
        SubmitError: The data set takes no submissions, or the competition notebooks only and the
            run has none there.
        NoRunError: There is no such run, or its rows are not Kaggle's.
        SubmissionError: The file fails its check.
        KaggleError: Kaggle refused, could not be reached, or takes no more files today.
        LedgerError: The ledger cannot be written; nothing was sent.
    """
    parcel = _pack(competition, request)
    if (warning := exposure()) is not None:
        narrator.warn(warning)
    publish.note(parcel.summary, request.root)
    if request.dry_run and not has_credentials():
        _rehearse(parcel, request, narrator)
        return
    patience = replace(request.patience, tell=lambda text: narrator.warn(f"Kaggle: {text}"))
    with sign_in(parcel.subject, patience) as kaggle:
        sent = _send_once(kaggle, parcel, request, narrator)
        if sent is not None:
            _conclude(kaggle, parcel, sent, request, narrator)


def _rehearse(parcel: _Parcel, request: SubmitRequest, narrator: Narrator) -> None:
    """Show what would be sent, without asking Kaggle, which takes credentials."""
    if (entry := _in_ledger(parcel, request.root)) is not None:
        narrator.say("already", f"sent {entry}")
    _show(parcel, "not asked: no Kaggle credentials", narrator)
    narrator.say("dry run", "nothing was sent")


def _pack(competition: Competition, request: SubmitRequest) -> _Parcel:
    page = competition.on_kaggle
    if page.kind != "competition":
        raise SubmitError(
            f"{competition.name} is a data set on Kaggle, {page.page}: it takes no "
            f"submissions; type foldwise runs {competition.name} for its scores"
        )
    summary, why = choose(request.root, competition.name, request.run_id)
    text = request.message or f"{summary.run}: cv {summary.metric} {summary.cv:.5f}"
    return _Parcel(
        subject=Subject(page.slug, left="nothing was sent"),
        summary=summary,
        why=why,
        csv=checked_csv(request.root, competition, summary),
        message=scores.marked(text, summary.submission_sha256),
        notebook=_notebook(request.root, summary),
    )


def _notebook(root: Path, summary: Summary) -> str | None:
    """The notebook that made the run's CSV on Kaggle, as the ledger has it."""
    entries = ledger.read(Workspace(root).ledger)
    key = (summary.competition, summary.run)
    return next((e.notebook for e in entries if (e.competition, e.run) == key), None)


def _send_once(
    kaggle: Kaggle, parcel: _Parcel, request: SubmitRequest, narrator: Narrator
) -> Sent | None:
    """Kaggle's entry of the file, sent now or earlier; None where there is no score to wait for."""
    listed = kaggle.submissions(parcel.subject)
    scores.record_all(request.root, parcel.summary.competition, listed, narrator)
    earlier = scores.find(listed, parcel.summary.submission_sha256, parcel.csv)
    if earlier is not None:
        when = _date(earlier.time_utc)
        narrator.say("already", f"sent {when}, {_status(earlier)}; not sent again")
        return earlier
    if (entry := _in_ledger(parcel, request.root)) is not None:
        narrator.say("already", f"sent {entry}; not sent again")
        return None
    parcel = _for_its_kind(kaggle, parcel)
    quota = kaggle.quota(parcel.subject)
    _show(parcel, "not given by Kaggle" if quota is None else _quota(quota), narrator)
    _refuse_over_quota(parcel, quota)
    if request.dry_run:
        narrator.say("dry run", "nothing was sent")
        return None
    if not request.yes and not narrator.ask(f"send it to {parcel.subject.slug}?"):
        narrator.say("not sent", "nothing was sent")
        return None
    return _send(kaggle, parcel, request.root, narrator)


def _for_its_kind(kaggle: Kaggle, parcel: _Parcel) -> _Parcel:
    """The parcel with a notebook where the competition takes those only, else without one.

    Raises:
        SubmitError: It takes notebooks only, and there is none.
    """
    if not kaggle.takes_notebooks_only(parcel.subject):
        return replace(parcel, notebook=None)
    if parcel.notebook is None:
        name, run = parcel.summary.competition, parcel.summary.run
        raise SubmitError(
            f"{parcel.subject.slug} takes notebooks only, and run {run} has none on Kaggle; type "
            f"foldwise kaggle run {name} {run} --submit"
        )
    return parcel


def _send(kaggle: Kaggle, parcel: _Parcel, root: Path, narrator: Narrator) -> Sent:
    summary = parcel.summary
    # Written first: if the ledger cannot be written, nothing may be sent.
    intent = ledger.Scores(run=summary.run, competition=summary.competition, message=parcel.message)
    ledger.update_scores(Workspace(root).ledger, intent)
    if parcel.notebook is None:
        what = parcel.csv.name
        sent = kaggle.submit(parcel.subject, parcel.csv, parcel.message)
    else:
        address, _, version = parcel.notebook.rpartition("/")
        what = f"version {version} of {address}"
        sent = kaggle.submit_notebook(
            parcel.subject, address, int(version), NOTEBOOK_CSV, parcel.message
        )
    scores.record(root, summary.competition, summary.run, sent, narrator)
    narrator.say("sent", f"{_date(sent.time_utc)} as {what}")
    return sent


def _conclude(
    kaggle: Kaggle, parcel: _Parcel, sent: Sent, request: SubmitRequest, narrator: Narrator
) -> None:
    """Wait for the score, record it, and report it.

    Raises:
        KaggleError: Kaggle did not score the file; the message gives its reason.
    """
    competition, run = parcel.summary.competition, parcel.summary.run
    sent = _wait(kaggle, parcel, sent, request, narrator)
    scores.record(request.root, competition, run, sent, narrator)
    if sent.status == "error":
        raise Subject(parcel.subject.slug).failed(
            f"Kaggle refused {parcel.csv.name}: {sent.reason or 'it gave no reason'}",
            f"look at {parcel.subject.page}/submissions",
        )
    if sent.status == "pending":
        narrator.say("score", f"pending; type {parcel.again} to get it   (nothing is sent twice)")
        return
    cv = f"cross-validated {parcel.summary.cv:.4f} ± {parcel.summary.cv_std:.4f}"
    narrator.say("score", f"{_scores(sent)}   {cv}")
    narrator.say("next", f"foldwise runs {competition}")


def _wait(
    kaggle: Kaggle, parcel: _Parcel, sent: Sent, request: SubmitRequest, narrator: Narrator
) -> Sent:
    """Poll while the score is pending, for `wait_s` seconds at most."""
    left = f"Kaggle has the file; type {parcel.again} to get its score"
    subject = replace(parcel.subject, left=left)
    waited, pause = 0.0, FIRST_PAUSE_S
    while sent.status == "pending" and waited < request.wait_s:
        if not waited:
            narrator.say("waiting", f"for the score, {request.wait_s:g} s at most")
        pause = min(pause, request.wait_s - waited)
        request.patience.sleep(pause)
        waited, pause = waited + pause, min(pause * 1.5, LONGEST_PAUSE_S)
        listed = kaggle.submissions(subject)
        sent = next((one for one in listed if one.ref == sent.ref), sent)
    return sent


def _in_ledger(parcel: _Parcel, root: Path) -> str | None:
    """When those bytes were sent, according to the ledger."""
    for entry in ledger.read(Workspace(root).ledger):
        same = entry.sha256 == parcel.summary.submission_sha256
        if same and entry.competition == parcel.summary.competition and entry.submitted_utc:
            when = _date(entry.submitted_utc)
            return f"{when} as run {entry.run}, which this account's list on Kaggle does not show"
    return None


def _show(parcel: _Parcel, left_today: str, narrator: Narrator) -> None:
    summary = parcel.summary
    facts = [
        ("to", parcel.subject.page),
        ("file", f"{summary.submission}   {summary.n_rows:,} rows, checked"),
        ("run", f"{summary.run}   {parcel.why}"),
        (summary.metric, f"{summary.cv:.4f} ± {summary.cv_std:.4f}   cross-validated"),
        *([("notebook", parcel.notebook)] if parcel.notebook else []),
        ("message", parcel.message),
        ("left today", left_today),
    ]
    for label, text in facts:
        narrator.say(label, text)


def _quota(quota: Quota) -> str:
    return f"{quota.n_left} submissions, {quota.n_today} made"


def _refuse_over_quota(parcel: _Parcel, quota: Quota | None) -> None:
    if quota is None or quota.n_left > 0:
        return
    now = datetime.now(UTC)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    hours = (midnight - now) / timedelta(hours=1)
    raise parcel.subject.failed(
        f"Kaggle takes no more files for {parcel.subject.slug} today ({quota.n_today} made)",
        f"run the same command again after midnight UTC, in {hours:.1f} hours",
    )


def _status(sent: Sent) -> str:
    return {"pending": "score pending", "error": "refused", "complete": _scores(sent)}[sent.status]


def _scores(sent: Sent) -> str:
    scores: Sequence[tuple[str, float | None]] = (
        ("public", sent.public_score),
        ("private", sent.private_score),
    )
    known = [f"{name} {score:.5f}" for name, score in scores if score is not None]
    return ", ".join(known) or "scored; Kaggle shows no score"


def _date(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
