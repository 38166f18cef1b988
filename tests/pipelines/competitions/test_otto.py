"""Otto's own file: what its encoder makes of products, and a small run through all six stages."""

import numpy as np
import pandas as pd

from pipelines.competitions.otto import CLASSES, COMPETITION, COUNTS, NUMBERS, product_encoder
from pipelines.configuration.assignments import configure
from pipelines.raw_files.samples import otto as sample
from pipelines.runs import run as runs
from pipelines.runs.request import RunRequest

SMALL = (
    *("train.epochs=1", "trees.n_estimators=5"),
    *("tabm.model.k=2", "tabm.model.hidden=[16]", "mlp.model.hidden=[16]"),
)


def test_blocks_are_what_members_ask_for():
    products = sample.make().iloc[:1500]
    target = products["target"].map(CLASSES.index).to_numpy()
    encoded = product_encoder().fit_transform(products, target)
    assert set(encoded) == {*NUMBERS, "bins"}
    widths = {name: array.shape[1] for name, array in encoded.items()}
    assert widths == {"logs": 98, "bins": 93} | dict.fromkeys(NUMBERS[1:], 3 * 9)
    assert {array.dtype for array in encoded.values()} == {np.dtype("float32")}
    assert {len(array) for array in encoded.values()} == {1500}
    asked = {n for m in COMPETITION.members for names in m.inputs.values() for n in names}
    assert asked == set(encoded)


def test_a_small_run_ends_in_probabilities_of_every_class(tmp_path, narrator):
    competition = configure(COMPETITION, folds=2, sets=SMALL)
    asked = RunRequest(source="sample", track=False, root=tmp_path)
    summary = runs.run(competition, asked, narrator)
    csv = pd.read_csv(tmp_path / summary.submission)
    assert list(csv.columns) == ["id", *CLASSES]
    assert len(csv) == 1000
    np.testing.assert_allclose(csv[list(CLASSES)].sum(axis=1), 1, atol=1e-6)
    assert summary.synthetic
    assert summary.cv < 1.5  # 1.96 by the classes' shares
    assert [way.name for way in summary.ways][:2] == ["blend", *COMPETITION.second_level.stackers]
    assert summary.cv == min(way.score for way in summary.ways)


def test_every_count_is_told_and_none_may_be_negative():
    assert len(COUNTS) == 93
    assert all(column.minimum == 0 and not column.missing for column in COMPETITION.columns)
