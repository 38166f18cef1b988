"""Confusion matrix and calibration of out-of-fold predictions."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.figures.output import save
from pipelines.figures.predictions import Bins, confusion, reliability


def make_predictions(n_rows=300, n_classes=2, seed=0):
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(n_rows, n_classes))
    target = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    powers = np.exp(logits)
    return target, powers / powers.sum(axis=1, keepdims=True)


def title(figure):
    return figure.get_suptitle().replace("\n", " ")


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_confusion_writes_counts_and_shares():
    target = np.array([0, 0, 0, 1, 1, 2])
    predicted = np.array([0, 0, 1, 1, 1, 0])
    figure = confusion(target, predicted, ["a", "b", "c"])
    assert sorted(texts(figure.axes[0])) == ["1\n100%", "1\n33%", "2\n100%", "2\n67%"]
    assert (
        title(figure)
        == "66.7% of 6 held-out rows are classified correctly; 33% of a predicted as b"
    )
    right = confusion(target, target, ["a", "b", "c"])
    assert title(right) == "100.0% of 6 held-out rows are classified correctly"


@pytest.mark.parametrize("n_classes", [2, 5, 9, 18])
def test_confusion_cells_and_labels_do_not_overlap(n_classes):
    target, probabilities = make_predictions(30_000, n_classes)
    names = [f"Long class {i}" for i in range(n_classes)]
    figure = confusion(target, probabilities.argmax(axis=1), names)
    figure.canvas.draw()
    axes = figure.axes[0]
    cell = axes.get_window_extent().width / n_classes, axes.get_window_extent().height / n_classes
    for text in axes.texts:
        assert text.get_window_extent().width < cell[0]
        assert text.get_window_extent().height < cell[1]
    for label in axes.get_xticklabels():
        assert label.get_window_extent().width < cell[0]


def test_a_class_name_is_shown_as_it_is_written(tmp_path):
    target, probabilities = make_predictions()
    figure = confusion(target, probabilities.argmax(axis=1), ["$x_1$", "$\\nosuch$ <&>"])
    save(figure, tmp_path / "a.png")
    labels = figure.axes[0].get_xticklabels()
    assert [label.get_text() for label in labels] == ["$x_1$", "$\\nosuch$ <&>"]


def test_reliability_of_two_classes():
    """80 rows predicted with 0.75, 60 of them positive; 20 with 0.15, none of them positive."""
    predicted = np.repeat([0.75, 0.15], [80, 20])
    target = np.repeat([1, 0, 0], [60, 20, 20])
    figure = reliability(target, np.column_stack([1 - predicted, predicted]), ["no", "yes"])
    assert title(figure) == "Probabilities are off by 3.0 points on average (ECE 0.030)"
    upper, lower = figure.axes
    assert texts(lower) == ["20", "80"]
    points = upper.lines[1]
    np.testing.assert_allclose(points.get_xdata(), [0.15, 0.75])
    np.testing.assert_allclose(points.get_ydata(), [0, 0.75])
    assert lower.get_xlabel() == "predicted probability of yes"


@pytest.mark.parametrize(("hits", "kind"), [(45, "over-confident"), (90, "under-confident")])
def test_reliability_of_the_predicted_class(hits, kind):
    probabilities = np.tile([0.7, 0.2, 0.1], (100, 1))
    target = np.repeat([0, 1], [hits, 100 - hits])
    figure = reliability(target, probabilities, ["a", "b", "c"])
    error = abs(0.7 - hits / 100)
    assert title(figure) == (
        f"Probabilities are off by {100 * error:.1f} points on average (ECE {error:.3f}): {kind}"
    )


def test_certainty_has_a_bin(tmp_path):
    target = np.array([0, 1, 1])
    figure = reliability(target, np.eye(2)[target], ["a", "b"])
    assert texts(figure.axes[1]) == ["1", "2"]
    save(figure, tmp_path / "certain.png")


def test_large_counts_fit_above_their_bars():
    target = np.repeat([0, 1], [30_000, 9_000])
    figure = reliability(target, np.eye(2)[target], ["a", "b"])
    assert texts(figure.axes[1]) == ["30k", "9,000"]


def test_the_middle_of_a_bin_is_found_from_its_mean():
    predicted = np.array([0.3, 0.3, 0.7, 1.0])
    bins = Bins.of(np.array([0, 1, 1, 1]), np.column_stack([1 - predicted, predicted]))
    np.testing.assert_allclose(bins.middle, [0.35, 0.75, 0.95])
    assert bins.n_rows.tolist() == [2, 1, 1]
