"""Whatever goes wrong is one line for a person, and no secret is in it."""

import errno
import json
import os
import sys
import warnings
from pathlib import Path

import pytest

from pipelines import faults
from pipelines.commands import app

FAULTY = """
from foldwise import Competition, Column, FoldPlan, TabularEncoder
from foldwise import EstimatorMember, LogisticSettings
{before}
OPTIONS = dict(
    name="faulty", title="Faulty",
    files={{"train": "train.csv", "test": "test.csv", "sample_submission": "sample.csv"}},
    id="Id", target="win", classes=(0, 1), metric="accuracy", form="labels",
    columns=(Column(name="size", kind="float"), Column(name="kind", kind="text")),
    folds=FoldPlan(n_folds=2),
    members=(EstimatorMember(
        name="logistic", encoder=lambda: TabularEncoder(["size"]), estimator=LogisticSettings()
    ),),
)
{after}
COMPETITION = Competition(**OPTIONS)
"""
FEATURES = "OPTIONS['features'] = {}"
METRIC = (
    "from foldwise import Metric; OPTIONS['metric'] = "
    "Metric('mine', lambda *_: float('{}'), greater_is_better=True)"
)
LONG = "x" * 300  # characters; a file's name may have 255
# What stands in the competition's file, the exit code, and words of the line.
FILES = {
    "broken syntax": ("def (:", "", 2, ["competitions/faulty.py, line 4", "SyntaxError"]),
    "an import": ("import nosuchmodule", "", 2, ["line 4", "nosuchmodule"]),
    "an own error": ("class E(Exception): pass\nraise E('so')", "", 2, ["line 5", "E: so"]),
    "an exit": ("raise SystemExit('bye')", "", 2, ["line 4", "bye"]),
    "features that raise": (
        "",
        FEATURES.format("lambda t: t['nosuch']"),
        2,
        ["faulty.py, line", "'nosuch'"],
    ),
    "a mixed column": (
        "",
        FEATURES.format("lambda t: t.assign(m=[a if a > 0 else str(a) for a in t['size']])"),
        2,
        ["column 'm'", "float and str"],
    ),
    "an unknown group": (
        "",
        "OPTIONS['folds'] = FoldPlan(n_folds=2, group='kid')",
        3,
        ["folds.group = 'kid'", "did you mean 'kind'"],
    ),
    "a metric that is NaN": (
        "",
        METRIC.format("nan"),
        2,
        ["mine gives NaN on the held-out rows of 2 of 2 splits", "correct the function"],
    ),
    "a metric that is NaN for wrong predictions": (
        "",
        METRIC.format("nan' if (_[0] != _[1]).any() else '1"),
        3,
        ["mine of the ensemble: found nan"],
    ),
    "an infinite metric": ("", METRIC.format("inf"), 3, ["mine of the ensemble: found inf"]),
}


@pytest.fixture
def here(tmp_path, toy_folder, signed_out, monkeypatch):
    """A folder to work in, with a place for competition files."""
    folder = tmp_path / "here"
    (folder / "competitions").mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def typed(*words):
    source = str(Path.cwd().parent / "toy-files")
    return ["run", "faulty", "--source", source, "--no-track", *words]


@pytest.mark.parametrize("file", FILES)
def test_a_fault_of_a_competition_file_is_one_line(here, capsys, file):
    before, after, code, words = FILES[file]
    (here / "competitions" / "faulty.py").write_text(FAULTY.format(before=before, after=after))
    assert app.main(typed()) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert all(word in line for word in words), line
    assert not list(here.glob("submissions/**/*.csv"))
    if "the traceback is in" in line:
        (log,) = here.glob("runs/faulty/*/error.log")
        assert str(log.relative_to(here)) in line
        assert "Traceback" in log.read_text()


def test_a_fault_outside_any_run_is_logged_in_the_workspace(here, capsys, monkeypatch):
    monkeypatch.setattr("pipelines.runs.clean.survey", None)
    assert app.main(["clean"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "TypeError" in line
    assert "runs/error.log" in line
    assert "clean" in Path("runs/error.log").read_text()


def test_a_warning_about_a_competition_file_is_one_line(here, capsys):
    own = "import warnings; warnings.warn('mind the step')"
    (here / "competitions" / "faulty.py").write_text(FAULTY.format(before=own, after=""))
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert app.main(["show", "faulty"]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "foldwise: warning: competitions/faulty.py, line 4: mind the step"


@pytest.mark.parametrize(
    "words", [["--run", LONG], ["--source", LONG], ["--source", "round"], ["--out", LONG]]
)
def test_a_name_that_no_file_can_have_is_one_line(here, capsys, words):
    (here / "competitions" / "faulty.py").write_text(FAULTY.format(before="", after=""))
    Path("round").symlink_to("round")
    assert app.main(typed(*words)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert len(line) < 400
    assert not Path("runs/error.log").exists()


@pytest.mark.parametrize("out", [".", "a_file/x.csv", "/proc/x.csv", "/proc/none/x.csv"])
def test_an_out_that_cannot_be_written_is_told_before_any_work(here, capsys, out):
    (here / "competitions" / "faulty.py").write_text(FAULTY.format(before="", after=""))
    (here / "a_file").write_text("")
    assert app.main(typed("--out", out)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"--out {out}" in line
    assert not (here / "runs").exists()


def test_an_out_in_a_folder_that_is_not_there_is_written(here):
    (here / "competitions" / "faulty.py").write_text(FAULTY.format(before="", after=""))
    assert app.main(typed("--out", "a/b/mine.csv")) == 0
    assert (here / "a" / "b" / "mine.csv").is_file()


SECRETS = {
    "KAGGLE_KEY": "0123456789abcdef0123",
    "KAGGLE_API_TOKEN": "KGAT_planted_token_1",
    "MLFLOW_TRACKING_PASSWORD": "planted-password-2",
    "PGPASSWORD": "planted-password-6",
}
ADDRESS = "http://someone:planted-password-3@127.0.0.1:9/"
STORAGE = "postgresql://someone:planted-password-4@127.0.0.1:9/studies"
PLANTED = [*SECRETS.values(), "planted-password-3", "planted-password-4", "planted-key-5"]


@pytest.fixture
def planted(here, signed_out, kaggle, monkeypatch):
    """Secrets wherever a person may have them; Kaggle's server does not know them."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", ADDRESS)
    (signed_out / ".kaggle").mkdir()
    key = {"username": "someone", "key": "planted-key-5"}
    (signed_out / ".kaggle" / "kaggle.json").write_text(json.dumps(key))
    (signed_out / ".kaggle" / "kaggle.json").chmod(0o600)
    return here


def test_no_secret_is_in_any_file_or_line(planted, patience, capsys, monkeypatch):
    key = str(Path.home() / ".kaggle" / "kaggle.json")
    own = f"""
import os, pathlib
def f(t):
    raise RuntimeError(str(os.environ) + pathlib.Path({key!r}).read_text())
"""
    file = planted / "competitions" / "faulty.py"
    source = str(planted.parent / "toy-files")
    file.write_text(FAULTY.format(before="", after=""))
    run = ["run", "faulty", "--source", source]
    printed = ""
    for words, codes in [
        (run, {0}),
        (["run", "titanic", "--source", "kaggle"], {4}),
        (["tune", "faulty", "--source", source, "--storage", STORAGE], {2, 3, 4}),
        (["tune", "faulty", "--source", source, "--storage", f"{STORAGE}?sslmode=no"], {2, 3, 4}),
        (["report", "faulty"], {0}),
        (["sync"], {0, 4}),
        (["runs"], {0}),
        (["predict", "faulty", "--csv", f"{source}/test.csv"], {0}),
    ]:
        assert app.main(words, patience=patience) in codes, capsys.readouterr()
        out, err = capsys.readouterr()
        printed += out + err
        assert "Traceback" not in err, words
    file.write_text(FAULTY.format(before=own, after=FEATURES.format("f")))
    for name in [name for name in sys.modules if name.startswith("competition_faulty")]:
        monkeypatch.delitem(sys.modules, name)
    assert app.main(run) == 2
    out, err = capsys.readouterr()
    printed += out + err
    texts = [
        path.read_bytes().decode(errors="replace") for path in planted.rglob("*") if path.is_file()
    ]
    assert any("Traceback" in text for text in texts)
    for secret in PLANTED:
        assert secret not in printed
        assert not [text for text in texts if secret in text]


def test_a_fault_that_was_foreseen_leaves_no_traceback(tmp_path):
    log = tmp_path / "error.log"
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "figures/a.png")
    line = faults.noted(full, log)
    assert line.startswith("cannot write figures/a.png: no space left on device (")
    assert " free in " in line
    assert not log.exists()
    assert faults.noted(KeyError("a"), log) == f"KeyError: 'a'; the traceback is in {log}"


def test_a_fault_s_reason_is_one_line():
    assert faults.reason(KeyError("a")) == "KeyError: 'a'"
    assert faults.reason(ValueError("first\nsecond")) == "ValueError: first"
    assert faults.reason(ValueError()) == "ValueError"
    assert os.linesep not in faults.reason(app.TyperException("a\nb"))
