"""What `--on` names, and one line for what it cannot."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from pipelines.commands.app import main
from pipelines.executors import opening
from pipelines.executors.address import ClusterAddress, ClusterError
from tests.pipelines.executors import own_competition


@pytest.mark.parametrize(
    ("on", "environment", "expected"),
    [
        ("ray", "", "auto"),
        ("ray", "auto", "auto"),
        ("ray", "10.0.0.1:6379", "10.0.0.1:6379"),
        ("ray:10.0.0.2:6380", "10.0.0.1:6379", "10.0.0.2:6380"),
        ("ray:head.example:6379", "", "head.example:6379"),
    ],
)
def test_what_ray_is_given(
    on: str, environment: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", environment)
    assert ClusterAddress.of(on).as_ray == expected


@pytest.mark.parametrize(
    ("on", "environment", "expected"),
    [
        ("dask", "", "--on dask: found 'dask', expected ray or ray:HOST:6379"),
        ("ray:", "", "--on ray:: found 'ray:', expected ray or ray:HOST:6379"),
        ("ray:head", "", "--on ray:head: found 'head', expected HOST:PORT"),
        ("ray://head:10001", "", "type the command on a machine of the cluster"),
        ("ray", "ray://head:10001", "RAY_ADDRESS=ray://head:10001: ray:// is Ray's client"),
        ("ray", "local", "RAY_ADDRESS=local: found 'local', expected HOST:PORT"),
    ],
)
def test_what_names_no_cluster_is_one_line(
    on: str,
    environment: str,
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", environment)
    assert main(["nodes", "--on", on]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line


def test_a_closed_port_is_told_at_once(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    on = f"ray:127.0.0.1:{port}"
    assert main(["run", "titanic", "--source", "sample", "--on", on]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"no cluster answers at 127.0.0.1:{port}: connection refused" in line
    assert "ray start --head" in line
    assert list(tmp_path.iterdir()) == []


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ClusterError, match=r"pip install 'foldwise\[ray\]'"):
        opening.check_installed("--on ray")


def test_refusals_say_what_to_do() -> None:
    here, there = ClusterAddress(None, None, "--on ray"), ClusterAddress("h", 1, "--on ray:h:1")
    assert "no cluster runs on this machine" in here.refusal("Could not", is_of_token=False)
    several = here.refusal("Found multiple active Ray instances", is_of_token=False)
    assert "type --on ray:HOST:PORT" in several
    assert "ray start --address=h:1" in there.refusal("Failed to connect", is_of_token=False)
    unlike = there.refusal("Version mismatch: Ray: 2.53.0", is_of_token=False)
    assert unlike.endswith("install the cluster's versions here")


def test_a_run_at_home_does_not_import_ray(tmp_path: Path) -> None:
    """In a process of its own: the tests beside this one do import it."""
    import subprocess

    code = (
        "import sys\n"
        "from pipelines.commands.app import main\n"
        "from pipelines.runs import run\n"
        "from pipelines.executors.opening import opened\n"
        "with opened(None, None) as executor:\n"
        "    assert executor.slots == 1\n"
        "asked = ['--source', 'files', '--no-track', '--members', 'forest,gru']\n"
        "assert main(['run', 'own', *asked]) == 0\n"
        "print('ray' in sys.modules)\n"
    )
    own_competition.write(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert done.stdout.splitlines()[-1] == "False", done.stderr
