"""The example notebook runs from top to bottom, and holds no outputs."""

import json
from pathlib import Path

import matplotlib

NOTEBOOK = Path(__file__).parents[2] / "examples" / "foldwise.ipynb"


def test_every_cell_runs(tmp_path, monkeypatch):
    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] for cell in code)
    names = {"__name__": "notebook"}
    for cell in code:
        exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
    assert names["result"].score > 0.75
    assert names["own"].score > 0.7
    assert names["own"].summary.competition == "titanic-mine"
    assert names["made"].score > 0.75
    assert len(names["made"].replicas) == 50
    names["plt"].close("all")
