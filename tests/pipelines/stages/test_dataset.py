from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from features.encoders.base import BaseEncoder, EncoderBlocks
from features.encoders.tabular import TabularEncoder
from features.encoders.text import TextEncoder
from models.data import whole_batch
from pipelines.competitions import load_competition
from pipelines.members.data import DatasetError, choose
from pipelines.members.network import networks_of
from pipelines.members.predictions import Problem
from pipelines.raw_files.sources import choose_source
from pipelines.stages import train
from pipelines.stages.dataset import encode, encoded_views, load, load_training_rows, save
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
        "fold-000-columns.json",
        "fold-000-test-x_num.npy",
        "fold-000.npz",
    ]
    views = load(tmp_path, prepared).views
    assert len(views) == 6
    assert len({id(view.train["x_num"]) for view in views}) == 1
    assert len({view.split.valid_rows.tobytes() for view in views}) == 6
    expected = prepared.train[["double"]].to_numpy(np.float32)
    np.testing.assert_array_equal(views[5].train["x_num"], expected)


class Coded(BaseEncoder):
    """Gives codes and knows their number: one for each kind, whatever occurs."""

    def fit(self, table, target):
        return self

    def transform(self, table):
        codes = pd.Categorical(table["kind"], ["blue", "green", "red"]).codes.astype(np.int64) + 1
        return {"x_num": table[["size", "double"]].to_numpy(), "x_cat": codes[:, None]}

    def names(self):
        return {"x_cat": ["kind"]}

    def cardinalities(self):
        return (7,)


class Uncounted(Coded):
    """The same without the number of codes."""

    def cardinalities(self):
        return ()


def test_names_and_cardinalities_are_the_encoders_in_memory_and_read_back(prepared, tmp_path):
    made = encode(prepared, Coded)
    save(made.views, tmp_path)
    for data in (made, load(tmp_path, prepared)):
        assert data.names == {"x_num": ("x_num 1", "x_num 2"), "x_cat": ("kind",)}
        assert data.cardinalities == (7,)
        assert data.n_tokens == 0


def test_codes_that_an_encoder_does_not_count_are_those_that_occur(prepared, tmp_path):
    made = encode(prepared, Uncounted)
    save(made.views, tmp_path)
    assert made.cardinalities == load(tmp_path, prepared).cardinalities == (4,)


def test_a_fold_that_lacks_a_category_has_fewer_codes_and_the_network_the_most(toy, prepared):
    encoder = lambda: TabularEncoder(["size"], ["kind"])  # noqa: E731
    rare = prepared.train["kind"].mask(np.arange(len(prepared.train)) == 0, "violet")
    made = encode(replace(prepared, train=prepared.train.assign(kind=rare)), encoder)
    assert {view.cardinalities for view in made.views} == {(4,), (5,)}
    assert made.cardinalities == (5,)
    (mlp,) = (member for member in networks_of(toy) if member.name == toy.members[1].name)
    weights = mlp.builder(Problem.of(toy), made)().state_dict()
    assert len(weights["embeddings.columns.0.weight"]) == 5


def test_a_category_of_test_rows_alone_does_not_widen_the_network(prepared):
    unseen = prepared.test.assign(kind="violet")
    made = encode(replace(prepared, test=unseen), lambda: TabularEncoder(["size"], ["kind"]))
    assert (made.views[0].test["x_cat"] == 0).all()
    assert made.cardinalities == (4,)


def test_names_and_cardinalities_follow_the_inputs_of_a_member(prepared, tmp_path):
    kinds = TabularEncoder((), ["kind"])
    blocks = {"sizes": TabularEncoder(["size"]), "doubles": TabularEncoder(["double"])}
    save(
        encode(prepared, lambda: EncoderBlocks(blocks | {"kinds": OnlyCodes(kinds)})).views,
        tmp_path,
    )
    inputs = {"x_num": ("doubles", "sizes"), "x_cat": ("kinds", "kinds")}
    read = load(tmp_path, prepared, inputs)
    assert read.names == {"x_num": ("double", "size"), "x_cat": ("kind", "kind")}
    assert read.cardinalities == (4, 4)
    assert load_training_rows(tmp_path, prepared, 1, inputs).names == read.names


class OnlyCodes(BaseEncoder):
    """A block of codes."""

    def __init__(self, encoder):
        self.encoder = encoder

    def fit(self, table, target):
        self.encoder.fit(table, target)
        return self

    def transform(self, table):
        return {"x_cat": self.encoder.transform(table)["x_cat"]}

    def names(self):
        return {"x_cat": self.encoder.names()["x_cat"]}

    def cardinalities(self):
        return self.encoder.cardinalities()


def test_stages_of_older_checkouts_are_read(prepared, toy, tmp_path):
    made = encode(prepared, toy.members[0].encoder)
    save(made.views, tmp_path)
    for path in tmp_path.glob("*-columns.json"):
        path.unlink()
    read = load(tmp_path, prepared)
    assert read.names == {"x_num": ("x_num 1", "x_num 2"), "x_cat": ("x_cat 1",)}
    assert read.cardinalities == made.cardinalities


def test_a_wrong_number_of_names_is_refused(prepared):
    class Misnamed(Coded):
        def names(self):
            return {"x_num": ["size"]}

    with pytest.raises(DatasetError, match=r"Misnamed.*found 1 names for the 2 columns of x_num"):
        encode(prepared, Misnamed)


def test_texts_have_as_many_codes_as_the_largest_vocabulary(prepared, tmp_path):
    texts = prepared.train.assign(kind=[f"word{n} common" for n in range(len(prepared.train))])
    test = prepared.test.assign(kind="common")
    made = encode(replace(prepared, train=texts, test=test), lambda: TextEncoder("kind"))
    save(made.views, tmp_path)
    for data in (made, load(tmp_path, replace(prepared, train=texts, test=test))):
        assert data.n_tokens == max(len(view.vocabulary) for view in data.views) == 63
        assert data.names["tokens"] == ("word 1", "word 2")


def test_titanics_datasets_train_a_network_in_a_persons_own_loop(tmp_path):
    titanic = load_competition("titanic")
    once = titanic.folds.model_copy(update={"n_folds": 2, "n_repeats": 1})
    titanic = titanic.model_copy(update={"folds": once})
    raw = download(titanic, choose_source("sample", titanic), tmp_path)
    folded = encode(prepare(titanic, raw), titanic.members[1].encoder)
    training, held_out = folded.training_set(0), folded.held_out_set(0)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(len(folded.names["x_num"]), 16), nn.ReLU(), nn.Linear(16, 2))
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.01)
    batches = DataLoader(training, batch_size=64, shuffle=True, collate_fn=whole_batch)
    for _ in range(5):
        for inputs, target in batches:
            optimiser.zero_grad()
            nn.functional.cross_entropy(network(inputs["x_num"]), target).backward()
            optimiser.step()
    right, rows = 0, 0
    for inputs, target in DataLoader(held_out, batch_size=64, collate_fn=whole_batch):
        right += int((network(inputs["x_num"]).argmax(1) == target).sum())
        rows += len(target)
    assert rows == len(folded.views[0].split.valid_rows)
    assert right / rows > 0.75
    test, target = folded.test_set(0)[0]
    assert test["x_num"].shape == (len(folded.names["x_num"]),)
    assert target == -1
