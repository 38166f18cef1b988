"""A cluster that asks for a token: the right one is let in; no token is ever shown."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="Ray is not installed: pip install 'foldwise[ray]'")

ROOT = Path(__file__).parents[3]
RAY = Path(sys.executable).with_name("ray")
TOKEN, OTHER = "0123456789abcdef" * 2, "fedcba9876543210" * 2
PORT = "6397"


def environment(**further: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return {**kept, "PYTHONPATH": str(ROOT), **further}


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a cluster of one node that wants the token."""
    options = ["--head", f"--port={PORT}", "--num-cpus=1", "--include-dashboard=false", "--block"]
    folder = tmp_path_factory.mktemp("head")
    place = f"--temp-dir={folder}" if len(str(folder)) < 40 else "--disable-usage-stats"
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            [RAY, "start", *options, place, "--object-store-memory=100000000"],
            env=environment(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=TOKEN),
            cwd=folder,
            stdout=log,
            stderr=log,
        ) as process,
    ):
        while "Ray runtime started" not in (folder / "log").read_text():
            assert process.poll() is None, (folder / "log").read_text()
        yield f"ray:127.0.0.1:{PORT}"
        process.terminate()


def nodes(on: str, **further: str) -> subprocess.CompletedProcess[str]:
    """`foldwise nodes`, as typed."""
    command = [sys.executable, "-m", "pipelines", "nodes", "--on", on]
    return subprocess.run(command, env=environment(**further), capture_output=True, text=True)


def test_the_token_that_ray_finds_is_used_and_another_is_one_line(
    head: str, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(TOKEN)
    made = nodes(head, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=str(tmp_path / "token"))
    assert made.returncode == 0, made.stderr
    assert "like this one" in made.stdout
    refused = nodes(head, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=OTHER)
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert "did not accept this machine's token" in line
    assert "RAY_AUTH_TOKEN_PATH" in line
    for secret in (TOKEN, OTHER):
        assert secret not in made.stdout + made.stderr + refused.stdout + refused.stderr
