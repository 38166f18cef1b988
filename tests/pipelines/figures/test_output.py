"""Figures as PNG files and as SVG in a page."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from xml.etree import ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest

from pipelines.figures import blend, columns, curves, predictions, scores
from pipelines.figures.output import inline_svg, save

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
    by_member = {"mlp": np.array([0.81, 0.83]), "blend": np.array([0.84, 0.85])}
    options = {"metric": "accuracy", "note": note}
    direction = {"greater_is_better": True}
    return {
        "curves": curves.learning_curves({"mlp": make_curves()}, **options, **direction),
        "confusion": predictions.confusion(
            target, probabilities.argmax(axis=1), classes, note=note
        ),
        "reliability": predictions.reliability(target, probabilities, classes, note=note),
        "weights": scores.blend_weights(
            ["mlp", "trees"], np.array([0.7, 0.3]), np.array([0.8, 0.7]), **options
        ),
        "folds": scores.scores_by_fold(by_member, **options, **direction),
    }


def title(figure):
    return figure.get_suptitle().replace("\n", " ")


def test_every_figure_carries_the_note_and_is_saved(tmp_path):
    note = "Synthetic data: scores mean nothing"
    for name, figure in make_all(note).items():
        assert figure.get_supxlabel() == note
        assert title(figure)
        save(figure, tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").read_bytes().startswith(SIGNATURE)
    assert len(list(tmp_path.iterdir())) == 5


def test_the_same_figure_has_the_same_bytes_without_metadata(tmp_path):
    for path in (tmp_path / "a.png", tmp_path / "b.png"):
        target, probabilities = make_predictions(n_classes=3)
        save(predictions.confusion(target, probabilities.argmax(axis=1), "abc"), path)
    first, second = ((tmp_path / f"{name}.png").read_bytes() for name in "ab")
    assert first == second
    assert b"atplotlib" not in first


def test_the_users_style_changes_nothing_and_is_restored(tmp_path):
    save(make_all()["folds"], tmp_path / "plain.png")
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "black", "figure.dpi": 30}):
        figure = make_all()["folds"]
        assert mpl.rcParams["font.size"] == 30
        save(figure, tmp_path / "odd.png")
    assert (tmp_path / "plain.png").read_bytes() == (tmp_path / "odd.png").read_bytes()


def test_a_picture_that_cannot_be_written_leaves_nothing(tmp_path):
    figure = make_all()["weights"]
    (tmp_path / "taken.png").mkdir()
    with pytest.raises(OSError, match=r"taken\.png"):
        save(figure, tmp_path / "taken.png")
    assert [path.name for path in tmp_path.iterdir()] == ["taken.png"]


def test_importing_loads_no_matplotlib_and_drawing_no_pyplot():
    code = (
        "import sys; from pipelines.figures import output, scores; import numpy as np;"
        "assert 'matplotlib' not in sys.modules;"
        "scores.blend_weights(['a'], np.ones(1), np.ones(1), metric='auc');"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def panels():
    band = curves.MemberCurves.of(make_curves())
    bins = predictions.Bins.of(*make_predictions())
    names, values = ["mlp", "blend"], np.array([[0.81, 0.83], [0.84, 0.85]])
    return {
        "loss": curves.loss_panel(band),
        "score": curves.score_panel(band),
        "calibration": predictions.reliability_panel(bins, "<survived>"),
        "scores": scores.scores_panel(
            dict(zip(names, values, strict=True)), metric="auc", highlighted="blend"
        ),
        "weights": scores.weights_panel(names, values[0], values[1], metric="auc"),
        "importance": columns.importance_panel(
            ["a" * 40, "b"], np.array([0.2, -0.1]), np.array([0.05, 0.2]), metric="auc"
        ),
        "drift": columns.drift_panel(["missing", "1 to 2"], values[0], values[1]),
    }


def test_an_inline_figure_is_self_contained_and_follows_the_page():
    svgs = {
        name: inline_svg(panel, name=name, label=f'"{name}"') for name, panel in panels().items()
    }
    ids = [found for svg in svgs.values() for found in re.findall(r' id="([^"]+)"', svg)]
    assert len(ids) == len(set(ids)) > 0
    for name, svg in svgs.items():
        root = ET.fromstring(svg)
        assert root.attrib["role"] == "img"
        assert root.attrib["aria-label"] == f'"{name}"'
        assert "width" not in root.attrib
        used = re.findall(r'(?:href="|url\()#([^")]+)', svg)
        assert set(used) == {one for one in ids if one.startswith(f"{name}-")}
        assert not re.search(r'(?:href="|url\()(?!#)|<style|<script|font-family|xmlns', svg)
        assert set(re.findall(r"(?<!, )#[0-9a-f]{6}", svg)) == set(), name
        assert "var(--a, #0072b2)" in svg
    assert "predicted probability of &lt;survived&gt;" in svgs["calibration"]


def test_an_inline_figure_is_the_same_each_time():
    first, second = (
        {name: inline_svg(panel, name=name, label="") for name, panel in panels().items()}
        for _ in range(2)
    )
    assert first == second


def test_shapes_have_tooltips():
    svgs = {name: inline_svg(panel, name=name, label="") for name, panel in panels().items()}
    found = {name: [t.text for t in ET.fromstring(s).iter("title")] for name, s in svgs.items()}
    assert found["scores"][:2] == ["split 1: 0.8400", "split 2: 0.8500"]
    assert found["scores"][-2:] == ["mean 0.8450", "mean 0.8200"]
    assert found["drift"][1] == "1 to 2: 83.0% of train, 85.0% of test"
    assert len(found["calibration"]) == len(predictions.Bins.of(*make_predictions()).n_rows)
    assert found["calibration"][0].startswith("predicted 0.")


def test_the_bytes_of_an_image_stay_in_an_inline_figure():
    figure = blend.correlation_map(["a", "b"], np.array([[1.0, 0.9], [0.9, 1.0]]))
    root = ET.fromstring(inline_svg(figure, name="map", label="How alike"))
    (image,) = root.iter("image")
    kind, _, text = image.attrib["href"].partition(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(text, validate=True).startswith(b"\x89PNG")
