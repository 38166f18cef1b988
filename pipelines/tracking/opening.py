"""Opens an MLflow store, and turns whatever it raises into one kind of error."""

from __future__ import annotations

import contextlib
import importlib
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.tracking import faults, local_database
from pipelines.tracking.client_settings import for_a_call
from pipelines.tracking.stores import Store, TrackingError, reach

if TYPE_CHECKING:
    from mlflow import MlflowClient

N_TRIES = 8  # of opening a database server's store while another process makes its tables
HALF_MADE = ("already exists", "duplicate", "locked")


def load() -> None:
    """Import what opening a store needs, which takes seconds."""
    for name in ("alembic.util", "mlflow.tracking", "mlflow.store.tracking.sqlalchemy_store"):
        importlib.import_module(name)


@contextlib.contextmanager
def opened(store: Store, root: Path) -> Iterator[MlflowClient]:
    """A client of the store.

    Raises:
        TrackingError: The store cannot be reached or opened, or refuses a call in the block.
    """
    reach(store)
    from alembic.util import CommandError
    from mlflow.exceptions import MlflowException
    from requests import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    raised = (
        *(MlflowException, RequestException, SQLAlchemyError, CommandError),
        *(faults.StoreFaultError, OSError, ImportError),
    )
    with for_a_call():
        try:
            yield _client(store, root)
        except raised as error:
            reason = faults.reason(error, store)
            raise TrackingError(f"MLflow at {store.name} did not take it ({reason})") from error


def _client(store: Store, root: Path) -> MlflowClient:
    from mlflow import MlflowClient

    if store.is_own(root):
        with local_database.ready(root):
            return _touched(MlflowClient(store.uri))
    return _touched(_opened_by_many(store))


def _touched(client: MlflowClient) -> MlflowClient:
    """The client, whose database has its tables after the first call."""
    client.search_experiments(max_results=1)
    return client


def _opened_by_many(store: Store) -> MlflowClient:
    """A client of a server, or of a database in which another process may just make the tables."""
    from mlflow import MlflowClient
    from sqlalchemy.exc import SQLAlchemyError

    for n_tries in range(N_TRIES):
        try:
            return MlflowClient(store.uri)
        except SQLAlchemyError as error:
            is_half_made = any(word in str(error).lower() for word in HALF_MADE)
            if not is_half_made or n_tries == N_TRIES - 1:
                raise
            time.sleep(random.uniform(0.2, 1.0))
    raise AssertionError("the last try returns or raises")
