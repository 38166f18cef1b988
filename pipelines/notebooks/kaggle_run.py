"""`foldwise kaggle run`: from a notebook to its checked CSV, on Kaggle's machine."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from pipelines.competitions import load_competition
from pipelines.configuration.competition import Competition
from pipelines.console import Narrator
from pipelines.kaggle.client import Kaggle, sign_in
from pipelines.kaggle.credentials import exposure
from pipelines.kaggle.errors import Subject
from pipelines.kaggle.retry import Patience
from pipelines.notebooks import arrived
from pipelines.notebooks.folder import NotebookRequest, write_notebook
from pipelines.notebooks.following import Follower, require_success
from pipelines.notebooks.metadata import Kind
from pipelines.notebooks.package import Package, PackageError
from pipelines.notebooks.pushing import Push, push_once
from pipelines.runs.submit import SubmitRequest, submit
from pipelines.workspace import files
from pipelines.workspace.layout import LOCK_FILE, Workspace
from pipelines.workspace.summary import Summary

LONGEST_SESSION_S = 12 * 3600.0  # of a notebook on Kaggle


@dataclass(frozen=True)
class KaggleRunRequest:
    """What the command line sets.

    Attributes:
        kind: Whether the notebook trains there, or predicts there from a run's kept models.
        run_id: The run, or `best`; None for the newest, and to train by the competition's file.
        folder: A notebook that `foldwise notebook` wrote, pushed as it is; None to write it now.
        accelerator: As Kaggle's client takes it.
        public: Whether everybody may see the notebook.
        again: Whether to push also what has run already.
        wait_s: How long to wait for its end, in seconds.
        submit: How to submit its result; None not to.
        root: The workspace.
        patience: How long to wait for Kaggle's answers.
    """

    kind: Kind = "train"
    run_id: str | None = None
    folder: Path | None = None
    accelerator: str | None = None
    public: bool = False
    again: bool = False
    wait_s: float = LONGEST_SESSION_S
    submit: SubmitRequest | None = None
    root: Path = Path()
    patience: Patience = field(default_factory=Patience)


def run_on_kaggle(name: str, request: KaggleRunRequest, narrator: Narrator) -> Summary:
    """Push, follow, fetch, check, note in the ledger, and submit where asked.

    What was done is kept, so that the same command goes on where an earlier one was interrupted.

    Raises:
        PackageError: Kaggle would not take the notebook, or would take it for another one.
        KaggleError: Kaggle refused or could not be reached.
        NotEndedError: The notebook has not ended in time.
        NotebookFailedError: It failed there.
        NoOutputError: It left no CSV.
        SubmissionError: The CSV fails its check.
    """
    competition = load_competition(name)
    page = competition.on_kaggle
    if (warning := exposure()) is not None:
        narrator.warn(warning)
    patience = replace(request.patience, tell=lambda text: narrator.warn(f"Kaggle: {text}"))
    with sign_in(Subject(page.slug, page.kind, left="nothing was pushed"), patience) as kaggle:
        package = _package(name, kaggle.user, request)
        place = Workspace(request.root).on_kaggle(package.address.partition("/")[2])
        place.mkdir(parents=True, exist_ok=True)
        with files.locked(place / LOCK_FILE):
            push = Push(package, place, request.accelerator, request.again)
            summary = _make(kaggle, competition, push, request, narrator)
    _conclude(competition, summary, request, narrator)
    return summary


def _package(name: str, user: str, request: KaggleRunRequest) -> Package:
    """The notebook that is pushed, checked."""
    folder = request.folder
    if not user:
        raise PackageError(
            "Kaggle did not give the account's name; set KAGGLE_USERNAME to it, and type the same "
            "command again"
        )
    if folder is None:
        asked = NotebookRequest(
            request.kind, request.run_id, user, root=request.root, public=request.public
        )
        folder = write_notebook(name, asked).folder
    package = Package(folder)
    package.check(user)
    return package


def _make(
    kaggle: Kaggle,
    competition: Competition,
    push: Push,
    request: KaggleRunRequest,
    narrator: Narrator,
) -> Summary:
    """Have the CSV made there, and take it in."""
    record = push_once(kaggle, push, request.patience, narrator)
    follower = Follower(
        kaggle, record, request.accelerator, request.wait_s, request.patience, narrator
    )
    if not record.end:
        require_success(follower, follower.follow(), push.place)
    folder = arrived.fetch(kaggle, record, push.place, narrator)
    run_id = push.package.run_of(competition.name)
    summary = arrived.take(competition, folder, run_id, request.root, narrator)
    arrived.note(summary, record, folder, request.root)
    narrator.say("ledger", str(Workspace(request.root).ledger))
    return summary


def _conclude(
    competition: Competition, summary: Summary, request: KaggleRunRequest, narrator: Narrator
) -> None:
    if request.submit is not None:
        submit(competition, replace(request.submit, run_id=summary.run), narrator)
    else:
        narrator.say("next", f"foldwise submit {competition.name} {summary.run}")
