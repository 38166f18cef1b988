"""Data sets on Kaggle to which files are sent: made once, then a version for each new content."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import requests

from pipelines.kaggle.errors import AGAIN, Subject, as_kaggle_error
from pipelines.kaggle.http_faults import is_undelivered
from pipelines.kaggle.session import Session, heard, if_there, mount, quietly

AS_ZIP = {"quiet": True, "dir_mode": "zip"}

Call = Callable[[Any], Any]


class Datasets:
    """The calls that concern data sets; subjects are data sets, OWNER/NAME."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def _calls(self) -> Any:
        return self._session.client.datasets.dataset_api_client

    def version(self, subject: Subject) -> int:
        """The newest version; 0 where there is no such data set."""
        return self._session.ask(subject, lambda: self._version(subject))

    def _version(self, subject: Subject) -> int:
        from kagglesdk.datasets.types.dataset_api_service import ApiGetDatasetRequest

        request = ApiGetDatasetRequest()
        request.owner_slug, request.dataset_slug = subject.slug.split("/")
        found = if_there(lambda: self._calls.get_dataset(request))
        return 0 if found is None else int(found.current_version_number or 1)

    def state(self, subject: Subject) -> Literal["pending", "ready", "failed"]:
        """Whether notebooks can use the newest version."""
        return self._session.ask(subject, lambda: self._state(subject))

    def _state(self, subject: Subject) -> Literal["pending", "ready", "failed"]:
        from kagglesdk.datasets.types.dataset_api_service import ApiGetDatasetStatusRequest

        request = ApiGetDatasetStatusRequest()
        request.owner_slug, request.dataset_slug = subject.slug.split("/")
        found = if_there(lambda: self._calls.get_dataset_status(request))
        word = found.status.name if found is not None else ""  # right after it was made
        return "ready" if word == "READY" else "failed" if word == "FAILED" else "pending"

    def send(self, subject: Subject, folder: Path, note: str, *, before: int, public: bool) -> None:
        """Send the files of a folder: as a new data set, or as the next version of one.

        Args:
            subject: The data set.
            folder: Holds the files and `dataset-metadata.json`.
            note: What the version is.
            before: The newest version that Kaggle has, 0 for none.
            public: Whether everybody may see a new data set; of one that is there it stays as is.

        Raises:
            KaggleError: Kaggle did not take the files, or did not say whether it did.
        """
        session = replace(self._session, patience=heard(self._session.patience))
        api, sending = session.api, _Sending(session, lambda: self._version(subject))
        api._upload_blob, api.with_retry = sending.upload, sending.retried(subject, before)
        with as_kaggle_error(subject, self._session.patience):
            if before:
                answer = quietly(api.dataset_create_version, str(folder), note, **AS_ZIP)
            else:
                answer = quietly(api.dataset_create_new, str(folder), public=public, **AS_ZIP)
        if answer.error or answer.status == "error":
            raise subject.failed(
                f"Kaggle did not take {subject.slug}: {answer.error or 'it gave no reason'}",
                f"look at {subject.page}",
            )


@dataclass(frozen=True)
class _Sending:
    """How the client's own sending is made patient and honest.

    By itself it leaves a file out whose upload failed, waits for ever, goes on with an upload of
    days ago, whose signed address it keeps on disk, and makes a data set twice where an answer is
    lost.
    """

    session: Session
    version: Callable[[], int]

    def upload(self, path: str, _: bool, blob_type: Any, *__: object) -> str:  # noqa: FBT001
        """Send a file to the storage, in place of the client's `_upload_blob`; its token."""
        from kagglesdk.blobs.types.blob_api_service import ApiStartBlobUploadRequest

        file, request = Path(path), ApiStartBlobUploadRequest()
        request.type, request.name = blob_type, file.name
        request.content_length = file.stat().st_size
        request.last_modified_epoch_seconds = int(file.stat().st_mtime)

        def attempt() -> str:
            place = self.session.client.blobs.blob_api_client.start_blob_upload(request)
            with requests.Session() as session, file.open("rb") as content:
                mount(session, self.session.patience)
                session.put(place.create_url, data=content).raise_for_status()
            return str(place.token)

        return self.session.patience.persist(attempt)

    def retried(self, subject: Subject, before: int) -> Callable[[Call], Call]:
        """Makes a call patient, in place of the client's `with_retry`."""

        def patient(call: Call) -> Call:
            if call.__name__.startswith("create"):
                return lambda request: self._once(subject, before, lambda: call(request))
            return lambda request: self.session.patience.persist(lambda: call(request))

        return patient

    def _once(self, subject: Subject, before: int, call: Callable[[], Any]) -> Any:
        """Where an answer is lost, Kaggle is asked whether it took the files."""
        lost: list[requests.RequestException] = []

        def attempt() -> Any:
            if lost:
                return self._taken(subject, before)
            try:
                return call()
            except requests.RequestException as error:
                lost.extend([] if is_undelivered(error) else [error])
                raise

        return self.session.patience.persist(attempt)

    def _taken(self, subject: Subject, before: int) -> Any:
        from kagglesdk.datasets.types.dataset_api_service import ApiCreateDatasetResponse

        if self.version() > before:
            return ApiCreateDatasetResponse()
        raise subject.failed(
            f"Kaggle did not say whether it took the files of {subject.slug}",
            f"look at {subject.page}, and {AGAIN}: it asks Kaggle first",
        )
