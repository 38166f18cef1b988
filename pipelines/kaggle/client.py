"""A client of Kaggle on its official package; the only file that imports it.

That package is imported inside functions: the import makes a folder and, if a token is set, a
network call. It prints on standard output, which is for results alone, so its output is discarded.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

import requests
from requests.adapters import HTTPAdapter

from pipelines.console import Advance
from pipelines.kaggle.credentials import has_credentials
from pipelines.kaggle.errors import (
    ALTERNATIVE,
    NEW_TOKEN,
    KaggleError,
    Subject,
    as_kaggle_error,
    credentials_refused,
)
from pipelines.kaggle.http_faults import is_undelivered
from pipelines.kaggle.retry import Patience
from pipelines.kaggle.transfer import Remote, fetch
from pipelines.secret_texts import redacted

PAGE_SIZE, MAX_PAGES = 100, 20  # submissions on a page, and pages
KEPT = "the bytes received are kept: the same command resumes there"

T = TypeVar("T")


@dataclass(frozen=True)
class Sent:
    """One of the team's submissions, as Kaggle lists it.

    Attributes:
        ref: Kaggle's number of the submission.
        file_name: As uploaded.
        n_bytes: Size of the file, if Kaggle gives it.
        message: The description given with the upload.
        time_utc: When Kaggle received it.
        status: Where its scoring is.
        public_score: On the public part of the test rows, once Kaggle shows it.
        private_score: On the private part, after the competition.
        reason: Why Kaggle refused the file, if it did.
    """

    ref: int
    file_name: str
    n_bytes: int | None
    message: str
    time_utc: datetime
    status: Literal["pending", "complete", "error"]
    public_score: float | None
    private_score: float | None
    reason: str


@dataclass(frozen=True)
class Quota:
    """How many submissions were made today, and how many more Kaggle takes; days are of UTC."""

    n_today: int
    n_left: int


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
    with _bounded(patience), as_kaggle_error(subject, patience):
        api = _import_api(subject)()
        try:
            patience.persist(lambda: _quietly(api.authenticate))
        except SystemExit:
            raise subject.failed(credentials_refused(), NEW_TOKEN) from None
        with api.build_kaggle_client() as client:
            yield Kaggle(client, patience)


class Kaggle:
    """The calls to Kaggle; each is tried again where that can help."""

    def __init__(self, client: Any, patience: Patience) -> None:
        self._client = client
        self._competitions = client.competitions.competition_api_client
        self._patience = patience

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
        return lambda: _quietly(self._competitions.download_data_files, request)

    def _asks_dataset(self, slug: str) -> Callable[[], requests.Response]:
        from kagglesdk.datasets.types.dataset_api_service import ApiDownloadDatasetRequest

        request = ApiDownloadDatasetRequest()
        request.owner_slug, request.dataset_slug = slug.split("/")
        return lambda: _quietly(self._client.datasets.dataset_api_client.download_dataset, request)

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
            found += [_sent(listed) for listed in answer.submissions or []]
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
        return self._submit_upload(subject, token, message, known)

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
            _mount(session, self._patience)
            session.put(place.create_url, data=content).raise_for_status()
        return str(place.token)

    def _submit_upload(self, subject: Subject, token: str, message: str, known: set[int]) -> Sent:
        from kagglesdk.competitions.types.competition_api_service import ApiCreateSubmissionRequest

        request = ApiCreateSubmissionRequest()
        request.competition_name, request.blob_file_tokens = subject.slug, token
        request.submission_description = message
        failures: list[requests.RequestException] = []

        def attempt() -> Any:
            if failures and (found := self._new(subject.slug, message, known)):
                return found
            if failures and not is_undelivered(failures[-1]):
                raise _unsure(subject)
            try:
                return self._competitions.create_submission(request)
            except requests.RequestException as error:
                failures.append(error)
                raise

        try:
            answer = self._patience.persist(lambda: _quietly(attempt))
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
        return listed or _not_listed_yet(answer.ref, message)

    def _new(self, slug: str, message: str, known: set[int]) -> Sent | None:
        """The submission with that message, unless it was there before."""
        listed = self._list(slug)
        return next((s for s in listed if s.message == message and s.ref not in known), None)

    def _ask(self, subject: Subject, call: Callable[[], T]) -> T:
        with as_kaggle_error(subject, self._patience):
            return self._patience.persist(lambda: _quietly(call))


def _unsure(subject: Subject) -> KaggleError:
    return Subject(subject.slug).failed(
        f"Kaggle did not say whether it took the file for {subject.slug}",
        f"look at {subject.page}/submissions, and run the same command again: it checks Kaggle's "
        "list first, and never sends a file twice",
    )


def _sent(listed: Any) -> Sent:
    time_utc = listed.date or datetime.now(UTC)
    return Sent(
        ref=listed.ref,
        file_name=listed.file_name or "",
        n_bytes=listed.total_bytes or None,
        message=listed.description or "",
        time_utc=time_utc if time_utc.tzinfo else time_utc.replace(tzinfo=UTC),
        status=listed.status.name.lower(),
        public_score=_score(listed.public_score),
        private_score=_score(listed.private_score),
        reason=redacted(" ".join((listed.error_description or "").split())),
    )


def _not_listed_yet(ref: int, message: str) -> Sent:
    """A submission that Kaggle took, before Kaggle lists it."""
    now = datetime.now(UTC)
    return Sent(ref, "", None, message, now, "pending", None, None, "")


def _score(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None


def _quietly(call: Callable[..., T], *arguments: object) -> T:
    with redirect_stdout(io.StringIO()):
        return call(*arguments)


def _import_api(subject: Subject) -> Any:
    """The package's class; with VERBOSE set it would print each request, credentials included."""
    verbose = {name: os.environ.pop(name, None) for name in ("VERBOSE", "VERBOSE_OUTPUT")}
    try:
        return _quietly(_import)
    except ImportError as error:
        raise subject.failed(
            f"the kaggle package cannot be imported ({error})",
            "type: pip install 'foldwise[kaggle]'",
        ) from error
    except OSError as error:
        raise subject.failed(
            f"the kaggle package cannot make its folder {error.filename} ({error.strerror})",
            "set KAGGLE_CONFIG_DIR to a folder that can be written",
        ) from error
    finally:
        os.environ.update({name: text for name, text in verbose.items() if text is not None})


def _import() -> Any:
    from kaggle.api.kaggle_api_extended import KaggleApi

    return KaggleApi


class _BoundedAdapter(HTTPAdapter):
    """Sets a timeout on requests that have none."""

    def __init__(self, patience: Patience) -> None:
        super().__init__()
        self._timeout_s = (patience.connect_timeout_s, patience.read_timeout_s)

    def send(self, request: Any, *arguments: Any, **settings: Any) -> requests.Response:
        if settings.get("timeout") is None:
            settings["timeout"] = self._timeout_s
        return super().send(request, *arguments, **settings)


def _mount(session: requests.Session, patience: Patience) -> None:
    for scheme in ("https://", "http://"):
        session.mount(scheme, _BoundedAdapter(patience))


@contextmanager
def _bounded(patience: Patience) -> Iterator[None]:
    """Set a timeout on every session of the package within; by default it has none.

    Patched on the class before the package is imported, because the import already signs in.
    """
    from kagglesdk import kaggle_http_client

    client_class: Any = kaggle_http_client.KaggleHttpClient
    make_session = client_class._init_session

    def bounded(client: Any) -> None:
        is_new = client._session is None
        make_session(client)
        if is_new:
            _mount(client._session, patience)

    client_class._init_session = bounded
    try:
        yield
    finally:
        client_class._init_session = make_session
