import numpy as np
import pytest

from pipelines.members.data import DatasetError, choose
from pipelines.raw_files.sources import choose_source
from pipelines.stages import train
from pipelines.stages.dataset import encode, encoded_views, load, save
from pipelines.stages.download import download
from pipelines.stages.preprocess import prepare
from pipelines.workspace.arrays import RowsOnDisk


@pytest.fixture
def prepared(toy, tmp_path):
    return prepare(toy, download(toy, choose_source("sample", toy), tmp_path))


def test_views_are_read_back_as_they_were_written(toy, prepared, tmp_path):
    dataset = encode(prepared, toy.members[0].encoder)
    save(dataset.views, tmp_path)
    read = load(tmp_path, prepared)
    assert len(read.views) == 6
    for view, again in zip(dataset.views, read.views, strict=True):
        for part in ("train", "test"):
            one, other = getattr(view, part), getattr(again, part)
            assert set(one) == set(other) == {"x_num", "x_cat"}
            for name, array in one.items():
                np.testing.assert_array_equal(array, np.asarray(other[name]))


def test_a_member_gets_the_arrays_it_chooses_side_by_side(toy, prepared, tmp_path):
    dataset = encode(prepared, toy.members[0].encoder)
    save(dataset.views, tmp_path)
    read = load(tmp_path, prepared, {"x_num": ("x_cat", "x_num")})
    whole, chosen = dataset.views[0].test, read.views[0].test
    assert set(chosen) == {"x_num"}
    np.testing.assert_array_equal(
        np.asarray(chosen["x_num"]), np.hstack([whole["x_cat"], whole["x_num"]])
    )


def test_nothing_chosen_is_everything():
    encoded = {"x_num": np.zeros((2, 1))}
    assert choose(encoded, {}) is encoded


def test_an_array_that_there_is_not_is_named_with_those_there_are():
    encoded = {"logs": np.zeros((2, 1)), "bins": np.zeros((2, 1))}
    with pytest.raises(DatasetError, match="gives bins, logs, but a member's inputs name near"):
        choose(encoded, {"x_num": ("logs", "near")})


def test_test_rows_are_read_slice_by_slice(tmp_path):
    left, right = np.arange(12.0).reshape(6, 2), -np.arange(6.0).reshape(6, 1)
    for name, array in (("left", left), ("right", right)):
        np.save(tmp_path / f"{name}.npy", array)
    rows = RowsOnDisk([tmp_path / "left.npy", tmp_path / "right.npy"])
    whole = np.hstack([left, right])
    assert (len(rows), rows.shape) == (6, (6, 3))
    for part in (slice(0, 2), slice(4, 99), slice(6, 8), slice(None)):
        np.testing.assert_array_equal(rows[part], whole[part])
    np.testing.assert_array_equal(np.asarray(rows, np.float32), whole.astype(np.float32))


def test_one_number_for_each_row_is_read_too(tmp_path):
    np.save(tmp_path / "lengths.npy", np.arange(6))
    rows = RowsOnDisk([tmp_path / "lengths.npy"])
    assert rows.shape == (6,)
    np.testing.assert_array_equal(rows[2:4], [2, 3])


def test_networks_and_trees_predict_from_disk_what_they_predict_from_memory(
    toy, prepared, tmp_path
):
    dataset = encode(prepared, toy.members[0].encoder)
    save(dataset.views, tmp_path)
    read = load(tmp_path, prepared)
    for member in toy.members:
        one, other = (train.train(toy, member, data, device="cpu") for data in (dataset, read))
        np.testing.assert_array_equal(one.test, other.test)


class Doubled:
    """Learns nothing, and counts how often it encodes."""

    stateless = True
    calls = 0

    def fit(self, table, target):
        raise AssertionError("there is nothing to fit")

    fit_transform = fit

    def transform(self, table):
        type(self).calls += 1
        return {"x_num": table[["double"]].to_numpy(np.float32)}


def test_what_every_fold_sees_alike_is_made_and_kept_once(prepared, tmp_path):
    save(encoded_views(prepared, Doubled), tmp_path)
    assert Doubled.calls == 2  # the training file's rows and the test rows
    assert sorted(path.name for path in tmp_path.glob("fold-*")) == [
        "fold-000-test-x_num.npy",
        "fold-000.npz",
    ]
    views = load(tmp_path, prepared).views
    assert len(views) == 6
    assert len({id(view.train["x_num"]) for view in views}) == 1
    assert len({view.split.valid_rows.tobytes() for view in views}) == 6
    expected = prepared.train[["double"]].to_numpy(np.float32)
    np.testing.assert_array_equal(views[5].train["x_num"], expected)
