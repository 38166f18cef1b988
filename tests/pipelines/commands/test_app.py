"""The commands as a person types them: what is printed, the exit code, and what is left behind."""

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from pipelines import competitions
from pipelines.commands import app
from pipelines.raw_files.samples import titanic

QUICK = ("--folds", "3", "--seeds", "1", "--set", "folds.n_repeats=1", "--set", "train.epochs=3")
TITANIC = ("run", "titanic", "--no-track", "--set", "trees.n_estimators=5", *QUICK)
COMMAND = [sys.executable, "-m", "pipelines"]


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """An empty folder to work in, with no credentials anywhere."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in [name for name in os.environ if name.startswith("KAGGLE")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PYTHONPATH", str(Path(app.__file__).parents[2]))
    return folder


@pytest.fixture
def files(tmp_path):
    """Titanic's three files, as a person would have them from Kaggle."""
    folder = tmp_path / "files"
    folder.mkdir()
    titanic.write(folder)
    (folder / "holdout.csv").unlink()
    return folder


def left_behind(workspace):
    """What must not be there after a fault: submissions, summaries, half-written files."""
    return [
        *workspace.glob("submissions/**/*.csv"),
        *workspace.glob("runs/**/summary.json"),
        *workspace.rglob("*.writing"),
        *workspace.rglob("*.tmp"),
    ]


def one_line(capsys):
    """The fault's line: exactly one, under the command's own name."""
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("foldwise: ")
    return lines[0]


def change(name, old, new):
    def harm(folder):
        path = folder / name
        text = path.read_bytes()
        assert old in text
        path.write_bytes(text.replace(old, new, 1))

    return harm


def table(name, function):
    def harm(folder):
        function(pd.read_csv(folder / name)).to_csv(folder / name, index=False)

    return harm


def write(name, content):
    return lambda folder: (folder / name).write_bytes(content)


HEADER = b"PassengerId,Survived,Pclass,Name,Sex,Age,SibSp,Parch,Ticket,Fare,Cabin,Embarked\r\n"
BAD_FILES = {
    "a renamed column": (change("train.csv", b"Pclass", b"PClass"), ["train.csv", "Pclass"]),
    "a missing column": (
        table("test.csv", lambda t: t.drop(columns="Fare")),
        ["test.csv", "Fare"],
    ),
    "an extra column": (table("test.csv", lambda t: t.assign(Deck=1)), ["test.csv", "Deck"]),
    "text for a number": (
        table("train.csv", lambda t: t.astype({"SibSp": "str"}).replace({"SibSp": "1"}, "one")),
        ["train.csv", "SibSp", "one", "line"],
    ),
    "an empty file": (write("train.csv", b""), ["train.csv", "empty"]),
    "a header only": (write("train.csv", HEADER), ["train.csv", "row"]),
    "a wrong separator": (
        lambda f: (f / "test.csv").write_text((f / "test.csv").read_text().replace(",", ";")),
        ["test.csv", ";"],
    ),
    "not UTF-8": (change("train.csv", b"Mr.", b"M\xff."), ["train.csv", "UTF-8"]),
    "one class only": (table("train.csv", lambda t: t.assign(Survived=0)), ["Survived", "class"]),
    "an unknown label": (table("train.csv", lambda t: t.assign(Survived=7)), ["Survived", "7"]),
    "fewer rows than folds": (
        table("train.csv", lambda t: t.iloc[[0, 300]].assign(Survived=[0, 1])),
        ["fold"],
    ),
    "a doubled test id": (
        table("test.csv", lambda t: pd.concat([t, t.iloc[[3]]])),
        ["test.csv", "PassengerId"],
    ),
    "a sample that disagrees": (
        table("gender_submission.csv", lambda t: t.iloc[:-2]),
        ["gender_submission.csv", "test.csv"],
    ),
    "a file that is not there": (lambda f: (f / "test.csv").unlink(), ["test.csv"]),
}


@pytest.mark.parametrize("fault", BAD_FILES, ids=str)
def test_bad_files_get_one_line_and_code_3(workspace, files, capsys, fault):
    harm, message = BAD_FILES[fault]
    harm(files)
    assert app.main([*TITANIC, "--source", str(files)]) == 3
    line = one_line(capsys)
    assert all(word in line for word in message), line
    assert left_behind(workspace) == []


def test_a_cut_zip_and_one_that_climbs_out_are_refused(workspace, files, capsys, tmp_path):
    whole = tmp_path / "titanic.zip"
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files.iterdir():
            archive.write(path, path.name)
    cut = tmp_path / "cut.zip"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert app.main([*TITANIC, "--source", str(cut)]) == 3
    assert "cut.zip" in one_line(capsys)
    with zipfile.ZipFile(whole, "a") as archive:
        archive.writestr("../escaped.csv", "x")
    assert app.main([*TITANIC, "--source", str(whole)]) == 3
    assert "../escaped.csv" in one_line(capsys)
    assert not (workspace / "data" / "escaped.csv").exists()
    assert left_behind(workspace) == []


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["run", "titanik"], "did you mean 'titanic'"),
        (["run", "titanic", "--members", "tree"], "did you mean 'trees'"),
        (["run", "titanic", "--set", "mlp.train.lrr=1"], "did you mean 'mlp.train.lr'"),
        (["run", "titanic", "--set", "train.lr=fast"], "train.lr cannot be 'fast'"),
        (["run", "titanic", "--source", "nowhere.zip"], "nowhere.zip"),
        (["run", "titanic", "--run", "nope"], "no run 'nope'"),
        (["run", "titanic", "--device", "gpu"], "device"),
        (["runn", "titanic"], "'run'"),
        (["run"], "COMPETITION"),
        (["run", "titanic", "--folds", "1"], "--folds"),
        (["run", "titanic", "--time-limit", "0"], "best from 20 to 14400"),
        (["run", "titanic", "--time-limit", "-3"], "--time-limit"),
        (["run", "titanic", "--time-limit", "1"], "found 1, expected seconds"),
        (["run", "titanic", "--time-limit", "soon"], "'soon'"),
        (["run", "titanic", "--time-limit", "60", "--run", "nope"], "leave one of them out"),
        (["run", "titanic", "--time-limit", "60", "--on", "ray"], "cannot plan for a cluster"),
        (["run", "titanic", "--plan", "nope"], "no such run of titanic"),
        (["run", "titanic", "--plan", "nope", "--folds", "3"], "leave --time-limit"),
        (["tune", "titanic", "--time-limit", "soon"], "'soon'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_gets_one_line_and_code_2(workspace, capsys, typed, message):
    assert app.main(typed) == 2
    assert message in one_line(capsys)
    assert left_behind(workspace) == []


def test_a_time_limit_that_binds_everything_ends_with_the_bytes_of_the_same_run(workspace, capsys):
    bound = [*TITANIC, "--source", "sample"]
    assert app.main([*bound, "--time-limit", "3000"]) == 0
    page = capsys.readouterr().out
    assert "all that the competition asks for" in page
    assert "s of 3000 s to the submission, report and figures" in page
    (run,) = (workspace / "runs" / "titanic").glob("2*")
    csv = workspace / "submissions" / "titanic" / f"{run.name}.csv"
    assert app.main([*bound]) == 0
    assert "had the same data, settings and code; nothing to do" in capsys.readouterr().out
    assert app.main(["run", "titanic", "--no-track", "--source", "sample", "--plan", run.name]) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert [csv] == list((workspace / "submissions" / "titanic").iterdir())


def test_a_folder_that_cannot_be_written_gets_one_line_and_code_3(workspace, files, capsys):
    (workspace / "runs").write_text("a file where the folder should be")
    assert app.main([*TITANIC, "--source", str(files)]) == 3
    assert "runs" in one_line(capsys)
    assert left_behind(workspace) == []


def test_a_full_disk_gets_one_line_and_code_3_and_the_run_goes_on_later(workspace, files):
    limit = "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (63_000, resource.RLIM_INFINITY)); "
    code = limit + "from pipelines.commands.app import main; sys.exit(main(sys.argv[1:]))"
    typed = [*TITANIC, "--source", str(files)]
    full = subprocess.run([sys.executable, "-c", code, *typed], capture_output=True, text=True)
    assert full.returncode == 3, full.stderr
    assert len(full.stderr.splitlines()) == 1, full.stderr
    assert "room" in full.stderr or "space" in full.stderr
    assert left_behind(workspace) == []
    assert app.main(typed) == 0
    assert len(list((workspace / "runs" / "titanic").glob("2*"))) == 1


@pytest.mark.slow
def test_ctrl_c_gets_one_line_and_code_130_and_nothing_half_written(workspace):
    typed = ["run", "titanic", "--no-track", "--set", "train.epochs=100000"]
    with subprocess.Popen(
        [*COMMAND, *typed], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        deadline = time.monotonic() + 120
        while not list(workspace.glob("runs/*/*/stages/dataset-*/manifest.json")):
            assert running.poll() is None, running.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        try:
            _, message = running.communicate(timeout=60)
        finally:
            running.kill()
    assert running.returncode == 130, message
    assert message.strip().splitlines()[-1].startswith("foldwise: interrupted")
    assert "Traceback" not in message
    assert left_behind(workspace) == []


def test_json_is_the_last_line_and_all_else_is_for_the_person(workspace, capsys):
    assert app.main([*TITANIC, "--source", "sample", "--json", "--out", "mine.csv"]) == 0
    printed = capsys.readouterr()
    message = json.loads(printed.out.splitlines()[-1])
    assert len(printed.out.splitlines()) == 1
    assert {
        *("run", "competition", "source", "cv", "cv_std", "metric", "local_score"),
        *("submission", "seconds", "mlflow_run_id"),
    } <= set(message)
    assert "passengers" in printed.err
    assert "trees" in printed.err
    assert Path("mine.csv").read_text() == Path(message["submission"]).read_text()


def test_a_run_ends_with_what_a_person_wants_to_know_and_runs_lists_it(workspace, capsys):
    assert app.main([*TITANIC]) == 0
    page = capsys.readouterr().out
    for fact in ("no Kaggle credentials", "held back", "weight", "figures", "submission", "next"):
        assert fact in page, page
    assert "418 rows, checked" in page
    assert app.main(["runs"]) == 0
    listed = capsys.readouterr().out
    run = next(Path("runs/titanic").glob("2*")).name
    assert run in listed
    assert app.main(["check", "titanic", f"submissions/titanic/{run}.csv"]) == 0
    assert "418 rows" in capsys.readouterr().out


def test_a_csv_that_fails_its_check_gets_code_5(workspace, capsys):
    Path("mine.csv").write_text("PassengerId,Survived\n892,1\n892,0\n893,2\n")
    assert app.main(["check", "titanic", "mine.csv", "--source", "sample"]) == 5
    line = one_line(capsys)
    assert all(word in line for word in ("mine.csv", "missing", "892", "'2'")), line


def test_runs_says_what_to_type_while_there_are_none(workspace, capsys):
    assert app.main(["runs"]) == 0
    assert "foldwise run titanic" in capsys.readouterr().out


def test_list_and_show_know_every_competition(workspace, capsys):
    assert app.main(["list"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == competitions.list_competitions()
    for name in competitions.list_competitions():
        assert app.main(["show", name, "--set", "train.lr=0.125"]) == 0
        assert "train.lr = 0.125" in capsys.readouterr().out


def test_debug_gives_the_traceback(workspace):
    with pytest.raises(LookupError, match="titanik"):
        app.main(["--debug", "run", "titanik"])


def test_help_waits_for_no_heavy_import(workspace):
    heavy = ("torch", "pandas", "numpy", "mlflow", "optuna", "kaggle", "lightgbm", "rich")
    code = f"""
import sys
from pipelines.commands.app import main
main(["--help"])
print([name for name in {heavy} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "run" in done.stdout


def test_importing_the_packages_does_nothing(workspace):
    code = """
import logging, sys
import pipelines.runs.run, pipelines.commands.app, pipelines.tracking.log
import models.data, models.training.fit
print(logging.getLogger().handlers, [m for m in ("mlflow", "kaggle", "optuna") if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[] []\n"
    assert list(workspace.iterdir()) == []


def test_a_foreign_package_that_shadows_ours_is_named(workspace, monkeypatch):
    (workspace / "models").mkdir()
    (workspace / "models" / "__init__.py").write_text("")
    done = subprocess.run([*COMMAND, "list"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "'models' comes from" in done.stderr
    assert len(done.stderr.splitlines()) == 1
