"""The workspace's own MLflow database: looked at before MLflow opens it, and moved with its folder.

MLflow retries for an hour what cannot be opened, and two that open a new database at once spoil
each other's migrations. Its addresses of artifacts are absolute, so a workspace that was moved or
copied has those of its old place until they are rewritten here.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pipelines.tracking.faults import StoreFaultError, of_sqlite
from pipelines.workspace import files
from pipelines.workspace.layout import Workspace

LOCK_TIMEOUT_S = 10.0
ADDRESSES = (  # where MLflow keeps the address of a file or folder
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


@contextlib.contextmanager
def ready(root: Path) -> Iterator[None]:
    """Within it MLflow may open the workspace's database, and no other process of ours does.

    Raises:
        StoreFaultError: It is locked, or no database.
    """
    database = Workspace(root).database
    with files.locked(Workspace(root).database_lock, wait=True):
        if database.exists():
            _follow(database, root)
        yield


def _follow(database: Path, root: Path) -> None:
    """Rewrite the addresses of a workspace that was moved or copied."""
    with _opened(database) as connection:
        for old, new in _moves(connection, root).items():
            for table, column in _present(connection):
                connection.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) "
                    f"WHERE substr({column}, 1, ?) = ?",
                    (new, len(old) + 1, len(old), old),
                )
        connection.commit()


def _moves(connection: sqlite3.Connection, root: Path) -> dict[str, str]:
    """The addresses of the workspace's former places, and its present one."""
    here = root.resolve()
    found = dict[str, str]()
    if not any(column == "artifact_location" for _, column in _present(connection)):
        return found  # nothing is in it yet
    for name, address in connection.execute("SELECT name, artifact_location FROM experiments"):
        inside = Workspace(root).artifacts(name).resolve().relative_to(here)
        place = Path(unquote(urlsplit(address or "").path))
        is_ours = place.parts[-len(inside.parts) :] == inside.parts
        if is_ours and (there := place.parents[len(inside.parts) - 1]) != here:
            found[f"{there.as_uri()}/"] = f"{here.as_uri()}/"
    return found


def _present(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """Those tables and columns that this version of MLflow has."""
    for table, column in ADDRESSES:
        columns = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        if column in columns:
            yield table, column


@contextlib.contextmanager
def _opened(database: Path) -> Iterator[sqlite3.Connection]:
    try:
        with contextlib.closing(sqlite3.connect(database, timeout=LOCK_TIMEOUT_S)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise StoreFaultError(of_sqlite(str(error), database)) from error
