"""Notebooks on Kaggle: pushed, looked at, their log and output, and the GPU time that is left.

Kaggle calls them kernels. It answers about a notebook's newest version only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import requests

from pipelines.kaggle.errors import AGAIN, NotTakenError, Subject
from pipelines.kaggle.http_faults import is_undelivered
from pipelines.kaggle.log_stream import LogStream, pieces
from pipelines.kaggle.output_files import Output, fetch_all
from pipelines.kaggle.session import Session, if_there
from pipelines.secret_texts import redacted

Word = Literal["queued", "running", "complete", "error", "cancelled"]
WORDS: dict[str, Word] = {
    "QUEUED": "queued",
    "NEW_SCRIPT": "queued",
    "RUNNING": "running",
    "COMPLETE": "complete",
    "ERROR": "error",
    "CANCEL_REQUESTED": "cancelled",
    "CANCEL_ACKNOWLEDGED": "cancelled",
}
PAGE_SIZE = 200  # output files on a page


@dataclass(frozen=True)
class State:
    """Where a notebook's newest version is.

    Attributes:
        word: In one word.
        reason: Why it failed, if it did and Kaggle tells.
    """

    word: Word
    reason: str = ""

    @property
    def is_over(self) -> bool:
        """Whether nothing will happen any more."""
        return self.word not in ("queued", "running")


@dataclass(frozen=True)
class Seen:
    """A notebook as Kaggle has it.

    Attributes:
        version: Its newest; 0 where Kaggle does not tell.
        machine: The accelerator of its last session, as Kaggle calls it; may be empty.
    """

    version: int
    machine: str


@dataclass(frozen=True)
class Pushed:
    """What Kaggle made of a push.

    Attributes:
        version: Of the notebook.
        address: OWNER/NAME; another one than asked for where the title gave another name.
        not_added: Inputs that Kaggle did not take.
    """

    version: int
    address: str
    not_added: tuple[str, ...] = ()


@dataclass(frozen=True)
class GpuTime:
    """The GPU time of a week."""

    used: timedelta
    allowed: timedelta
    renewed_utc: datetime | None

    @property
    def left(self) -> timedelta:
        """What is not used up yet."""
        return max(timedelta(), self.allowed - self.used)


class Kernels:
    """The calls that concern notebooks; subjects are notebooks, OWNER/NAME."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def _calls(self) -> Any:
        return self._session.client.kernels.kernels_api_client

    def gpu_time(self, subject: Subject) -> GpuTime | None:
        """How much GPU time is left this week; None where Kaggle or its client does not tell."""
        view = getattr(self._session.api, "quota_view", None)
        answer = self._session.ask(subject, lambda: if_there(view)) if view else None
        quota = None if answer is None else answer.gpu_quota
        if answer is None or quota is None or not quota.total_time_allowed:
            return None
        used = (quota.time_used or timedelta()) + (quota.time_reserved or timedelta())
        return GpuTime(used, quota.total_time_allowed, answer.quota_refresh_time)

    def look(self, subject: Subject) -> Seen | None:
        """The notebook as Kaggle has it; None where there is none."""
        return self._session.ask(subject, lambda: if_there(lambda: self._look(subject)))

    def _look(self, subject: Subject) -> Seen:
        from kagglesdk.kernels.types.kernels_api_service import ApiGetKernelRequest

        request = ApiGetKernelRequest()
        request.user_name, request.kernel_slug = subject.slug.split("/")
        found = self._calls.get_kernel(request).metadata
        return Seen(found.current_version_number or 0, found.machine_shape or "")

    def push(
        self, subject: Subject, folder: Path, *, accelerator: str | None, before: int
    ) -> Pushed:
        """Push the notebook of a folder, which Kaggle then runs.

        Where an answer is lost, Kaggle is asked whether it took the notebook; it is not pushed
        again as long as that is open.

        Args:
            subject: The notebook.
            folder: Holds it and `kernel-metadata.json`.
            accelerator: As Kaggle's client takes it; None for what the metadata ask for.
            before: The newest version that Kaggle has, 0 for none.

        Raises:
            KaggleError: Kaggle did not take it, or did not say whether it did.
        """
        lost: list[requests.RequestException] = []

        def attempt() -> Pushed:
            if lost:
                return self._taken(subject, before)
            try:
                answer = self._session.api.kernels_push(str(folder), acc=accelerator)
            except requests.RequestException as error:
                lost.extend([] if is_undelivered(error) else [error])
                raise
            return self._pushed(subject, answer, before)

        return self._session.ask(subject, attempt)

    def _taken(self, subject: Subject, before: int) -> Pushed:
        seen = if_there(lambda: self._look(subject))
        if seen is not None and seen.version > before:
            return Pushed(seen.version, subject.slug)
        raise Subject(subject.slug, "notebook").failed(
            f"Kaggle did not say whether it took {subject.slug}",
            f"look at {subject.page}, and {AGAIN}: it asks Kaggle first, and never pushes twice "
            "what is running",
        )

    def _pushed(self, subject: Subject, answer: Any, before: int) -> Pushed:
        if answer.error:
            raise _not_taken(subject, answer.error)
        named = (answer.invalid_dataset_sources, answer.invalid_competition_sources)
        address = "/".join((answer.url or "").rstrip("/").rpartition("/code/")[2].split("/")[:2])
        return Pushed(
            answer.version_number or before + 1,
            address if address.count("/") == 1 else subject.slug,
            tuple(source for sources in named for source in sources or ()),
        )

    def state(self, subject: Subject) -> State | None:
        """Where the newest version is; None where Kaggle does not know the notebook (yet)."""
        return self._session.ask(subject, lambda: if_there(lambda: self._state(subject)))

    def _state(self, subject: Subject) -> State:
        from kagglesdk.kernels.types.kernels_api_service import ApiGetKernelSessionStatusRequest

        request = ApiGetKernelSessionStatusRequest()
        request.user_name, request.kernel_slug = subject.slug.split("/")
        answer = self._calls.get_kernel_session_status(request)
        reason = redacted(" ".join((answer.failure_message or "").split()))
        return State(WORDS.get(answer.status.name, "running"), reason)

    def log(self, subject: Subject) -> LogStream:
        """The log of the newest version, to be read while it grows."""
        return LogStream(self._session.api, subject.slug)

    def outputs(self, subject: Subject) -> tuple[list[Output], list[str]]:
        """The files that the newest version made, and the lines of its log."""
        return self._session.ask(subject, lambda: self._outputs(subject))

    def _outputs(self, subject: Subject) -> tuple[list[Output], list[str]]:
        from kagglesdk.kernels.types.kernels_api_service import ApiListKernelSessionOutputRequest

        found: list[Output] = []
        log, token = "", ""
        while True:
            request = ApiListKernelSessionOutputRequest()
            request.user_name, request.kernel_slug = subject.slug.split("/")
            request.page_size, request.page_token = PAGE_SIZE, token
            answer = self._calls.list_kernel_session_output(request)
            found += [Output(file.file_name, file.url) for file in answer.files or []]
            log, token = log or answer.log, answer.next_page_token
            if not token:
                return found, pieces(log)

    def fetch(self, subject: Subject, outputs: Sequence[Output], folder: Path) -> None:
        """Fetch the files of an output into a folder; those that lie there already are kept."""
        fetch_all(subject, outputs, folder, self._session.patience)


def _not_taken(subject: Subject, reason: str) -> NotTakenError:
    """Source: issues 545 and 575 of Kaggle/kaggle-cli for `Notebook not found`."""
    what = f"Kaggle did not take {subject.slug}: {reason}"
    next_step = f"look at {subject.page}"
    if "not found" in reason.lower():
        next_step = (
            "it was deleted, belongs to another account, or was never saved there: open "
            f"{subject.page}, save a version, and {AGAIN}"
        )
    return NotTakenError(str(subject.failed(what, next_step)))
