"""The same command again: it prints the page that is there, and loads nothing that trains."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]
QUICK = ("--members", "trees", "--folds", "3", "--set", "folds.n_repeats=1")
HEAVY = {"torch", "mlflow", "matplotlib", "sklearn", "lightgbm", "scipy", "optuna"}
SHOW = """
import runpy, sys
try:
    runpy.run_module("pipelines", run_name="__main__")
finally:
    print("loaded", *sorted({name.partition(".")[0] for name in sys.modules}))
"""


def again(root, *arguments):
    """Runs Titanic in a process of its own: what it printed, and the packages that it loaded."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "HOME": str(root)}
    command = [sys.executable, "-c", SHOW, "run", "titanic", *QUICK, *arguments]
    found = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, check=True
    )
    printed, _, loaded = found.stdout.rpartition("loaded ")
    return printed, set(loaded.split())


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A workspace with a run that is logged to MLflow."""
    root = tmp_path_factory.mktemp("again")
    printed, loaded = again(root)
    assert "mlflow run" in printed
    assert loaded & HEAVY
    assert "mlflow" not in loaded  # a process of its own has loaded it meanwhile
    return root


def page_of(root):
    (page,) = (root / "runs" / "titanic").glob("*/report.html")
    return page


def test_a_run_with_nothing_to_do_loads_nothing_that_trains_draws_or_tracks(made):
    before = page_of(made).stat()
    printed, loaded = again(made)
    assert "nothing to do" in printed
    assert "mlflow run" in printed
    assert not loaded & HEAVY
    assert page_of(made).stat().st_ino == before.st_ino  # whole writes give a new file


def test_a_page_that_was_changed_or_is_gone_is_written_again(made):
    page = page_of(made)
    whole = page.read_text()
    page.write_text(whole.replace("Titanic", "Another", 1))
    again(made)
    assert page.read_text().count("Titanic") == whole.count("Titanic")
    page.unlink()
    again(made)
    assert page.is_file()
