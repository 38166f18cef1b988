"""Digit Recognizer's own file: a small run through all six stages, and its members."""

import numpy as np
import pandas as pd
import pytest

from models.data import InputShape
from pipelines.competitions.digit_recognizer import COMPETITION, PIXELS, pixels_encoder
from pipelines.configuration.assignments import choose_members, configure
from pipelines.configuration.settings_page import describe
from pipelines.figures.gallery import first_weights
from pipelines.figures.images import first_filters, mistakes
from pipelines.runs import run as runs
from pipelines.runs.request import RunRequest
from pipelines.workspace.summary import Summary

SMALL = (
    *("mlp.train.epochs=2", "convnet.train.epochs=1", "modern.train.epochs=1"),
    *("modern.model.channels=[4,4]", "modern.model.hidden=8", "modern.train.n_views=2"),
)
MNIST = InputShape(image=(1, 28, 28))


@pytest.fixture(scope="module")
def small(tmp_path_factory, narrator):
    root = tmp_path_factory.mktemp("digits")
    asked = RunRequest(source="sample", track=False, root=root)
    return root, runs.run(configure(COMPETITION, folds=2, sets=SMALL), asked, narrator)


def test_a_small_run_ends_in_labels_under_kaggles_names(small):
    root, summary = small
    csv = pd.read_csv(root / summary.submission)
    assert list(csv.columns) == ["ImageId", "Label"]
    assert csv["ImageId"].tolist() == list(range(1, 1001))
    assert set(csv["Label"]) == set(range(10))
    assert summary.n_held_back == 1000
    assert min(summary.cv, summary.local_score) > 0.8


def test_its_figures_show_what_it_gets_wrong_and_what_it_looks_for(small):
    _, summary = small
    names = {path.rsplit("/", 1)[-1] for path in summary.figures}
    filters = {f"first_filters_{m.name}.png" for m in COMPETITION.members}
    assert {"mistakes.png", "learning_curves.png"} | filters <= names


def test_the_first_layers_weights_are_found(small):
    root, summary = small
    assert isinstance(summary, Summary)
    stages = root / "runs" / "digit-recognizer" / summary.run / "stages"
    shapes = {}
    for member in COMPETITION.members:
        path = stages / f"train-{member.name}" / "models" / "replicas.safetensors"
        shapes[member.name] = first_weights(path, (1, 28, 28)).shape
    assert shapes == {"mlp": (512, 28, 28), "convnet": (10, 5, 5), "modern": (4, 3, 3)}
    assert first_weights(path, (3, 28, 28)) is None


def test_members_are_those_of_the_course_and_one_more():
    n_weights = {
        member.name: sum(weight.numel() for weight in member.model.build(MNIST, 10).parameters())
        for member in (*COMPETITION.members, *COMPETITION.optional_members)
    }
    pixels = 784 * 512 + 512 + 512 * 256 + 256 + 256 * 128 + 128 + 128 * 64 + 64 + 64 * 10 + 10
    convnet = 26 * 10 + 251 * 20 + 3210
    assert n_weights["mlp"] == pixels
    assert n_weights["convnet"] == convnet
    heads = {
        member.name: member.model.build(MNIST, 10).head.in_features
        for member in COMPETITION.optional_members
    }
    assert heads == {"inception": 1408, "residual": 512}


def test_optional_members_run_when_they_are_named():
    assert [m.name for m in choose_members(COMPETITION, ()).members] == ["mlp", "convnet", "modern"]
    chosen = choose_members(COMPETITION, ("residual", "mlp"))
    assert [member.name for member in chosen.members] == ["mlp", "residual"]
    assert "inception, residual (with --members)" in describe(COMPETITION, 200)


def test_pixels_are_scaled_as_mnist_is():
    dark, light = np.zeros(784, np.uint8), np.full(784, 255, np.uint8)
    table = pd.DataFrame(np.stack([dark, light]), columns=list(PIXELS))
    image = pixels_encoder().transform(table)["image"]
    assert image.shape == (2, 1, 28, 28)
    np.testing.assert_allclose(image[:, 0, 0, 0], [-0.4242, 2.8215], atol=1e-4)


def test_a_run_without_a_mistake_says_so():
    images, target = np.zeros((4, 1, 5, 5)), np.array([0, 1, 0, 1])
    figure = mistakes(images, target, np.eye(2)[target], ["a", "b"])
    assert figure.get_suptitle().replace("\n", " ").startswith("All 4 held-out images")
    wrong = mistakes(images, 1 - target, np.eye(2)[target] * 0.6 + 0.2, ["a", "b"])
    assert [axes.get_title(loc="left") for axes in wrong.axes[:4]] == ["a 80%", "b 80%"] * 2
    assert [axes.get_title(loc="right") for axes in wrong.axes[:4]] == ["b", "a"] * 2
    assert first_filters(np.ones((3, 5, 5)), member="net").get_suptitle()
