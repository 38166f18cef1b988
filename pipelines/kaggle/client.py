"""A signed-in client of Kaggle; each call is tried again where that can help."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import requests

from pipelines.console import Advance
from pipelines.kaggle.credentials import has_credentials
from pipelines.kaggle.datasets import Datasets
from pipelines.kaggle.errors import (
    ALTERNATIVE,
    NEW_TOKEN,
    KaggleError,
    Subject,
    as_kaggle_error,
    credentials_refused,
)
from pipelines.kaggle.http_faults import is_undelivered
from pipelines.kaggle.kernels import Kernels
from pipelines.kaggle.leaderboard import Leaderboards
from pipelines.kaggle.retry import Patience
from pipelines.kaggle.sent import Quota, Sent, not_listed_yet, sent_of
from pipelines.kaggle.session import Session, bounded, if_there, import_api, mount, quietly
from pipelines.kaggle.transfer import Remote, fetch

PAGE_SIZE, MAX_PAGES = 100, 20  # submissions on a page, and pages
KEPT = "the bytes received are kept: the same command resumes there"


def download(
    slug: str,
    kind: Literal["competition", "dataset"],
    target: Path,
    parts: Path,
    *,
    unless: Remote | None = None,
    progress: Advance | None = None,
    patience: Patience,
) -> Remote | None:
    """Fetch the archive of a competition or data set into `target`.

    Args:
        slug: As in the page's address; OWNER/NAME for a data set.
        kind: Which of the two it is.
        target: Gets the whole archive, or nothing on any error.
        parts: A folder for an unfinished archive; a later call resumes it.
        unless: The archive that is here already; if Kaggle still has it, nothing is fetched.
        progress: Called with the bytes so far and their total, if Kaggle gives it.
        patience: How long to wait, and how often to try.

    Returns:
        The archive's identity on Kaggle; None if it is `unless`.

    Raises:
        KaggleError: No credentials, refused, not found, not reached, or cut off.
        OSError: A folder cannot be written.
    """
    subject = Subject(slug, kind, alternative=ALTERNATIVE)
    with sign_in(subject, patience) as kaggle:
        fetched = kaggle.fetch(subject, parts, unless=unless, progress=progress)
    if fetched is None:
        return None
    part, remote = fetched
    part.replace(target)
    return remote


@contextmanager
def sign_in(subject: Subject, patience: Patience) -> Iterator[Kaggle]:
    """A signed-in client.

    Args:
        subject: What the calls are about; named in errors.
        patience: How long to wait, and how often to try.

    Raises:
        KaggleError: No credentials, refused credentials, or not reached.
    """
    if not has_credentials():
        raise subject.unsigned()
    with bounded(patience), as_kaggle_error(subject, patience):
        api = import_api(subject)()
        try:
            patience.persist(lambda: quietly(api.authenticate))
        except SystemExit:
            raise subject.failed(credentials_refused(), NEW_TOKEN) from None
        with api.build_kaggle_client() as client:
            yield Kaggle(Session(api, client, patience))


class Kaggle:
    """The calls to Kaggle; each is tried again where that can help.

    Attributes:
        user: The name of the account.
        kernels: The calls that concern notebooks.
        datasets: The calls that concern data sets to which files are sent.
        leaderboards: The calls that concern a competition and its leaderboard.
    """

    def __init__(self, session: Session) -> None:
        self.user = str(session.api.config_values.get("username") or "")
        self.kernels, self.datasets = Kernels(session), Datasets(session)
        self.leaderboards = Leaderboards(session)
        self._client = session.client
        self._competitions = session.client.competitions.competition_api_client
        self._patience = session.patience
        self._ask = session.ask

    def fetch(
        self,
        subject: Subject,
        parts: Path,
        *,
        unless: Remote | None = None,
        progress: Advance | None = None,
    ) -> tuple[Path, Remote] | None:
        """The subject's archive as a file in `parts`; None if it is `unless`."""
        session = self._client.http_client()._session
        ask = self._asks_competition if subject.kind == "competition" else self._asks_dataset
        try:
            return fetch(
                ask(subject.slug),
                session,
                parts,
                patience=self._patience,
                unless=unless,
                progress=progress,
            )
        except requests.RequestException:
            kept = parts.is_dir() and any(part.stat().st_size for part in parts.iterdir())
            failed = Subject(subject.slug, subject.kind, KEPT if kept else "", ALTERNATIVE)
            with as_kaggle_error(failed, self._patience):
                raise

    def _asks_competition(self, slug: str) -> Callable[[], requests.Response]:
        from kagglesdk.competitions.types.competition_api_service import ApiDownloadDataFilesRequest

        request = ApiDownloadDataFilesRequest()
        request.competition_name = slug
        return lambda: quietly(self._competitions.download_data_files, request)

    def _asks_dataset(self, slug: str) -> Callable[[], requests.Response]:
        from kagglesdk.datasets.types.dataset_api_service import ApiDownloadDatasetRequest

        request = ApiDownloadDatasetRequest()
        request.owner_slug, request.dataset_slug = slug.split("/")
        return lambda: quietly(self._client.datasets.dataset_api_client.download_dataset, request)

    def quota(self, subject: Subject) -> Quota | None:
        """Submissions of today; None before the team's first, when Kaggle sends zeros."""
        from kagglesdk.competitions.types.competition_api_service import (
            ApiGetSubmissionLimitsRequest,
        )

        request = ApiGetSubmissionLimitsRequest()
        request.competition_name = subject.slug
        limits = self._ask(subject, lambda: self._competitions.get_submission_limits(request))
        if not limits.num_total and not limits.num_allowed_now:
            return None
        return Quota(limits.num_today, limits.num_allowed_now)

    def submissions(self, subject: Subject) -> list[Sent]:
        """All submissions of the person's team, newest first."""
        return self._ask(subject, lambda: self._list(subject.slug))

    def _list(self, slug: str) -> list[Sent]:
        from kagglesdk.competitions.types.competition_api_service import ApiListSubmissionsRequest

        request = ApiListSubmissionsRequest()
        request.competition_name, request.page_size, request.page = slug, PAGE_SIZE, 1
        found: list[Sent] = []
        for _ in range(MAX_PAGES):
            answer = self._competitions.list_submissions(request)
            found += [sent_of(listed) for listed in answer.submissions or []]
            if not answer.next_page_token:
                break
            request = ApiListSubmissionsRequest()
            request.competition_name, request.page_size = slug, PAGE_SIZE
            request.page_token = answer.next_page_token
        return found

    def submit(self, subject: Subject, csv: Path, message: str) -> Sent:
        """Upload a file and submit it.

        After a failure, Kaggle's list is checked for the file before it is submitted again, since
        each submission counts towards the day's limit.

        Raises:
            KaggleError: Kaggle did not take the file, or did not answer whether it did.
        """
        known = {sent.ref for sent in self.submissions(subject)}
        token = self._ask(subject, lambda: self._upload(subject, csv))
        return self._submit_once(subject, self._call_for(subject, token, message), message, known)

    def takes_notebooks_only(self, subject: Subject) -> bool:
        """Whether it is a code competition: a notebook is submitted, not a file.

        Not where Kaggle does not show the competition: what is sent to it then says why.
        """
        from kagglesdk.competitions.types.competition_api_service import ApiGetCompetitionRequest

        request = ApiGetCompetitionRequest()
        request.competition_name = subject.slug
        found = self._ask(
            subject, lambda: if_there(lambda: self._competitions.get_competition(request))
        )
        return found is not None and bool(found.is_kernels_submissions_only)

    def submit_notebook(
        self, subject: Subject, address: str, version: int, file_name: str, message: str
    ) -> Sent:
        """Submit a notebook's version to a code competition, once, as `submit` does a file.

        Args:
            subject: The competition.
            address: Of the notebook, OWNER/NAME.
            version: The version that ran.
            file_name: The file of its output that is scored.
            message: Kaggle's description of the submission.

        Raises:
            KaggleError: Kaggle did not take it, or did not answer whether it did.
        """
        from kagglesdk.competitions.types.competition_api_service import (
            ApiCreateCodeSubmissionRequest,
        )

        request = ApiCreateCodeSubmissionRequest()
        request.competition_name, request.file_name = subject.slug, file_name
        request.kernel_owner, request.kernel_slug = address.split("/")
        request.kernel_version, request.submission_description = version, message
        known = {sent.ref for sent in self.submissions(subject)}
        call = lambda: self._competitions.create_code_submission(request)  # noqa: E731
        return self._submit_once(subject, call, message, known)

    def _upload(self, subject: Subject, csv: Path) -> str:
        from kagglesdk.competitions.types.competition_api_service import (
            ApiStartSubmissionUploadRequest,
        )

        facts = csv.stat()
        request = ApiStartSubmissionUploadRequest()
        request.competition_name, request.file_name = subject.slug, csv.name
        request.content_length = facts.st_size
        request.last_modified_epoch_seconds = int(facts.st_mtime)
        place = self._competitions.start_submission_upload(request)
        # Not the package's own request, which has no timeout and swallows errors.
        with requests.Session() as session, csv.open("rb") as content:
            mount(session, self._patience)
            session.put(place.create_url, data=content).raise_for_status()
        return str(place.token)

    def _call_for(self, subject: Subject, token: str, message: str) -> Callable[[], Any]:
        from kagglesdk.competitions.types.competition_api_service import ApiCreateSubmissionRequest

        request = ApiCreateSubmissionRequest()
        request.competition_name, request.blob_file_tokens = subject.slug, token
        request.submission_description = message
        return lambda: self._competitions.create_submission(request)

    def _submit_once(
        self, subject: Subject, call: Callable[[], Any], message: str, known: set[int]
    ) -> Sent:
        failures: list[requests.RequestException] = []

        def attempt() -> Any:
            if failures and (found := self._new(subject.slug, message, known)):
                return found
            if failures and not is_undelivered(failures[-1]):
                raise _unsure(subject)
            try:
                return call()
            except requests.RequestException as error:
                failures.append(error)
                raise

        try:
            answer = self._patience.persist(lambda: quietly(attempt))
        except requests.RequestException:
            if not all(map(is_undelivered, failures)):
                raise _unsure(subject) from None
            with as_kaggle_error(subject, self._patience):
                raise
        if isinstance(answer, Sent):
            return answer
        listed = self._ask(subject, lambda: self._new(subject.slug, message, known))
        if listed is None and not answer.ref:
            raise subject.failed(
                f"Kaggle did not take the file: {answer.message or 'it gave no reason'}",
                f"look at {subject.page}/submissions",
            )
        return listed or not_listed_yet(answer.ref, message)

    def _new(self, slug: str, message: str, known: set[int]) -> Sent | None:
        """The submission with that message, unless it was there before."""
        listed = self._list(slug)
        return next((s for s in listed if s.message == message and s.ref not in known), None)


def _unsure(subject: Subject) -> KaggleError:
    return Subject(subject.slug).failed(
        f"Kaggle did not say whether it took the file for {subject.slug}",
        f"look at {subject.page}/submissions, and run the same command again: it checks Kaggle's "
        "list first, and never sends a file twice",
    )
