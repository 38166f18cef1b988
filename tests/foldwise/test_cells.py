"""A competition that was typed in a notebook's cell: loaded, run, and run again after an edit."""

import json
import subprocess
import sys

import pytest

CELL = """
from foldwise import (
    Column, Competition, EstimatorMember, FoldPlan, Kaggle, LogisticSettings, Metric,
    TabularEncoder, load, run,
)
RATE = 2
data = None  # a variable of another cell, which nothing here uses

def half(values):
    return values / RATE

def add_half(table):
    return table.assign(half=half(table["size"]), data=0)

def share(target, labels, weight):
    return float((target == labels).mean())

class Sizes(TabularEncoder):
    extra = 1
    def transform(self, table):
        return super().transform(table)

def encoder(columns):
    return lambda: Sizes(columns)

COMPETITION = Competition(
    name="typed", title="Typed", kaggle=Kaggle(slug="typed"),
    files={"train": "train.csv", "test": "test.csv", "sample_submission": "sample.csv"},
    id="Id", target="win", classes=(0, 1), form="labels",
    metric=Metric("share", share, True, on="labels"),
    columns=(Column(name="size", kind="float"), Column(name="kind", kind="text")),
    features=add_half, folds=FoldPlan(n_folds=2),
    members=(EstimatorMember(
        name="logistic", encoder=encoder(["size", "half"]), estimator=LogisticSettings()
    ),),
)
"""
START = """
import json, sys
from pathlib import Path
cell, source = Path("cell.py.txt").read_text(), sys.argv[1]
def type_in(*edit):
    assert not edit or edit[0] in cell, edit
    exec(compile(cell.replace(*edit) if edit else cell, "<cell>", "exec"), globals())
type_in()
"""
# What of the cell is edited, and whether that is another run.
EDITS = {
    "a variable that features use": (("RATE = 2", "RATE = 3"), True),
    "a function that features call": (("values / RATE", "values * RATE"), True),
    "the metric": (("target == labels", "target != labels"), True),
    "what the encoder's factory encloses": (
        ('encoder(["size", "half"])', 'encoder(["size"])'),
        True,
    ),
    "the encoder's class": (("extra = 1", "extra = 2"), True),
    "a method of it": (("super().transform(table)", "super().transform(table[:])"), True),
    "a variable that nothing uses": (("data = None", "data = 7"), False),
    "a comment": (("# a variable", "# some variable"), False),
    "an empty line": (("RATE = 2", "\nRATE = 2"), False),
}


@pytest.fixture
def notebook(tmp_path, toy_folder):
    """Runs lines in a process whose `__main__` stands in no file; gives what they print."""
    (tmp_path / "cell.py.txt").write_text(CELL)

    def type_lines(lines):
        made = subprocess.run(
            [sys.executable, "-", str(toy_folder)],
            input=START + lines,
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert made.returncode == 0, made.stderr
        return json.loads(made.stdout.splitlines()[-1])

    return type_lines


def test_an_edited_cell_is_another_run_and_an_unchanged_one_is_not(notebook):
    found = notebook(f"""
from pipelines.stages.stage_code import of_run
def digest(*edit):
    type_in(*edit)
    return of_run(COMPETITION)
edits = {[edit for edit, _ in EDITS.values()]!r}
print(json.dumps([digest(), digest(), *(digest(*edit) for edit in edits)]))
""")
    first, again, *edited = found
    assert again == first
    assert [digest != first for digest in edited] == [is_new for _, is_new in EDITS.values()]


@pytest.mark.slow
def test_a_typed_competition_is_loaded_run_and_found_again(notebook):
    found = notebook("""
tables = load(COMPETITION, source, root="here")
made = run(COMPETITION, source, root="here")
type_in()
again = run(COMPETITION, source, root="here")
print(json.dumps({
    "columns": list(tables.train), "runs": [made.summary.run, again.summary.run],
    "oof": [list(map(str, made.oof)), made.oof.index.name, made.oof.index[0], len(made.oof)],
    "test": [list(map(str, made.test)), made.test.index[0]],
    "figures": sorted(made.figures), "files": [p.exists() for p in made.figures.values()],
    "members": list(made.scores.index), "report": made.report.exists(),
}))
""")
    assert found["columns"] == ["size", "kind", "half", "data"]
    assert found["runs"][0] == found["runs"][1]
    assert found["oof"] == [["0", "1"], "Id", "1", 90]
    assert found["test"] == [["0", "1"], "1001"]
    assert "scores_by_fold" in found["figures"]
    assert all(found["files"])
    assert found["members"] == ["blend", "logistic"]
    assert found["report"]
