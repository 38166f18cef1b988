"""The MLflow page on the workspace's store."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from pipelines.tracking import local_store

STOP_TIMEOUT_S = 10.0


def serve(root: Path, port: int | None) -> int:
    """Run MLflow's server, making the database if there is none, until it is interrupted.

    Returns:
        The server's exit code; 0 after Ctrl-C, which is how one leaves the page.
    """
    port = port or _free_port()
    store = os.environ.get("MLFLOW_TRACKING_URI") or local_store(root)
    where = ["--backend-store-uri", store, "--host", "127.0.0.1", "--port", str(port)]
    print(f"MLflow at http://127.0.0.1:{port} (Ctrl-C ends it)", flush=True)
    command = [sys.executable, "-m", "mlflow", "ui", "--workers", "1", *where]
    # In a session of its own, so that the server and its workers can be ended together.
    server = subprocess.Popen(command, start_new_session=True)
    try:
        return server.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        _end(server)


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
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
