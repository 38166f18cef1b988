"""Settings during calls to MLflow: no log messages, few retries, quick commits."""

from __future__ import annotations

import logging
import os
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

# By default mlflow retries an unreachable server for many minutes; what the person set wins.
RETRIES = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "30"}
# "View run …" on the standard output, which may be for one JSON object.
SILENCE = {"MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}


@contextmanager
def for_a_call() -> Iterator[None]:
    """All settings of this file."""
    with quiet(), limited_retries(), quick_commits():
        yield


@contextmanager
def quick_commits() -> Iterator[None]:
    """Let SQLite keep a write-ahead log, so that a commit need not wait for the disk.

    MLflow commits six times for each run, and each commit otherwise waits 5 to 15 ms. The store
    survives a kill, and a loss of power except for the last second's runs.

    Source: https://www.sqlite.org/wal.html, "Performance Considerations".
    """
    from sqlalchemy import Engine, event

    event.listen(Engine, "connect", _keep_log)
    try:
        yield
    finally:
        event.remove(Engine, "connect", _keep_log)


def _keep_log(connection: Any, _: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        # While another process uses the database, commits stay as they are.
        with suppress(sqlite3.DatabaseError):
            (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
            if mode == "wal":
                connection.execute("PRAGMA synchronous=NORMAL")


@contextmanager
def limited_retries() -> Iterator[None]:
    """Let mlflow give up on a server sooner than it does by default."""
    settings = (RETRIES | SILENCE).items()
    missing = {name: value for name, value in settings if name not in os.environ}
    os.environ.update(missing)
    try:
        yield
    finally:
        for name in missing:
            os.environ.pop(name, None)


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the messages of mlflow and alembic about a new database."""
    names = ("mlflow", "alembic", "urllib3")
    levels = {name: logging.getLogger(name).level for name in names}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in names:
            logging.getLogger(name).setLevel(logging.ERROR)
        try:
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
