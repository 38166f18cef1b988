"""What is set while we talk to MLflow: no chatter, no long waiting, quick commits."""

from __future__ import annotations

import logging
import os
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

# mlflow alone would try a server that went away for many minutes; the person's own values win.
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "30"}


@contextmanager
def quick_commits() -> Iterator[None]:
    """Let SQLite keep a write-ahead log, in which a commit need not wait for the disk.

    MLflow commits six times for each run, and each commit waits 5 to 15 ms otherwise. The store
    stays whole through a kill and through a loss of power, which may take the last second's runs.

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
        # Where another process is at work in it, commits stay as they were.
        with suppress(sqlite3.OperationalError):
            (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
            if mode == "wal":
                connection.execute("PRAGMA synchronous=NORMAL")


@contextmanager
def patient() -> Iterator[None]:
    """Lower mlflow's own patience while we talk to a server."""
    ours = {name: value for name, value in PATIENCE.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep mlflow's and alembic's notes on the new database out of the person's page."""
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
