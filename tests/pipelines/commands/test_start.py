"""What a command imports before it answers, and what `foldwise` itself prints."""

import subprocess
import sys

import pytest

from pipelines import competitions
from pipelines.commands import app

LIBRARIES = ("torch", "sklearn", "scipy", "lightgbm", "mlflow", "optuna", "kaggle", "matplotlib")
# Libraries whose import alone takes longer than these commands may.
ALSO_FOR_NAMES = (*LIBRARIES, "pandas", "numpy")
TYPED = """
import sys
from pipelines.commands.app import main
for words in {typed}:
    main(words)
print([name for name in {libraries} if name in sys.modules])
"""


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def imported(typed, libraries):
    """Which of the libraries a new process has imported after typing these commands."""
    code = TYPED.format(typed=typed, libraries=libraries)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1], done


@pytest.mark.parametrize(
    "words",
    [
        ["list"],
        ["show", "titanik"],
        ["run", "titanik"],
        ["tune", "titanik"],
        ["submit", "titanik"],
        ["predict", "titanik", "--text", "a"],
        ["compare-losses", "titanik"],
        ["lst"],
        ["run", "--nothing"],
        ["-h"],
        ["run", "-h"],
        ["--version"],
        [],
    ],
    ids=" ".join,
)
def test_names_typos_and_help_wait_for_no_library(workspace, words):
    found, _ = imported([words], ALSO_FOR_NAMES)
    assert found == "[]"


def test_show_and_check_train_nothing_and_import_no_trainer(workspace):
    (workspace / "mine.csv").write_text("PassengerId,Survived\n892,1\n")
    typed = [["show", name] for name in competitions.list_competitions()]
    typed.append(["check", "titanic", "mine.csv", "--source", "sample"])
    # The sample itself is dealt with scikit-learn, once; then it lies in `data/`.
    app.main(typed[-1])
    found, done = imported(typed, LIBRARIES)
    assert found == "[]"
    assert done.stderr.startswith("foldwise: mine.csv")
    assert "trees.n_seeds = 1" in done.stdout


def test_foldwise_alone_prints_help(capsys):
    assert app.main([]) == 0
    alone = capsys.readouterr().out
    assert app.main(["-h"]) == 0
    assert capsys.readouterr().out == alone
    assert alone.startswith("Usage: foldwise ")
    assert "--debug" in alone
    assert "--competitions DIR" in alone


HELP = [["-h"], ["kaggle", "-h"], ["kaggle", "run", "-h"], *([n, "-h"] for n in app.COMMANDS)]


@pytest.mark.parametrize("words", HELP, ids=" ".join)
def test_help_fits_80_columns_and_ends_no_text_in_the_middle(monkeypatch, capsys, words):
    monkeypatch.setenv("COLUMNS", "80")
    assert app.main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert not [line for line in lines if line.endswith("...") and "Usage" not in line]
    assert any("--debug" in line for line in lines)


def test_version(capsys):
    assert app.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("foldwise 0.")


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("foldwise run ti", ["titanic"]),
        ("foldwise report ot", ["otto"]),
        ("foldwise pi", ["pick"]),
        ("foldwise kaggle ru", ["run"]),
        ("foldwise kaggle run ti", ["titanic"]),
    ],
)
def test_the_shell_completes_commands_and_competitions(workspace, monkeypatch, typed, completed):
    monkeypatch.setenv("_FOLDWISE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(len(typed.split()) - 1))
    done = subprocess.run(
        [sys.executable, "-m", "pipelines"], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == completed


@pytest.mark.parametrize("key", ["foo", "mlp.train.lrr"])
def test_an_unknown_setting_is_answered_in_two_lines_of_80_columns(workspace, capsys, key):
    assert app.main(["run", "titanic", "--set", f"{key}=3"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert len(line) <= 160
    assert key in line
    assert "foldwise show titanic" in line
