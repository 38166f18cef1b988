"""Writes a study's MLflow runs from a process of its own, so that the study never waits for them.

mlflow takes seconds to import and some 20 ms per run; the other core does that meanwhile.
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
    from pipelines.tuning.mlflow_records import Parent


class StudyWriter:
    """Takes records and never waits, until it is asked to finish."""

    @staticmethod
    def maybe(tracker: Tracker | None, parent: Parent) -> StudyWriter:
        """A writer, or one that writes nothing where nothing is to be tracked."""
        if tracker is None:
            return StudyWriter()
        return MLflowWriter(
            parent.record, experiment=parent.competition, root=tracker.root, store=tracker.store
        )

    def write(self, records: Sequence[Record]) -> None:
        """Take this process's children so far; those that were taken before are left out."""

    def finish(self, family: Family) -> str | None:  # noqa: ARG002
        """Wait until all is written; the parent's MLflow id."""
        return None

    def __enter__(self) -> StudyWriter:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left open."""


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
        # A pipe takes no more than 64 KiB; the thread waits in the study's place.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mlflow-sender")
        self._sent: set[str] = set()

    def write(self, records: Sequence[Record]) -> None:
        """Take this process's children so far; those that were taken before are left out."""
        for record in records:
            if record.name not in self._sent:
                self._sent.add(record.name)
                self._thread.submit(self._ours.send, record)

    def finish(self, family: Family) -> str | None:
        """Wait until all is written; the parent's MLflow id.

        Raises:
            TrackingError: the server cannot be reached, or refused.
        """
        self._thread.submit(self._ours.send, family)
        answer: Future[str | TrackingError] = self._thread.submit(self._ours.recv)
        try:
            told = answer.result()
        except (EOFError, OSError) as error:
            raise TrackingError(
                "the process that writes to MLflow has ended; the study is whole on disk; type the "
                "same command again to write it"
            ) from error
        if isinstance(told, TrackingError):
            raise told
        return told

    def __exit__(self, *_: object) -> None:
        """Let the process write what it has, and end."""
        self._thread.shutdown()
        self._ours.close()
        self._process.join()


def _serve(
    connection: Connection, parent: Record, experiment: str, root: Path, store: Store
) -> None:
    """Write what comes, then say what the parent is called or what went wrong."""
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
            pass  # the study goes on, and its pipe must not fill
    try:
        connection.send(answer)
    except OSError:
        return  # a study that was ended does not wait for an answer


def _received(connection: Connection) -> Iterator[Record | Family]:
    """The children as they come, and in the end the family, unless the study was ended."""
    message: Record | Family | None = None
    while not isinstance(message, Family):
        try:
            message = connection.recv()
        except (EOFError, OSError):
            return
        yield message
