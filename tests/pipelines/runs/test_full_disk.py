"""A run on a disk without room: one line, nothing half-written, and the same bytes later."""

from pathlib import Path

import pytest

from pipelines.commands import app
from tests.small_disk import no_file_beyond

FILE = """
from foldwise import (
    Column, Competition, EstimatorMember, FoldPlan, Kaggle, LogisticSettings, TabularEncoder,
)
COMPETITION = Competition(
    name="tight", title="Little room", kaggle=Kaggle(slug="tight"),
    files={"train": "train.csv", "test": "test.csv", "sample_submission": "sample.csv"},
    id="Id", target="win", classes=(0, 1), metric="accuracy", form="labels",
    columns=(Column(name="size", kind="float"), Column(name="kind", kind="text")),
    folds=FoldPlan(n_folds=2),
    members=(EstimatorMember(
        name="logistic", encoder=lambda: TabularEncoder(["size"]), estimator=LogisticSettings()
    ),),
)
"""


@pytest.fixture
def typed(tmp_path, toy_folder, signed_out, monkeypatch):
    folder = tmp_path / "here"
    (folder / "competitions").mkdir(parents=True)
    monkeypatch.chdir(folder)
    (folder / "competitions" / "tight.py").write_text(FILE)
    return ["run", "tight", "--source", str(toy_folder), "--no-track"]


@pytest.mark.slow
def test_a_run_without_room_is_one_line_and_goes_on_later(typed, capsys):
    places = {1_000: "data/tight", 2_700: "run.json", 3_500: "stages/"}
    for n_bytes, place in places.items():
        with no_file_beyond(n_bytes):
            assert app.main(typed) == 3
        (line,) = capsys.readouterr().err.splitlines()
        assert place in line, line
        assert " free in " in line
        assert "again" in line
        assert not list(Path().glob("submissions/**/*.csv"))
    with no_file_beyond(20_000):  # too little for figures and the report alone
        assert app.main(typed) == 0
    printed = capsys.readouterr()
    assert "the report was not written" in printed.out
    assert printed.err == ""
    (csv,) = Path().glob("submissions/tight/*.csv")
    before = csv.read_bytes()
    assert app.main(typed) == 0
    assert "not written" not in capsys.readouterr().out
    assert csv.read_bytes() == before
    assert len(list(Path().glob("runs/tight/*/report.html"))) == 1
    assert not [p for p in Path().rglob("*") if p.name.endswith((".writing", ".tmp", ".gathering"))]
