"""`foldwise blend` as people type it, and the commands that take a blend for a run."""

import json
from pathlib import Path

import pandas as pd
import pytest

from pipelines.commands import app

QUICK = ("--method", "equal", "--no-track")


def newest_run():
    return max(folder.name for folder in Path("runs/titanic").glob("2*"))


def test_a_blend_of_runs_is_shown_reported_picked_and_ready_to_send(workspace, signed_out, capsys):
    assert app.main(["blend", "titanic", *QUICK, "--note", "all of them"]) == 0
    page = capsys.readouterr().out
    assert "2 of 2 runs" in page
    assert "nested over" in page
    run = newest_run()
    assert app.main(["runs", "titanic"]) == 0
    assert "all of them" in capsys.readouterr().out
    assert app.main(["runs", "--show", run]) == 0
    assert "equal weights" in capsys.readouterr().out
    assert app.main(["report", run]) == 0
    assert capsys.readouterr().out.strip() == f"runs/titanic/{run}/report.html"
    assert app.main(["submit", "titanic", run, "--dry-run"]) == 0
    assert f"{run}.csv" in capsys.readouterr().out
    assert app.main(["pick", "titanic"]) == 0
    assert run in capsys.readouterr().out  # of two files with the same bytes the newer one


def test_json_is_the_last_line(workspace, capsys):
    assert app.main(["blend", "titanic", *QUICK, "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["run"] == newest_run()


def test_submissions_alone_are_mixed_by_hand(workspace, capsys):
    files = sorted(map(str, Path("submissions/titanic").glob("*.csv")))
    typed = f"{files[0]}=0.6,{files[1]}=0.4"
    assert app.main(["blend", "titanic", "--weights", typed, "--out", "mixed.csv"]) == 0
    printed = capsys.readouterr().out
    assert "unscored" in printed
    pd.testing.assert_frame_equal(pd.read_csv("mixed.csv"), pd.read_csv(files[0]))
    assert len(Path("submissions/ledger.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("typed", "code", "message"),
    [
        (["nobody"], 2, "no finished run 'nobody'"),
        (["--oof", "gone.csv"], 2, "1 files of --oof and 0 of --sub"),
        (["--oof", "gone.csv", "--sub", "gone.csv"], 3, "gone.csv: found no such file"),
        (["--method", "magic"], 2, "no such method"),
        (["--method", "ranks"], 2, "does not suit binary scored by accuracy"),
        (["--weights", "a.csv"], 2, "found no FILE=NUMBER"),
        (["--levels", "9"], 2, "less than or equal to 3"),
        (["--no-runs"], 2, "nothing to blend"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_wrong_is_one_line(workspace, capsys, typed, code, message):
    assert app.main(["blend", "titanic", *typed, "--no-track"]) == code
    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    assert message in line
