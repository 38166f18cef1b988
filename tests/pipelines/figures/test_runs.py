import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest

from pipelines.figures import runs

SIGNATURE = b"\x89PNG\r\n\x1a\n"


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


def make_predictions(n_rows=300, n_classes=2, seed=0):
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(n_rows, n_classes))
    target = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    powers = np.exp(logits)
    return target, powers / powers.sum(axis=1, keepdims=True)


def make_all(note=None):
    target, probabilities = make_predictions()
    classes = ["died", "survived"]
    scores = {"mlp": np.array([0.81, 0.83]), "blend": np.array([0.84, 0.85])}
    options = {"metric": "accuracy", "note": note}
    direction = {"greater_is_better": True}
    return {
        "curves": runs.learning_curves({"mlp": make_curves()}, **options, **direction),
        "confusion": runs.confusion(target, probabilities, classes, note=note),
        "reliability": runs.reliability(target, probabilities, classes, note=note),
        "weights": runs.blend_weights(
            ["mlp", "trees"], np.array([0.7, 0.3]), np.array([0.8, 0.7]), **options
        ),
        "folds": runs.scores_by_fold(scores, **options, **direction),
    }


def title(figure):
    return figure.get_suptitle().replace("\n", " ")


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_every_figure_carries_the_note_and_is_saved(tmp_path):
    note = "Synthetic data: scores mean nothing"
    for name, figure in make_all(note).items():
        assert figure.get_supxlabel() == note
        assert title(figure)
        runs.save(figure, tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").read_bytes().startswith(SIGNATURE)
    assert len(list(tmp_path.iterdir())) == 5


def test_the_same_picture_has_the_same_bytes_and_tells_nothing_of_its_making(tmp_path):
    for path in (tmp_path / "a.png", tmp_path / "b.png"):
        target, probabilities = make_predictions(n_classes=3)
        runs.save(runs.confusion(target, probabilities, "abc"), path)
    first, second = ((tmp_path / f"{name}.png").read_bytes() for name in "ab")
    assert first == second
    assert b"atplotlib" not in first


def test_users_style_changes_nothing_and_is_left_as_it_was(tmp_path):
    runs.save(make_all()["folds"], tmp_path / "plain.png")
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "black", "figure.dpi": 30}):
        figure = make_all()["folds"]
        assert mpl.rcParams["font.size"] == 30
        runs.save(figure, tmp_path / "odd.png")
    assert (tmp_path / "plain.png").read_bytes() == (tmp_path / "odd.png").read_bytes()


def test_a_picture_that_cannot_be_written_leaves_nothing(tmp_path):
    figure = make_all()["weights"]
    (tmp_path / "taken.png").mkdir()
    with pytest.raises(OSError, match=r"taken\.png"):
        runs.save(figure, tmp_path / "taken.png")
    assert [path.name for path in tmp_path.iterdir()] == ["taken.png"]


def test_import_draws_on_no_library_and_drawing_on_no_pyplot():
    code = (
        "import sys; from pipelines.figures import runs; import numpy as np;"
        "assert 'matplotlib' not in sys.modules;"
        "runs.blend_weights(['a'], np.ones(1), np.ones(1), metric='auc');"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_learning_curves_say_how_the_held_out_loss_ends():
    falling = {key: values[:, :12] for key, values in make_curves().items()}
    figure = runs.learning_curves(
        {"linear": make_curves(), "mlp": make_curves(overfit=0.5), "short": falling},
        metric="accuracy",
        greater_is_better=True,
    )
    best = int(np.median(make_curves(overfit=0.5)["valid_loss"], axis=0).argmin()) + 1
    assert title(figure) == (
        f"Held-out loss turns up for mlp after epoch {best}; levels off for linear; "
        "still falls at the end for short"
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
    figure = runs.learning_curves({"mlp": curves}, metric="auc", greater_is_better=True)
    line = figure.axes[1].lines[0]
    assert line.get_xdata().tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert line.get_ydata().tolist() == [1.5] * 5 + [1.0] * 3
    band = figure.axes[1].collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == pytest.approx(0.2)
    assert band[:, 1].max() == pytest.approx(2.7)


def test_evaluations_between_which_epochs_lie_are_joined():
    curves = make_curves(3, 9)
    for values in curves.values():
        values[:, 1::2] = np.nan
    figure = runs.learning_curves({"mlp": curves}, metric="auc", greater_is_better=True)
    assert figure.axes[0].lines[1].get_xdata().tolist() == [1, 3, 5, 7, 9]


@pytest.mark.parametrize(("n_replicas", "n_epochs"), [(1, 1), (1, 30), (3, 1)])
def test_a_single_replica_or_epoch_can_be_drawn(n_replicas, n_epochs, tmp_path):
    curves = {"mlp": make_curves(n_replicas, n_epochs)}
    figure = runs.learning_curves(curves, metric="auc", greater_is_better=True)
    runs.save(figure, tmp_path / "curves.png")
    assert len(figure.axes[0].collections) == 2 * (n_replicas > 1)


def test_a_replica_that_diverged_is_left_out():
    curves = make_curves(3, 6)
    for values in curves.values():
        values[0] = np.nan
    curves["valid_score"][:] = np.nan
    figure = runs.learning_curves({"mlp": curves}, metric="auc", greater_is_better=True)
    assert np.isfinite(figure.axes[0].lines[1].get_ydata()).all()


def test_confusion_writes_counts_and_shares():
    target = np.array([0, 0, 0, 1, 1, 2])
    predicted = np.array([0, 0, 1, 1, 1, 0])
    figure = runs.confusion(target, np.eye(3)[predicted], ["a", "b", "c"])
    assert sorted(texts(figure.axes[0])) == ["1\n100%", "1\n33%", "2\n100%", "2\n67%"]
    assert title(figure) == "66.7% of 6 held-out rows are right; 33% of a taken for b"
    right = runs.confusion(target, np.eye(3)[target], ["a", "b", "c"])
    assert title(right) == "100.0% of 6 held-out rows are right"


@pytest.mark.parametrize("n_classes", [2, 5, 9, 18])
def test_confusion_cells_and_labels_do_not_overlap(n_classes):
    target, probabilities = make_predictions(30_000, n_classes)
    names = [f"Long class {i}" for i in range(n_classes)]
    figure = runs.confusion(target, probabilities, names)
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
    figure = runs.confusion(target, probabilities, ["$x_1$", "$\\nosuch$ <&>"])
    runs.save(figure, tmp_path / "a.png")
    labels = figure.axes[0].get_xticklabels()
    assert [label.get_text() for label in labels] == ["$x_1$", "$\\nosuch$ <&>"]


def test_reliability_of_two_classes():
    """80 rows said with 0.75, 60 of them true; 20 with 0.15, of which none is."""
    said = np.repeat([0.75, 0.15], [80, 20])
    target = np.repeat([1, 0, 0], [60, 20, 20])
    figure = runs.reliability(target, np.column_stack([1 - said, said]), ["no", "yes"])
    assert title(figure) == "Probabilities are off by 3.0 points on average (ECE 0.030)"
    upper, lower = figure.axes
    assert texts(lower) == ["20", "80"]
    points = upper.lines[1]
    np.testing.assert_allclose(points.get_xdata(), [0.15, 0.75])
    np.testing.assert_allclose(points.get_ydata(), [0, 0.75])
    assert lower.get_xlabel() == "predicted probability of yes"


@pytest.mark.parametrize(("hits", "told"), [(45, "over-confident"), (90, "under-confident")])
def test_reliability_of_the_predicted_class(hits, told):
    probabilities = np.tile([0.7, 0.2, 0.1], (100, 1))
    target = np.repeat([0, 1], [hits, 100 - hits])
    figure = runs.reliability(target, probabilities, ["a", "b", "c"])
    error = abs(0.7 - hits / 100)
    assert title(figure) == (
        f"Probabilities are off by {100 * error:.1f} points on average (ECE {error:.3f}): {told}"
    )


def test_certainty_has_a_bin(tmp_path):
    target = np.array([0, 1, 1])
    figure = runs.reliability(target, np.eye(2)[target], ["a", "b"])
    assert texts(figure.axes[1]) == ["1", "2"]
    runs.save(figure, tmp_path / "certain.png")


def test_blend_weights_are_sorted_and_tell_who_is_left_out():
    figure = runs.blend_weights(
        ["linear", "mlp", "trees"],
        np.array([0.0, 0.375, 0.625]),
        np.array([0.7, 0.8, 0.9]),
        metric="accuracy",
    )
    axes = figure.axes[0]
    assert title(figure) == "trees carries 62% of the blend; linear left out"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["linear", "mlp", "trees"]
    assert [bar.get_width() for bar in axes.patches] == [0, 0.375, 0.625]
    assert texts(axes) == ["0.0%", "37.5%", "62.5%", "0.7000", "0.8000", "0.9000"]


@pytest.mark.parametrize(("greater_is_better", "best"), [(True, "mlp"), (False, "linear")])
def test_scores_by_fold_name_the_best(greater_is_better, best):
    scores = {"linear": np.array([0.4, 0.6]), "mlp": np.array([0.5, 0.9])}
    figure = runs.scores_by_fold(scores, metric="score", greater_is_better=greater_is_better)
    mean, spread = scores[best].mean(), scores[best].std()
    assert title(figure) == f"{best} is best: score {mean:.4f} ± {spread:.4f} over 2 folds"
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["mlp", "linear"]
    dots = figure.axes[0].collections[0].get_offsets()
    np.testing.assert_allclose(dots[:, 0], scores["mlp"])
