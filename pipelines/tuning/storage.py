"""Where a study is stored: a journal file in its folder, or a database that many workers share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from optuna.storages import BaseStorage
from optuna.storages.journal import BaseJournalBackend, JournalStorage

from pipelines.tuning.journal import JournalFile, damaged
from pipelines.workspace.stored import DamagedFileError

JOURNAL = "journal.log"
Say = Callable[[str], None]


class StorageError(RuntimeError):
    """The study's storage cannot be opened, or cannot hold the study."""

    exit_code = 2


class StorageFullError(StorageError):
    """The disk of the study's database refuses to write, most often because it is full."""

    exit_code = 3


class StorageLostError(RuntimeError):
    """The study's database went away and did not come back."""

    exit_code = 4


class _Journal(JournalFile, BaseJournalBackend):
    """Our journal file as a journal backend of Optuna's."""


def open_storage(address: str | None, folder: Path, say: Say | None = None) -> BaseStorage:
    """The storage at that address; the journal in the folder where there is none.

    Args:
        address: A URL as SQLAlchemy takes it.
        folder: The study's.
        say: Takes a warning while a database is waited for.

    Raises:
        StorageError: It cannot be opened.
        DamagedFileError: The journal holds something else than a study.
    """
    if address is None:
        return _open_journal(folder / JOURNAL)
    from pipelines.tuning.database import open_database

    return open_database(address, say)


def _open_journal(path: Path) -> JournalStorage:
    """The journal, of which each operation is replayed.

    Raises:
        DamagedFileError: One cannot be.
    """
    try:
        return JournalStorage(_Journal(path))
    except DamagedFileError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, AssertionError) as error:
        what = f"what is no study ({type(error).__name__}: {error})"
        raise damaged(path, what) from error


def check_storage(address: str | None) -> None:
    """Find out at once whether studies can be stored at that address.

    Raises:
        StorageError: It cannot be opened.
    """
    if address is not None:
        from pipelines.tuning.database import open_database

        open_database(address).engine.dispose()
