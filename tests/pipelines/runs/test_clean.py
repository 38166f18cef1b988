"""What `foldwise clean` removes, and what it must leave."""

import io
import json
import os
import re
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from pipelines.commands import app
from pipelines.console import Narrator
from pipelines.raw_files.manifest import FILE, Facts, Manifest
from pipelines.runs.clean import CleanRequest, clean
from pipelines.runs.disk_use import n_bytes, n_freed, survey
from pipelines.workspace import files
from pipelines.workspace.layout import LEDGER, RunLayout, Workspace
from submissions import ledger
from tests.pipelines.runs.test_summary_page import make_summary

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
OLD = time.time() - 7200


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A workspace of six runs, run-1 the oldest; run-2 has the best cv, and run-3 was sent."""
    monkeypatch.chdir(tmp_path)
    for number in range(1, 7):
        make_run(number, cv=0.9 if number == 2 else 0.8, data=digest(number // 3))
    for number in range(3):
        make_raw_files(number)
    sent = ledger.Scores(run="run-3", competition="toy", submitted_utc=NOW)
    ledger.update_scores(LEDGER, sent)
    return Workspace(tmp_path)


def make_run(number, *, cv, data, is_finished=True):
    run = RunLayout(Path("runs/toy") / f"run-{number}")
    run.preprocess.mkdir(parents=True)
    (run.preprocess / "train.parquet").write_bytes(b"x" * 1000)
    run.run_file.write_text(json.dumps({"data": data}))
    run.lock_file.touch()
    if is_finished:
        summary = make_summary(run=run.run_id, competition="toy", cv=cv)
        summary.write(run.folder)
        fields = ("run", "competition", "source", "synthetic", "metric", "greater_is_better", "cv")
        entry = {name: getattr(summary, name) for name in fields}
        ledger.append(LEDGER, ledger.Entry(**entry, cv_std=0.01, time_utc=NOW))
    return run


def make_raw_files(number):
    folder = Path("data/toy") / f"path-{number}"
    folder.mkdir(parents=True)
    (folder / "train.csv").write_bytes(b"y" * 500)
    stated(number).write(folder)
    os.utime(folder, (OLD + number, OLD + number))


def stated(number):
    facts = {"train.csv": Facts(sha256=str(number), n_bytes=500)}
    return Manifest(key="k", origin="o", files=facts, holdout=None)


def digest(number):
    return stated(number).digest


def names(workspace=None, *, kind="runs", may_go=True, **options):
    items = survey(workspace or Workspace(Path()), **{"n_keep": 2, **options})
    return {item.path.name for item in items if item.kind == kind and item.may_go == may_go}


def test_the_newest_the_best_and_what_was_sent_stay(place):
    assert names() == {"run-1", "run-4"}
    assert names(n_keep=5) == {"run-1"}
    assert names(may_go=False) == {"run-2", "run-3", "run-5", "run-6"}


def test_raw_files_that_a_run_was_made_of_stay_as_do_the_newest(place):
    # run-2 was made of path-0, run-3 and run-5 of path-1, run-6 of path-2.
    assert names(kind="raw files") == set()
    shutil.rmtree("runs/toy/run-2")
    assert names(kind="raw files") == {"path-0"}
    for number in range(3, 7):
        shutil.rmtree(f"runs/toy/run-{number}")
    assert names(kind="raw files") == {"path-1"}, "run-1 was made of path-0; path-2 is the newest"


def test_a_run_that_is_being_made_stays_and_so_does_a_newer_unfinished_one(place):
    make_run(7, cv=0, data="d", is_finished=False)
    make_run(0, cv=0, data="d", is_finished=False)
    assert names() == {"run-0", "run-1", "run-4"}
    with files.locked(RunLayout(Path("runs/toy/run-1")).lock_file):
        assert names() == {"run-0", "run-4"}


def test_leftovers_go_once_nobody_works_in_them(place):
    for folder in ("runs/toy/tune-a", "data/toy/.kaggle.gathering", "runs/.removing-toy-run-0"):
        (Path(folder) / "stages").mkdir(parents=True)
    assert names(kind="leftovers") == {".kaggle.gathering", ".removing-toy-run-0"}
    for path in ("runs/toy/tune-a/stages", "runs/toy/tune-a"):
        os.utime(path, (OLD, OLD))
    (Path("data/toy") / ".lock").touch()
    with files.locked(Path("data/toy/.lock")):
        assert names(kind="leftovers") == {"tune-a", ".removing-toy-run-0"}


def test_links_out_of_the_workspace_are_not_followed(place, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    Path("runs/toy").rename(elsewhere / "toy")
    Path("runs/toy").symlink_to(elsewhere / "toy")
    assert names() == set()


def test_a_file_that_is_linked_elsewhere_frees_nothing(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
    (one / "a").write_bytes(b"x" * 100)
    (one / "b").write_bytes(b"x" * 10)
    (other / "a").hardlink_to(one / "a")
    assert n_bytes([one, other]) == 110
    assert n_freed([one]) == 10
    assert n_freed([one, other]) == 110


def test_a_dry_run_removes_nothing_and_tells_everything(place, capsys):
    before = sorted(Path().rglob("*"))
    assert app.main(["clean", "--keep", "2", "--dry-run"]) == 0
    page = capsys.readouterr().out
    assert "runs/toy/run-1" in page
    assert "runs/toy/run-4" in page
    assert "2 of 6" in page
    assert sorted(Path().rglob("*")) == before


def test_nothing_goes_without_a_yes(place, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert app.main(["clean", "--keep", "2"]) == 2
    assert "type --yes" in capsys.readouterr().err
    assert len(list(Path("runs/toy").iterdir())) == 6


def test_a_yes_removes_them_and_never_the_ledger(place, capsys):
    book = Path(LEDGER).read_bytes()
    Path("submissions/toy").mkdir()
    Path("submissions/toy/run-1.csv").touch()
    assert app.main(["clean", "toy", "--keep", "2", "--yes"]) == 0
    assert "2 folders" in capsys.readouterr().out
    left = {path.name for path in Path("runs/toy").iterdir()}
    assert left == {"run-2", "run-3", "run-5", "run-6"}
    assert {path.name for path in Path("runs").iterdir()} == {"toy", ".cleaning.lock"}
    assert Path(LEDGER).read_bytes() == book
    assert Path("submissions/toy/run-1.csv").exists()
    assert all((folder / FILE).exists() for folder in Path("data/toy").iterdir())


def test_many_clean_at_once_and_remove_each_folder_once(place, capsys):
    for number in range(600):
        (place.run("toy", f"run-{1 + number % 4}").folder / f"{number}.npy").touch()
    requests = [CleanRequest(n_keep=1, yes=True)] * 4
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda request: clean(request, Narrator(Console(file=sys.stdout))), requests))
    told = re.findall(r"(\d+) folders?, ", capsys.readouterr().out)
    assert sum(map(int, told)) == 3
    assert {path.name for path in Path("runs/toy").iterdir()} == {"run-2", "run-3", "run-6"}


def test_an_unknown_competition_gets_a_suggestion(place, capsys):
    assert app.main(["clean", "toys", "--dry-run"]) == 2
    assert "did you mean toy?" in capsys.readouterr().err


def test_what_a_newer_run_took_from_an_older_one_is_left(workspace, signed_out, capsys):
    """Real runs: the newer one links stages of the older, which has the better score."""
    older, newest = sorted(path.name for path in Path("runs/titanic").glob("2*"))
    summary = RunLayout(Path("runs/titanic") / older).summary_file
    summary.write_text(summary.read_text().replace('"cv": 0.', '"cv": 0.0'))
    assert app.main(["clean", "--keep", "1", "--yes"]) == 0
    assert [path.name for path in Path("runs/titanic").glob("2*")] == [newest]
    csv = Path(f"submissions/titanic/{newest}.csv")
    test = next(Path("data/titanic").glob("*/test.csv"))
    typed = ["predict", "titanic", "--csv", str(test), "--out", "again.csv"]
    assert app.main(typed) == 0
    assert Path("again.csv").read_bytes() == csv.read_bytes()
    assert app.main(["runs", "titanic"]) == 0
    assert older in capsys.readouterr().out
