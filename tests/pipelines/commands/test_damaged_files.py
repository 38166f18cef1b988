"""Any one damaged file of a workspace stops no command that can do without it, and is named."""

import json
import math
import re
import shutil

import pytest

from pipelines.commands import app

CODES = {0, 2, 3, 5}  # of the documented table, without Kaggle and the faults nobody foresaw
QUICK = ("--no-track", "--members", "trees", "--folds", "3", "--set", "folds.n_repeats=1")


@pytest.fixture(scope="module")
def studied(two_runs, titanic_files, tmp_path_factory):
    """A workspace with two runs and a study."""
    workspace = tmp_path_factory.mktemp("damaged") / "workspace"
    shutil.copytree(two_runs, workspace)
    typed = ["tune", "titanic", "--member", "trees", "--trials", "1", "--folds", "2"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(workspace)
        patch.setenv("OMP_NUM_THREADS", "1")
        assert app.main([*typed, "--no-track", "--source", str(titanic_files)]) == 0
        assert app.main(["compare", *runs_of(workspace)]) == 0
    return workspace


def runs_of(workspace):
    return sorted(path.parent.name for path in workspace.glob("runs/titanic/*/summary.json"))


def newest(file):
    return lambda workspace: workspace / "runs" / "titanic" / runs_of(workspace)[-1] / file


def any_of(pattern):
    return lambda workspace: min(workspace.glob(pattern))


FILES = {
    "run.json": newest("run.json"),
    "summary.json": newest("summary.json"),
    "report.json": newest("report.json"),
    "model.json": newest("model.json"),
    "stage manifest": newest("stages/preprocess/manifest.json"),
    "train.parquet": newest("stages/preprocess/train.parquet"),
    "blend.npz": newest("stages/ensemble/blend.npz"),
    "recipe.json": newest("stages/ensemble/recipe.json"),
    "member.json": newest("stages/train-trees/member.json"),
    "the run's CSV": newest("stages/submission/submission.csv"),
    "a copied CSV": any_of("submissions/titanic/*.csv"),
    "ledger": any_of("submissions/ledger.jsonl"),
    "manifest": any_of("data/titanic/*/manifest.json"),
    "journal.log": any_of("studies/titanic/trees/journal.log"),
    "study.json": any_of("studies/titanic/trees/study.json"),
    "tuned.toml": any_of("studies/titanic/trees/tuned.toml"),
}


def emptied(path):
    path.write_bytes(b"")


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def garbage(path):
    path.write_bytes(b"\xff\xfe\x00garbage\n" * 40)


def foreign(path):
    path.write_text(json.dumps([{"made": "by another program"}]) + "\n")


def with_nan(path):
    data = path.read_bytes()
    path.write_bytes(re.sub(rb"(?<=: |= )-?\d+\.\d+|(?<=:)-?\d+\.\d+", b"NaN", data))


def a_folder(path):
    path.unlink()
    path.mkdir()


HARMS = (emptied, cut, garbage, foreign, with_nan, a_folder)
# All harms are read by the commands that only look; those that compute meet two of them.
FULLY_TRIED = (garbage, a_folder)
COMPUTING = ("predict", "report", "run")


def commands(workspace, files):
    """What is typed, each in the damaged workspace."""
    old, new = runs_of(workspace)
    return [
        ["list"],
        ["show", "titanic"],
        ["runs", "titanic"],
        ["runs", "--show", old],
        ["predict", "titanic", "--csv", str(files / "test.csv"), "--out", "made.csv"],
        ["predict", "titanic", "--run", old, "--csv", str(files / "test.csv"), "--out", "made.csv"],
        ["pick", "titanic"],
        ["submit", "titanic", "--dry-run"],
        ["clean", "--dry-run"],
        ["compare", old, new],
        ["report", old],
        ["report", new],
        ["run", "titanic", "--source", str(files), *QUICK, "--set", "trees.n_estimators=2"],
        ["run", "titanic", "--source", str(files), *QUICK, "--set", "trees.n_estimators=1"],
    ]


@pytest.mark.slow
@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
@pytest.mark.parametrize("file", FILES)
def test_one_damaged_file_is_named_or_passed_over(
    studied, titanic_files, tmp_path, monkeypatch, capsys, signed_out, file, harm
):
    workspace = tmp_path / "workspace"
    shutil.copytree(studied, workspace)
    typed = commands(workspace, titanic_files)
    damaged = FILES[file](workspace)
    harm(damaged)
    kept = tmp_path / "kept"
    shutil.copytree(workspace, kept)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(workspace)
    for words in typed:
        if words[0] in COMPUTING and harm not in FULLY_TRIED:
            continue
        if words[0] in ("report", "run"):  # which mend
            monkeypatch.chdir(tmp_path)
            shutil.rmtree(workspace)
            shutil.copytree(kept, workspace)
            monkeypatch.chdir(workspace)
        code = app.main(words)
        printed = capsys.readouterr()
        told = printed.out + printed.err
        assert "Traceback" not in told, (words, told)
        assert code in CODES, (words, told)
        lines = [line for line in printed.err.splitlines() if line.startswith("foldwise: ")]
        if code:
            named = damaged.relative_to(workspace)
            assert str(named) in lines[-1] or str(damaged.parent.name) in lines[-1], (words, told)
        is_other = words[0] in ("list", "clean", "runs") or str(typed[-2]) == str(words)
        is_other |= words[:2] == ["report", typed[10][1]] or words[0] == "pick"
        assert code == 0 or not is_other, (words, told)
        assert not list(workspace.rglob("*.writing")), words


def test_nan_is_no_json():
    assert math.isnan(json.loads("NaN"))  # which is why our readers refuse it
