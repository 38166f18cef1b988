"""What a person types for `foldwise`, wherever they are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines import program

ROOT = Path(__file__).parents[2]
TEXT = "no run yet; type foldwise run titanic, or `foldwise list`; see /opt/foldwise runs"


@pytest.fixture(autouse=True)
def _anew():
    program.program.cache_clear()
    yield
    program.program.cache_clear()


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """A folder with an environment in it, as after `make`, and nothing on the PATH."""
    script = tmp_path / ".venv" / "bin" / "foldwise"
    script.parent.mkdir(parents=True)
    script.touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(script.with_name("python")))
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.chdir(tmp_path)
    return script


def test_what_is_on_the_path_is_typed_by_its_name(environment, monkeypatch):
    monkeypatch.setenv("PATH", str(environment.parent))
    assert program.as_typed(TEXT) == TEXT


def test_in_a_checkout_it_is_the_environment_s(environment):
    assert program.as_typed(TEXT) == (
        "no run yet; type .venv/bin/foldwise run titanic, or `.venv/bin/foldwise list`; "
        "see /opt/foldwise runs"
    )


def test_elsewhere_it_is_a_whole_path(environment, monkeypatch):
    (environment.parents[2] / "elsewhere").mkdir()
    monkeypatch.chdir(environment.parents[2] / "elsewhere")
    assert program.as_typed("foldwise run x") == f"{environment} run x"


def test_without_a_script_it_is_the_module(environment):
    environment.unlink()
    assert program.as_typed("foldwise run x") == f"{sys.executable} -m foldwise run x"


def test_a_message_names_the_command_that_works(tmp_path):
    names = os.environ | {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "pipelines", "runs"],
        cwd=tmp_path,
        env=names,
        capture_output=True,
        text=True,
        check=True,
    )
    typed = done.stdout.partition("`")[2].partition(" run titanic`")[0]
    assert typed != "foldwise"
    again = subprocess.run(
        [*typed.split(), "--version"], cwd=tmp_path, env=names, capture_output=True, text=True
    )
    assert again.stdout.startswith("foldwise ")
