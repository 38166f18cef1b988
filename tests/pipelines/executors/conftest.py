"""A real cluster of two nodes, and a person who has joined it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pipelines import competitions
from pipelines.console import Narrator
from pipelines.executors.opening import opened
from tests.pipelines.executors import own_competition
from tests.pipelines.executors.own_runs import Told

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a person works."""
    folder = tmp_path_factory.mktemp("home")
    own_competition.write(folder)
    return folder


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Two nodes of one core; what the process that holds them has told."""
    folder = tmp_path_factory.mktemp("cluster")
    hidden = ("PYTHONPATH", "RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN")
    environment = {name: v for name, v in os.environ.items() if name not in hidden}
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            [sys.executable, "-P", str(HERE / "two_nodes.py"), str(folder / "told")],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            text=True,
        ) as process,
    ):
        while not (folder / "told").exists():
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.1)
        yield {**json.loads((folder / "told").read_text()), "process": process}
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def on(cluster: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What is typed behind `--on`, in the folder of a person."""
    monkeypatch.chdir(home)
    return f"ray:{cluster['address']}"


@pytest.fixture(scope="module")
def joined(cluster: Any, home: Path, narrator: Narrator) -> Any:
    """The executor, joined once: workers keep what they have imported."""
    person = Told(narrator)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        competitions.load_competition("own")  # its file travels
        with opened(f"ray:{cluster['address']}", person) as executor:
            yield executor, person


@pytest.fixture
def person(joined: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Somebody in the folder, who has heard nothing yet."""
    monkeypatch.chdir(home)
    joined[1].warnings.clear()
    return joined[1]


@pytest.fixture
def executor(joined: Any) -> Any:
    return joined[0]
