"""Predicted values against true ones."""

from __future__ import annotations

import numpy as np

from pipelines.figures.values import predicted_against_true


def test_rows_beyond_the_frame_are_counted():
    rng = np.random.default_rng(0)
    target = rng.normal(size=(1_000, 1))
    target[:3] = 1_000
    figure = predicted_against_true(target, target + 0.1, ["price"])
    (axes,) = figure.axes
    low, high = axes.get_ylim()
    n_beyond = int(((target < low) | (target > high)).sum())
    assert n_beyond >= 3
    assert [text.get_text() for text in axes.texts] == [
        f"{n_beyond} of 1,000 rows beyond the frame"
    ]
