"""MLflow stores: the server that `MLFLOW_TRACKING_URI` names, else the workspace's own store."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pipelines.secret_texts import without_password
from pipelines.workspace.layout import Workspace

REACH_TIMEOUT_S = 3.0
PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306}


class TrackingError(RuntimeError):
    """The MLflow server did not take a run; the run is whole on disk."""

    exit_code = 4


@dataclass(frozen=True)
class Store:
    """An MLflow store.

    Attributes:
        uri: As mlflow takes it; may hold a password.
        is_local: Whether it is the workspace's own.
    """

    uri: str
    is_local: bool

    def is_own(self, root: Path) -> bool:
        """Whether it is the workspace's own, however it was named."""
        return self.uri == local_store(root)

    @property
    def database(self) -> Path | None:
        """The file of an SQLite database."""
        path = self.uri.partition("?")[0].removeprefix("sqlite:///")
        return Path(path) if self.uri.startswith("sqlite:///") else None

    @property
    def name(self) -> str:
        """The address without its password."""
        return without_password(self.uri)


def local_store(root: Path) -> str:
    """The address of the workspace's own store."""
    return f"sqlite:///{Workspace(root).database.resolve()}"


def local(root: Path) -> Store:
    """The workspace's own store."""
    return Store(local_store(root), is_local=True)


def wanted(root: Path) -> Store:
    """The store that `MLFLOW_TRACKING_URI` names, else the workspace's own."""
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    return Store(uri, is_local=False) if uri else local(root)


def reach(store: Store) -> None:
    """Find out at once whether a server can be reached.

    Raises:
        TrackingError: Nobody answers at its address.
    """
    parts = urlsplit(store.uri)
    scheme = parts.scheme.partition("+")[0]
    if scheme not in PORTS or parts.hostname is None:
        return
    port = parts.port or PORTS[scheme]
    try:
        socket.create_connection((parts.hostname, port), timeout=REACH_TIMEOUT_S).close()
    except OSError as error:
        raise TrackingError(f"MLflow at {store.name} cannot be reached ({error})") from error
