"""An installation without the extras runs; what needs one says which."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from environments import installation

from pipelines import extras, faults
from pipelines.extras import EXTRAS, MissingLibraryError

ROOT = Path(__file__).parents[2]
COMMANDS = {  # what a person types who lacks the extra
    "kaggle": ("run", "titanic", "--source", "kaggle"),
    "tracking": ("mlflow",),
    "tuning": ("tune", "titanic", "--source", "sample", "--member", "logistic", "--trials", "1"),
    "report": ("compare-losses", "names", "--source", "sample"),
}


def typed(python, arguments, folder):
    """The finished command `foldwise …` in that folder, with a Kaggle token that opens nothing."""
    environment = {
        "HOME": str(folder),
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "KAGGLE_USERNAME": "somebody",
        "KAGGLE_KEY": "0" * 32,
    }
    command = [str(python), "-m", "foldwise", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_a_missing_library_names_its_extra():
    error = ModuleNotFoundError("No module named 'optuna.trial'", name="optuna.trial")
    assert extras.missing(error) is None  # optuna is here; its module is not
    assert extras.missing(ImportError("cannot import name 'x'", name="optuna")) is None
    assert "pip install 'foldwise[tuning]'" in str(MissingLibraryError("optuna"))


def test_a_fault_of_a_missing_library_is_its_line(monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    error = ModuleNotFoundError("No module named 'mlflow.store'", name="mlflow.store")
    assert faults.reason(error).startswith("MLflow is not installed; type: pip install")
    with pytest.raises(MissingLibraryError, match=r"foldwise\[tracking\]"):
        extras.need("mlflow")


@pytest.mark.slow
@pytest.mark.parametrize("extra", COMMANDS)
def test_a_command_without_its_extra_is_one_line(extra, tmp_path):
    lacking = {library for library, (_, of) in EXTRAS.items() if of == extra}
    python = installation(tmp_path / "env", lacking)
    done = typed(python, COMMANDS[extra], tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    (line,) = (one for one in done.stderr.splitlines() if one.startswith("foldwise: "))
    assert f"pip install 'foldwise[{extra}]'" in line
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_run_needs_no_extra(tmp_path):
    python = installation(tmp_path / "env", set(EXTRAS))
    command = ("run", "titanic", "--source", "sample", "--members", "logistic")
    done = typed(python, command, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    warned = " ".join(done.stdout.split())
    for extra in ("tracking", "report"):
        assert f"pip install 'foldwise[{extra}]'" in warned
    assert not list(tmp_path.rglob("error.log"))
    (csv,) = tmp_path.glob("submissions/titanic/*.csv")
    assert len(csv.read_text().splitlines()) == 419
    (report,) = tmp_path.glob("runs/titanic/*/report.html")
    assert "Score per fold and member" in report.read_text()
    summary = json.loads(report.with_name("summary.json").read_text())
    assert not summary["figures"]
