"""Scores by fold and weights in the blend."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.figures.scores import blend_weights, scores_by_fold


def title(figure):
    return figure.get_suptitle().replace("\n", " ")


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_blend_weights_are_sorted_and_the_title_names_members_left_out():
    figure = blend_weights(
        ["linear", "mlp", "trees"],
        np.array([0.0, 0.375, 0.625]),
        np.array([0.7, 0.8, 0.9]),
        metric="accuracy",
    )
    axes = figure.axes[0]
    assert title(figure) == "trees has 62% of the weight in the blend; linear left out"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["linear", "mlp", "trees"]
    assert [bar.get_width() for bar in axes.patches] == [0, 0.375, 0.625]
    assert texts(axes) == ["0.0%", "37.5%", "62.5%", "0.7000", "0.8000", "0.9000"]


def test_a_single_member_has_no_weight_beyond_all_of_it():
    figure = blend_weights(["trees"], np.array([1.0]), np.array([0.9]), metric="accuracy")
    assert max(figure.axes[0].get_xticks()) == pytest.approx(1)


@pytest.mark.parametrize(("greater_is_better", "best"), [(True, "mlp"), (False, "linear")])
def test_scores_by_fold_name_the_best(greater_is_better, best):
    scores = {"linear": np.array([0.4, 0.6]), "mlp": np.array([0.5, 0.9])}
    figure = scores_by_fold(scores, metric="score", greater_is_better=greater_is_better)
    mean, spread = scores[best].mean(), scores[best].std()
    assert title(figure) == f"{best} is best: score {mean:.4f} ± {spread:.4f} over 2 splits"
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["mlp", "linear"]
    dots = figure.axes[0].collections[0].get_offsets()
    np.testing.assert_allclose(dots[:, 0], scores["mlp"])
