"""A table that does not fit is refused before it is read; memory that will be short is told."""

from pathlib import Path

import pandas as pd
import pytest

from pipelines.commands import app
from pipelines.free_memory import MemoryShortError
from pipelines.raw_files.sources import choose_source
from pipelines.stages import memory
from pipelines.stages.download import download

GB = 10**9
TOO_LARGE = """
from foldwise import (
    Column, Competition, EstimatorMember, FoldPlan, Kaggle, LogisticSettings, TabularEncoder,
)
{before}
COMPETITION = Competition(
    name="wide", title="A wide table", kaggle=Kaggle(slug="wide"),
    files={{"train": "train.csv", "test": "test.csv", "sample_submission": "sample.csv"}},
    id="Id", target="win", classes=(0, 1), metric="accuracy", form="labels",
    columns=(Column(name="size", kind="float"), Column(name="kind", kind="text")),
    folds=FoldPlan(n_folds=2), {options}
    members=(EstimatorMember(
        name="logistic", encoder=lambda: TabularEncoder(["size"]), estimator=LogisticSettings()
    ),),
)
"""


@pytest.fixture
def raw(toy, tmp_path):
    return download(toy, choose_source("sample", toy), tmp_path)


@pytest.fixture
def here(tmp_path, toy_folder, signed_out, monkeypatch):
    """A folder with a competition; writes its file."""
    folder = tmp_path / "here"
    (folder / "competitions").mkdir(parents=True)
    monkeypatch.chdir(folder)

    def write(before="", options=""):
        text = TOO_LARGE.format(before=before, options=options)
        (folder / "competitions" / "wide.py").write_text(text)
        return ["run", "wide", "--source", str(toy_folder), "--no-track"]

    return write


def free(monkeypatch, n_bytes):
    monkeypatch.setattr("pipelines.stages.memory.free_memory", lambda: n_bytes)


def test_a_table_that_does_not_fit_is_refused_before_it_is_read(here, monkeypatch, capsys):
    free(monkeypatch, 20_000_000)
    monkeypatch.setattr("pipelines.stages.preprocess.read_training_rows", lambda *_: 1 / 0)
    assert app.main(here()) == 6
    (line,) = capsys.readouterr().err.splitlines()
    assert "train.csv: a table of about 9" in line
    assert "takes about 46 MB of memory to read, and 20 MB are free; close other" in line
    assert not list(Path().glob("submissions/**/*.csv"))


def test_records_that_do_not_fit_are_refused_too(here, toy_folder, monkeypatch, capsys):
    typed = here("from foldwise import FileFormat", "file_format=FileFormat(json_records=True),")
    file = Path("competitions/wide.py")
    file.write_text(
        file.read_text().replace("train.csv", "train.json").replace("test.csv", "test.json")
    )
    for name in ("train", "test"):
        rows = pd.read_csv(toy_folder / f"{name}.csv")
        rows.to_json(toy_folder / f"{name}.json", orient="records")
    free(monkeypatch, 20_000_000)
    assert app.main(typed) == 6
    (line,) = capsys.readouterr().err.splitlines()
    assert "train.json: a table of about 9" in line
    free(monkeypatch, 10 * GB)
    assert app.main(typed) == 0


def test_memory_that_will_be_short_is_told_once_and_the_run_goes_on(here, monkeypatch, capsys):
    free(monkeypatch, 60_000_000)
    assert app.main(here()) == 0
    told = [line for line in capsys.readouterr().out.splitlines() if "memory may" in line]
    assert len(told) == 1, told
    assert "stage 4 train about 63 MB, and 60 MB are free" in told[0]
    assert "stage 2" not in told[0]


def test_a_run_with_room_says_nothing_of_memory(here, monkeypatch, capsys):
    free(monkeypatch, 10 * GB)
    assert app.main(here()) == 0
    assert "memory may" not in capsys.readouterr().out


def test_a_system_that_does_not_say_what_is_free_refuses_nothing(toy, raw, monkeypatch):
    free(monkeypatch, None)
    memory.check_fits(toy, raw)
    assert memory.warning(toy, raw) is None


def test_a_table_that_just_fits_is_read(toy, raw, monkeypatch):
    needed = memory.estimate(toy, raw).preprocess
    free(monkeypatch, needed)
    memory.check_fits(toy, raw)
    free(monkeypatch, needed - 1)
    with pytest.raises(MemoryShortError, match="are free"):
        memory.check_fits(toy, raw)


@pytest.mark.parametrize(
    "error",
    ["MemoryError('40 GiB')", 'RuntimeError("DefaultCPUAllocator: can\'t allocate memory")'],
)
def test_memory_that_runs_out_is_one_line(here, capsys, error):
    raising = f"def features(table):\n    raise {error}\n"
    assert app.main(here(raising, "features=features,")) == 6
    (line,) = capsys.readouterr().err.splitlines()
    assert "memory ran out (" in line
    assert "are free now" in line
    assert "type the same command again" in line
