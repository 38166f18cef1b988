"""What is wrong with an MLflow store, on one line, and what to do about it."""

from __future__ import annotations

import re
from pathlib import Path

from pipelines.secret_texts import redacted
from pipelines.tracking.stores import Store

OTHER_VERSION = re.compile(r"found version (\w+), but expected (\w+)")


class StoreFaultError(RuntimeError):
    """The workspace's own database cannot be used; the text says why and what to do."""

    exit_code = 4


def reason(error: BaseException, store: Store) -> str:
    """Why the store did not take something, without its password."""
    text = (str(error) or type(error).__name__).strip()
    if isinstance(error, StoreFaultError):
        return text
    if found := OTHER_VERSION.search(text):
        return _of_another_version(found[1], store)
    if isinstance(error, ImportError):
        return f"its driver {error.name or text} is not installed; type: pip install {error.name}"
    first = text.splitlines()[0]
    database = store.database
    if database is not None and "sqlite3." in first:
        return of_sqlite(first, database)
    return redacted(first, store.uri)


def of_sqlite(text: str, database: Path) -> str:
    """What SQLite says, and what helps."""
    what = text.rpartition(") ")[2]
    if "locked" in text or "busy" in text:
        return f"{what}: another program holds {_shown(database)}; end it, or wait for it"
    if database.is_dir():
        return f"{_shown(database)} is a folder; {_aside(database)}"
    if "not a database" in text or "malformed" in text or "encrypted" in text:
        return f"{what}; {_aside(database)}"
    return f"{what}; look whether {_shown(database)} can be read and written; {_aside(database)}"


def _of_another_version(revision: str, store: Store) -> str:
    aside = f"; or {_aside(store.database)}" if store.database is not None else ""
    if _is_known(revision):
        return (
            "an older MLflow made it; copy it first, then type: mlflow db upgrade "
            f"{store.name}{aside}"
        )
    return f"a newer MLflow made it; type: pip install --upgrade mlflow{aside}"


def _is_known(revision: str) -> bool:
    """Whether MLflow can bring a database of that revision to its own."""
    import mlflow.store
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    migrations = Path(mlflow.store.__file__).parent / "db_migrations"
    try:
        return ScriptDirectory(str(migrations)).get_revision(revision) is not None
    except CommandError:
        return False


def _aside(database: Path) -> str:
    """How to go on with a new database."""
    shown = _shown(database)
    kept = shown.with_name(f"{shown.stem}-old")
    return f"to begin a new one, type: mkdir {kept} && mv {shown}* {kept}"


def _shown(database: Path) -> Path:
    """The path as a person in this folder would type it."""
    here = Path.cwd()
    return database.relative_to(here) if database.is_relative_to(here) else database
