"""Each file of a run is read once, whoever looks at it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from pipelines.runs.request import RunRequest
from pipelines.runs.run import run
from pipelines.stages import ensemble, preprocess, train
from pipelines.stages.run_contents import RunContents
from pipelines.workspace import arrays
from pipelines.workspace.layout import Workspace


@pytest.fixture
def n_reads(monkeypatch):
    """How often each parquet and npz file was read, by its last folders."""
    counted = Counter()

    def counting(read):
        def counted_read(path, *args, **kwargs):
            counted["/".join(path.parts[-2:])] += 1
            return read(path, *args, **kwargs)

        return counted_read

    monkeypatch.setattr(arrays, "read", counting(arrays.read))
    monkeypatch.setattr(pd, "read_parquet", counting(pd.read_parquet))
    return counted


def test_a_run_reads_what_its_stages_made_once(toy, tmp_path, narrator, n_reads):
    summary = run(toy, RunRequest(source="sample", root=tmp_path, track=False), narrator)
    made = {name: n for name, n in n_reads.items() if not name.startswith("dataset-")}
    expected = ["preprocess/train.parquet", "preprocess/rows.npz", "ensemble/blend.npz"]
    expected += [f"train-{m.name}/{f}.npz" for m in toy.members for f in ("predictions", "curves")]
    assert set(expected) <= set(made)
    assert set(made.values()) == {1}

    n_reads.clear()
    contents = RunContents(Workspace(tmp_path).run("toy", summary.run))
    assert contents.described["source"] == "sample"
    assert not n_reads
    assert contents.prepared is contents.prepared
    assert contents.predictions_of("mlp") is contents.predictions_of("mlp")
    assert "ensemble/blend.npz" not in n_reads
    np.testing.assert_array_equal(contents.blend.oof, ensemble.load(contents.layout.ensemble).oof)
    assert contents.predictions_of("mlp").member == train.load(contents.layout.train("mlp")).member
    assert len(contents.prepared.train) == len(preprocess.load(contents.layout.preprocess).train)
