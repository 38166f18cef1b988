import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from features.encoders import neighbours
from features.encoders.base import EncoderBlocks, EncodingError
from features.encoders.counts import CountVectors
from features.encoders.neighbours import ClassNeighbours
from features.encoders.tabular import TabularEncoder

COLUMNS = ("a", "b")
SPACE = TabularEncoder(COLUMNS, scaling="none")


def make_rows(n_rows: int, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    target = np.arange(n_rows) % 3
    table = pd.DataFrame(rng.normal(size=(n_rows, 2)) + target[:, None], columns=list(COLUMNS))
    return table, target


def by_hand(points, others, of_class, target, nearest, *, skip_self):
    distances = np.linalg.norm(points[:, None] - others[None], axis=2)
    if skip_self:
        np.fill_diagonal(distances, np.inf)
    ordered = np.sort(distances[:, target == of_class], axis=1)
    return ordered[:, :nearest].mean(axis=1)


def unscaled(encoder, x_num):
    return x_num * encoder.deviation_ + encoder.mean_


@pytest.mark.parametrize("block", [7, 1024])
def test_distances_are_those_computed_one_by_one(monkeypatch, block):
    monkeypatch.setattr(neighbours, "BLOCK", block)
    (seen, target), (fresh, _) = make_rows(40), make_rows(25, seed=1)
    encoder = ClassNeighbours(SPACE, nearest=(1, 4))
    of_seen = unscaled(encoder, encoder.fit_transform(seen, target)["x_num"])
    of_fresh = unscaled(encoder, encoder.transform(fresh)["x_num"])
    columns = [(c, n) for c in range(3) for n in (1, 4)]
    for column, (c, n) in enumerate(columns):
        own = by_hand(seen.to_numpy(), seen.to_numpy(), c, target, n, skip_self=True)
        other = by_hand(fresh.to_numpy(), seen.to_numpy(), c, target, n, skip_self=False)
        np.testing.assert_allclose(of_seen[:, column], own, atol=1e-3)
        np.testing.assert_allclose(of_fresh[:, column], other, atol=1e-3)


def test_a_training_row_is_no_neighbour_of_itself():
    table, target = make_rows(40)
    encoder = ClassNeighbours(SPACE, nearest=(1,))
    seen = unscaled(encoder, encoder.fit_transform(table, target)["x_num"])
    again = unscaled(encoder, encoder.transform(table)["x_num"])
    own = np.arange(40), target
    assert (seen[own] > 1e-3).all()
    assert (again[own] < 1e-2).all()


def test_other_rows_leave_the_state_alone():
    table, target = make_rows(40)
    encoder = ClassNeighbours(SPACE).set_params(nearest=(1, 2)).fit(table, target)
    before = {name: np.copy(value) for name, value in encoder.state().items()}
    encoder.transform(table * 5)
    for name, value in encoder.state().items():
        np.testing.assert_array_equal(value, before[name])


def test_a_class_with_too_few_rows_is_named():
    table, target = make_rows(9)
    with pytest.raises(EncodingError, match="found 3 training rows of class 0, expected more than"):
        ClassNeighbours(SPACE, nearest=(3,)).fit(table, target)


def test_it_can_be_cloned_and_names_its_columns():
    table, target = make_rows(40)
    encoder = clone(ClassNeighbours(SPACE, nearest=(1, 2))).fit(table, target)
    assert encoder.names()["x_num"][:3] == [
        *("nearest 1 of class 0", "nearest 2 of class 0", "nearest 1 of class 1")
    ]


def test_blocks_stand_side_by_side_under_their_names():
    table, target = make_rows(40)
    counts = table.abs().round()
    blocks = EncoderBlocks(
        {"points": CountVectors(COLUMNS), "near": ClassNeighbours(SPACE, nearest=(1,))}
    )
    encoded = blocks.fit_transform(counts, target)
    assert {name: array.shape for name, array in encoded.items()} == {
        "points": (40, 2),
        "near": (40, 3),
    }
    alone = ClassNeighbours(SPACE, nearest=(1,))
    np.testing.assert_array_equal(encoded["near"], alone.fit_transform(counts, target)["x_num"])
    fresh, _ = make_rows(5, seed=1)
    np.testing.assert_array_equal(
        blocks.transform(fresh.abs())["near"], alone.transform(fresh.abs())["x_num"]
    )
    assert set(blocks.names()) == {"points", "near"}
    assert {"points.weight", "near.ends"} <= set(blocks.state())
