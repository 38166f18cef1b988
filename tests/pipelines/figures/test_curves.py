"""Learning curves of a run's networks."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.figures.curves import Band, MemberCurves, learning_curves, loss_panel
from pipelines.figures.output import save


def make_curves(n_replicas=5, n_epochs=40, *, overfit=0.0, seed=0):
    rng = np.random.default_rng(seed)
    epoch = np.arange(n_epochs) / n_epochs
    loss = 0.4 + 0.3 * np.exp(-8 * epoch) + overfit * epoch**2
    shift = 0.01 * rng.normal(size=(n_replicas, 1))
    return {
        "train_loss": loss - overfit * epoch + shift,
        "valid_loss": loss + shift,
        "valid_score": 1 - loss + shift,
    }


def title(figure):
    return figure.get_suptitle().replace("\n", " ")


def test_the_title_describes_how_the_held_out_loss_ends():
    falling = {key: values[:, :12] for key, values in make_curves().items()}
    figure = learning_curves(
        {"linear": make_curves(), "mlp": make_curves(overfit=0.5), "short": falling},
        metric="accuracy",
        greater_is_better=True,
    )
    best = int(np.median(make_curves(overfit=0.5)["valid_loss"], axis=0).argmin()) + 1
    assert title(figure) == (
        f"Held-out loss rises for mlp after epoch {best}; levels off for linear; "
        "is still falling for short"
    )
    assert len(figure.axes) == 6
    assert figure.axes[2].get_title(loc="left") == "mlp: loss of 5 replicas"
    assert f"at epoch {best}" in figure.axes[3].get_title(loc="left")


def test_the_band_is_of_the_replicas_that_are_left():
    curves = make_curves(4, 10)
    for values in curves.values():
        values[:, :] = np.arange(4)[:, None]
        values[3, 5:] = np.nan
        values[1:, 8:] = np.nan
    figure = learning_curves({"mlp": curves}, metric="auc", greater_is_better=True)
    line = figure.axes[1].lines[0]
    assert line.get_xdata().tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert line.get_ydata().tolist() == [1.5] * 5 + [1.0] * 3
    band = figure.axes[1].collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == pytest.approx(0.2)
    assert band[:, 1].max() == pytest.approx(2.7)


def test_evaluations_at_some_epochs_only_are_joined():
    curves = make_curves(3, 9)
    for values in curves.values():
        values[:, 1::2] = np.nan
    figure = learning_curves({"mlp": curves}, metric="auc", greater_is_better=True)
    assert figure.axes[0].lines[1].get_xdata().tolist() == [1, 3, 5, 7, 9]


@pytest.mark.parametrize(("n_replicas", "n_epochs"), [(1, 1), (1, 30), (3, 1)])
def test_a_single_replica_or_epoch_can_be_drawn(n_replicas, n_epochs, tmp_path):
    curves = {"mlp": make_curves(n_replicas, n_epochs)}
    figure = learning_curves(curves, metric="auc", greater_is_better=True)
    save(figure, tmp_path / "curves.png")
    assert len(figure.axes[0].collections) == 2 * (n_replicas > 1)


def test_a_replica_that_diverged_is_left_out():
    curves = make_curves(3, 6)
    for values in curves.values():
        values[0] = np.nan
    curves["valid_score"][:] = np.nan
    figure = learning_curves({"mlp": curves}, metric="auc", greater_is_better=True)
    assert np.isfinite(figure.axes[0].lines[1].get_ydata()).all()


def test_only_a_first_part_that_dwarfs_the_rest_is_cut_off():
    steep = make_curves(4, 40)
    flat_top = learning_curves({"mlp": steep}, metric="auc", greater_is_better=True).axes[0]
    assert flat_top.get_ylim()[1] > steep["valid_loss"].max()
    steep["valid_loss"][:, 0] = 50
    figure = loss_panel(MemberCurves.of(steep))
    (axes,) = figure.axes
    assert axes.get_ylim()[1] < 1
    assert not figure.get_suptitle()
    assert [text.get_text() for text in axes.texts] == ["not shown: up to 50 before"]
    assert shares_within(axes) == pytest.approx([1, 1])


def shares_within(axes):
    """The share of the points right of the frame's left edge that lie within it, for each line."""
    left, (low, high) = axes.get_xlim()[0], axes.get_ylim()
    shown = [line.get_ydata()[np.asarray(line.get_xdata()) > left] for line in axes.lines[:2]]
    return [float(((values >= low) & (values <= high)).mean()) for values in shown]


def test_a_band_without_a_value_is_empty():
    band = Band.of(np.full((3, 5), np.nan))
    assert band.epochs.size == band.median.size == 0
