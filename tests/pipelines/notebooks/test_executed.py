"""The notebooks run where there is no network, no checkout, and only what Kaggle's image has."""

import json
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from environments import environment_of, sealed

from pipelines.commands import app
from pipelines.extras import EXTRAS

NOT_THERE = set(EXTRAS) - {"matplotlib"}
RUNNER = """\
import json, sys
notebook = json.loads(open(sys.argv[1], encoding="utf-8").read())
names = {"__name__": "__main__"}
for cell in notebook["cells"]:
    if cell["cell_type"] == "code":
        exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The Python of an environment like Kaggle's."""
    return sealed(tmp_path_factory.mktemp("kaggle") / "env", NOT_THERE)


def execute(python, written, files, machine):
    """Run a notebook's cells in order in one process, on a machine laid out as Kaggle's are."""
    shutil.copytree(written / "dataset", machine / "input" / "dataset")
    shutil.copytree(files, machine / "input" / "titanic")
    (machine / "working").mkdir()
    (notebook,) = (written / "kernel").glob("*.ipynb")
    command = [str(python), "-c", RUNNER, str(notebook.resolve())]
    done = subprocess.run(
        command,
        cwd=machine / "working",
        env=environment_of(machine),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return (machine / "working" / "submission.csv").read_text(), done


def hidden_test(files, folder, change):
    """The competition's files with another test file."""
    shutil.copytree(files, folder)
    test = pd.read_csv(files / "test.csv", dtype={"Age": "str", "Fare": "str"})
    change(test).to_csv(folder / "test.csv", index=False)
    return folder


def twice(test):
    return pd.concat([test, test.assign(PassengerId=test["PassengerId"] + 100_000)])


@pytest.mark.slow
def test_the_environment_has_no_network_and_no_foldwise(python, tmp_path):
    code = "import socket; socket.create_connection(('127.0.0.1', 9))"
    for what, expected in ((code, "has no network"), ("import foldwise", "No module named")):
        done = subprocess.run(
            [str(python), "-c", what],
            cwd=tmp_path,
            env=environment_of(tmp_path),
            capture_output=True,
            text=True,
        )
        assert expected in done.stderr


@pytest.mark.slow
def test_it_predicts_the_run_s_own_bytes_there(python, newest, titanic_files, tmp_path):
    assert app.main(["notebook", "titanic", newest, "--user", "somebody"]) == 0
    csv = Path(f"submissions/titanic/{newest}.csv").read_text()
    written = Path("notebooks/titanic-predict")
    made, _ = execute(python, written, titanic_files, tmp_path / "same")
    assert made == csv
    few = hidden_test(titanic_files, tmp_path / "few", lambda test: test.tail(57))
    made, _ = execute(python, written, few, tmp_path / "shorter")
    assert made.splitlines()[1:] == csv.splitlines()[-57:]
    many = hidden_test(titanic_files, tmp_path / "many", twice)
    made, _ = execute(python, written, many, tmp_path / "longer")
    assert made.startswith(csv)
    labels = [line.partition(",")[2] for line in made.splitlines()[1:]]
    assert len(labels) == 836
    assert labels[:418] == labels[418:]


@pytest.mark.slow
def test_it_trains_the_run_again_there(python, newest, titanic_files, tmp_path):
    typed = ["notebook", "titanic", newest, "--kind", "train", "--user", "somebody"]
    assert app.main(typed) == 0
    written = Path("notebooks/titanic-train")
    assert not (written / "dataset" / "runs").exists()
    made, _ = execute(python, written, titanic_files, tmp_path / "machine")
    assert made == Path(f"submissions/titanic/{newest}.csv").read_text()
    (summary,) = (tmp_path / "machine" / "working").glob("runs/titanic/*/summary.json")
    before = json.loads(Path(f"runs/titanic/{newest}/summary.json").read_text())
    assert json.loads(summary.read_text())["cv"] == before["cv"]


@pytest.mark.slow
def test_the_run_that_it_trained_there_comes_here(
    python, newest, titanic_files, tmp_path, kaggle, patience, capsys
):
    """What a notebook leaves on Kaggle's machine is a run here, which can be sent."""
    typed = ["titanic", newest, "--kind", "train"]
    assert app.main(["notebook", *typed, "--user", "rose"]) == 0
    machine = tmp_path / "machine"
    execute(python, Path("notebooks/titanic-train"), titanic_files, machine)
    made = [path for path in (machine / "working").rglob("*") if path.is_file()]
    names = {path.relative_to(machine / "working").as_posix(): path for path in made}
    kaggle.kernels.output = {name: path.read_bytes() for name, path in names.items()}
    assert app.main(["kaggle", "run", *typed], patience=patience) == 0
    fetched = max(Path("runs/titanic").glob("2*"))
    assert fetched.name != newest
    assert app.main(["submit", "titanic", fetched.name, "--dry-run"], patience=patience) == 0
    assert "418 rows, checked" in capsys.readouterr().out
    assert not list(Path("notebooks/on-kaggle").rglob("train.csv"))


@pytest.mark.slow
def test_a_competition_s_own_file_is_found_there(
    python, workspace, write_own, titanic_files, tmp_path
):
    write_own(workspace)
    assert app.main(["notebook", "titanic-mine", "--user", "somebody"]) == 0
    written = Path("notebooks/titanic-mine-train")
    made, _ = execute(python, written, titanic_files, tmp_path / "machine")
    assert len(made.splitlines()) == 419
