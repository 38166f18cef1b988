"""Waits for a database that is away, with longer and longer pauses, for five minutes at most."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    OperationalError,
    PendingRollbackError,
    SQLAlchemyError,
)

from pipelines.secret_texts import redacted
from pipelines.tuning.storage import Say, StorageError, StorageFullError, StorageLostError

LIMIT_S = 300.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 15.0
FULL = ("disk is full", "disk i/o error", "no space left", "could not extend file", "is full")
BUSY = ("locked", "starting up", "shutting down", "too many", "deadlock")

Result = TypeVar("Result")


class Patience:
    """Calls that are made again while their database is away.

    Attributes:
        name: Of the database, without its password.
        recovered_at: When it last came back, by the monotonic clock.
    """

    def __init__(self, name: str, say: Say | None) -> None:
        self.name = name
        self.recovered_at = float("-inf")
        self._say = say or (lambda _: None)
        self._lock = threading.Lock()
        self._away_since: float | None = None
        self._is_over = False

    def call(self, what: Callable[[], Result]) -> Result:
        """What the call gives, once the database answers.

        Raises:
            StorageError: The database answers that it cannot.
            StorageFullError: It has no room on its disk.
            StorageLostError: It did not answer for five minutes.
        """
        pause = FIRST_PAUSE_S
        while True:
            try:
                result = what()
            except (StorageInternalError, SQLAlchemyError) as error:
                self._failed(error)
            else:
                self._answered()
                return result
            self._pause(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _pause(self, seconds: float) -> None:
        try:
            time.sleep(seconds)
        except KeyboardInterrupt:
            self._is_over = True  # what is tidied up on the way out does not wait again
            raise

    def _failed(self, error: Exception) -> None:
        reason = redacted(reason_of(error))
        if is_full(error):
            raise full(self.name, reason) from error
        if not is_away(error):
            raise StorageError(
                f"the storage {self.name} failed: {reason}; what it holds is kept: mend it, and "
                "type the same command again to continue"
            ) from error
        now = time.monotonic()
        with self._lock:
            is_new, self._away_since = self._away_since is None, self._away_since or now
            is_over = self._is_over or now - self._away_since > LIMIT_S
        if is_over:
            raise StorageLostError(
                f"the storage {self.name} does not answer ({reason}); trials that had ended are "
                "kept there: when it is back, type the same command again to continue"
            ) from error
        if is_new:
            self._say(
                f"the storage {self.name} does not answer ({reason}); "
                f"waiting for it, {LIMIT_S / 60:.0f} minutes at most"
            )

    def _answered(self) -> None:
        with self._lock:
            if self._away_since is not None:
                self._away_since, self.recovered_at = None, time.monotonic()


def is_away(error: Exception) -> bool:
    """Whether the database may answer later, rather than that the call was wrong."""
    cause = _cause(error)
    if isinstance(cause, OperationalError) and "sqlite3" in type(cause.orig).__module__:
        return is_busy(cause)
    is_cut = isinstance(cause, DBAPIError) and cause.connection_invalidated
    # Optuna asks again by the connection that was cut.
    return is_cut or isinstance(cause, OperationalError | InterfaceError | PendingRollbackError)


def is_full(error: Exception) -> bool:
    """Whether the database's disk refuses to write."""
    text = str(_cause(error)).lower()
    return isinstance(_cause(error), DBAPIError) and any(words in text for words in FULL)


def full(name: str, reason: str) -> StorageFullError:
    """The error of a storage of that name whose disk refuses to write."""
    return StorageFullError(
        f"the storage {name}: not written: {reason}; what it holds is kept: free some room on its "
        "disk, then type the same command again to continue"
    )


def is_busy(error: Exception) -> bool:
    """Whether the database is there, but cannot answer at this moment."""
    text = str(_cause(error)).lower()
    return isinstance(_cause(error), DBAPIError) and any(word in text for word in BUSY)


def reason_of(error: Exception) -> str:
    """The error's own words, on one line."""
    cause = _cause(error)
    if isinstance(cause, PendingRollbackError):
        return "the connection was cut"
    text = str(cause.orig) if isinstance(cause, DBAPIError) and cause.orig else str(cause)
    return next((line.strip() for line in text.splitlines() if line.strip()), type(cause).__name__)


def _cause(error: Exception) -> BaseException:
    is_wrapped = isinstance(error, StorageInternalError) and error.__cause__ is not None
    return error.__cause__ if is_wrapped and error.__cause__ else error
