"""Logs a study's MLflow runs from a process of its own, so that the study never waits for them.

mlflow takes seconds to import and some 20 ms for each run; another core does that meanwhile.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.tracking.log import log_growing_family
from pipelines.tracking.record import Family, Record
from pipelines.tracking.stores import Store, TrackingError

if TYPE_CHECKING:
    from pipelines.tracking.tracker import Tracker


class StudyWriter:
    """Takes records without waiting, until it is asked to finish."""

    @staticmethod
    def maybe(tracker: Tracker | None, parent: Record, experiment: str) -> StudyWriter:
        """A writer to the tracker's store; without a tracker, one that writes nothing."""
        if tracker is None:
            return StudyWriter()
        return MLflowWriter(parent, experiment=experiment, root=tracker.root, store=tracker.store)

    def write(self, records: Sequence[Record]) -> None:
        """Take this process's children so far; those that were taken before are skipped."""

    def finish(self, family: Family) -> str | None:  # noqa: ARG002
        """Wait until all is written; the parent's MLflow id."""
        return None

    def __enter__(self) -> StudyWriter:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""


class MLflowWriter(StudyWriter):
    """The writer to one store."""

    def __init__(self, parent: Record, *, experiment: str, root: Path, store: Store) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, parent, experiment, root, store), name="mlflow-writer"
        )
        self._process.start()
        theirs.close()
        # A pipe takes no more than 64 KiB; the thread waits instead of the study.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mlflow-sender")
        self._sent: set[str] = set()

    def write(self, records: Sequence[Record]) -> None:
        """Take this process's children so far; those that were taken before are skipped."""
        for record in records:
            if record.name not in self._sent:
                self._sent.add(record.name)
                self._thread.submit(self._ours.send, record)

    def finish(self, family: Family) -> str | None:
        """Wait until all is written; the parent's MLflow id.

        Raises:
            TrackingError: The server cannot be reached, or refused.
        """
        self._thread.submit(self._ours.send, family)
        answer: Future[str | TrackingError] = self._thread.submit(self._ours.recv)
        try:
            result = answer.result()
        except (EOFError, OSError) as error:
            raise TrackingError(
                "the process that writes to MLflow has ended; the study is whole on disk; type the "
                "same command again to write it"
            ) from error
        if isinstance(result, TrackingError):
            raise result
        return result

    def __exit__(self, *_: object) -> None:
        """Let the process write what it has, and end."""
        self._thread.shutdown()
        self._ours.close()
        self._process.join()


def _serve(
    connection: Connection, parent: Record, experiment: str, root: Path, store: Store
) -> None:
    """Write what comes, then send back the parent's id or the error."""
    # Ctrl-C is for the study, which closes the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answer: str | TrackingError
    try:
        answer = log_growing_family(
            parent, _received(connection), experiment=experiment, root=root, store=store
        )
    except TrackingError as error:
        answer = error
        for _ in _received(connection):
            pass  # the study continues, and its pipe must not fill
    try:
        connection.send(answer)
    except OSError:
        return  # the study has ended and does not wait for an answer


def _received(connection: Connection) -> Iterator[Record | Family]:
    """The children as they come, and at the end the family, unless the study was stopped."""
    message: Record | Family | None = None
    while not isinstance(message, Family):
        try:
            message = connection.recv()
        except (EOFError, OSError):
            return
        yield message
