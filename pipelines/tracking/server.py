"""Runs the MLflow page on the store that runs are logged to."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

from pipelines.tracking import log, runs_table, stores

STOP_TIMEOUT_S = 10.0
HOST = "127.0.0.1"


class PageError(RuntimeError):
    """The page cannot be opened."""

    exit_code = 2


def serve(root: Path, port: int | None) -> int:
    """Run MLflow's server until it is interrupted; a missing database is made.

    Where `MLFLOW_TRACKING_URI` names a server, the address of its page is printed instead.

    Returns:
        The server's exit code; 0 after Ctrl-C, which is how the page is closed.

    Raises:
        PageError: The port is taken.
        TrackingError: The store cannot be opened.
    """
    store = stores.wanted(root)
    if store.uri.startswith(("http://", "https://")):
        return _print_server(root, store)
    port = _free_port() if port is None else _checked(port)
    page = f"http://{HOST}:{port}"
    found = log.experiments(root)  # first, since it may raise
    print(f"MLflow at {page} (Ctrl-C ends it)", flush=True)
    try:
        _print_experiments(found, page)
        return _serve(store.uri, port)
    except KeyboardInterrupt:
        return 0


def _print_server(root: Path, store: stores.Store) -> int:
    found = log.experiments(root)
    print(f"MLflow at {store.name} (MLFLOW_TRACKING_URI)")
    _print_experiments(found, store.name.rstrip("/"))
    return 0


def _print_experiments(found: Mapping[str, str], page: str) -> None:
    """Print the address of each competition's runs table, with the columns of `runs_table`."""
    for name, number in sorted(found.items()):
        if name != "Default":
            print(f"  {name:<20}{runs_table.address(page, number)}", flush=True)


def _serve(store: str, port: int) -> int:
    where = ["--backend-store-uri", store, "--host", HOST, "--port", str(port)]
    command = [sys.executable, "-m", "mlflow", "ui", "--workers", "1", *where]
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, _interrupt)
    # Runs need none of the workers that MLflow starts for jobs of language models.
    settings = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"} | os.environ
    # In a process group of its own, so that the server and its workers can be ended together.
    server = subprocess.Popen(command, env=settings, start_new_session=True)
    try:
        return server.wait()
    finally:
        _end(server)


def _interrupt(_: int, __: FrameType | None) -> None:
    """End the page and its server when the terminal is closed, as Ctrl-C does."""
    raise KeyboardInterrupt


def _end(server: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(STOP_TIMEOUT_S)
    except ProcessLookupError:
        return
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _checked(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise PageError(
                f"port {port} cannot be used ({error.strerror}); leave --port out for a free one"
            ) from error
    return port
