"""Word vectors that a person names, from the file to the network's first weights."""

import numpy as np
import pandas as pd
import pytest

from features.encoders.text import TextEncoder
from features.folds import FoldPlan, make_folds
from features.word_vectors import VectorsError
from models.architectures.recurrent import RecurrentSettings
from models.losses import LOSSES
from models.metrics import METRICS
from models.training.fit import Objective, TrainingDataError, TrainSettings, fit
from pipelines.members.data import fold_data
from pipelines.members.network import NetworkMember
from pipelines.members.predictions import Problem
from pipelines.members.pretrained import EMBEDDING, embedded
from pipelines.stages import dataset, train
from pipelines.stages.preprocess import Prepared

TEXTS = ["a good film", "a bad film", "good good", "bad film", "a film", "bad"] * 4
TARGET = np.array([1, 0, 1, 0, 1, 0] * 4)


def encoder() -> TextEncoder:
    return TextEncoder("text")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folds = make_folds(TARGET, FoldPlan(n_folds=3))
    table = pd.DataFrame({"text": TEXTS})
    ids = np.arange(len(TEXTS))
    sample = pd.DataFrame({"id": ids[:2]})
    prepared = Prepared(table, table[:2], TARGET, ids, ids[:2], folds, sample, None)
    folder = tmp_path_factory.mktemp("dataset")
    dataset.save(dataset.encode(prepared, encoder).views, folder)
    return dataset.load(folder, prepared)


def member(path, **model: object) -> NetworkMember:
    settings = {"embedding_size": 3, "hidden": 2, "dropout": 0.0} | model
    return NetworkMember(
        name="gru",
        encoder=encoder,
        model=RecurrentSettings(**settings),
        train=TrainSettings(epochs=1, lr=1e-9, length_pool=2),
        vectors=str(path),
    )


@pytest.fixture
def vectors(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("good 1 2 3\nfilm 4 5 6\nnone 7 8 9\n")
    return path


def test_the_embedding_starts_from_the_file_which_is_reported(toy, data, vectors) -> None:
    from safetensors.torch import load

    made = train.train(toy, member(vectors), data, device="cpu")
    (note,) = made.notes
    assert note.startswith("vectors.txt has 2 of the 4 words (50.0%), ")
    weights = load(made.models["replicas.safetensors"])
    for fold, view in enumerate(data.views):
        table = weights[f"fold-{fold:03d}-seed-0.{EMBEDDING}"].numpy()
        np.testing.assert_allclose(table[view.vocabulary.index("good")], [1, 2, 3], atol=1e-6)
        np.testing.assert_allclose(table[view.vocabulary.index("film")], [4, 5, 6], atol=1e-6)
        assert np.isfinite(table).all()


def test_notes_are_read_back(toy, data, vectors, tmp_path) -> None:
    made = train.train(toy, member(vectors), data, device="cpu")
    folder = tmp_path / "stage"
    folder.mkdir()
    train.save(member(vectors), made, folder)
    assert train.load(folder).notes == made.notes


def test_vectors_of_another_size_are_reported_with_what_to_type(data, vectors) -> None:
    folds = [fold_data(view) for view in data.views]
    with pytest.raises(VectorsError, match=r"--set gru.model.embedding_size=3"):
        embedded(folds, data.views, member(vectors, embedding_size=5))


def test_a_changed_file_is_another_request(vectors, tmp_path) -> None:
    before = member(vectors).file_digests()
    vectors.write_text("good 1 2 4\n")
    assert before.keys() == {"vectors of gru"}
    assert member(vectors).file_digests() != before
    assert member(vectors).model_copy(update={"vectors": None}).file_digests() == {}
    with pytest.raises(VectorsError, match=r"none\.txt: cannot be read"):
        member(tmp_path / "none.txt").file_digests()


def test_initial_weights_must_fit_the_network(toy, data) -> None:
    from dataclasses import replace

    fold = replace(fold_data(data.views[0]), initial={"none": np.zeros(2, np.float32)})
    with pytest.raises(TrainingDataError, match="no such parameter"):
        fit(
            member("x").builder(Problem.of(toy), data),
            [fold],
            TARGET,
            TrainSettings(epochs=1),
            Objective(LOSSES["binary_cross_entropy"], METRICS["accuracy"]),
            device="cpu",
        )
