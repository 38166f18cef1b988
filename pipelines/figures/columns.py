"""Figures of a table's columns: what they are worth to a model, and how train and test differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.figures.output import tooltips
from pipelines.figures.style import (
    BLUE,
    INK,
    MIST,
    ORANGE,
    QUIET,
    new_panel,
    shortened,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def importance_panel(
    names: Sequence[str], losses: np.ndarray, spreads: np.ndarray, *, metric: str
) -> Figure:
    """What the metric loses when each column is shuffled, for a page.

    Grey bars are no longer than their standard deviation.

    Args:
        names: Of the columns, the most important first.
        losses: `(n_columns,)`, mean over shuffles.
        spreads: `(n_columns,)`, standard deviation over shuffles.
        metric: Name of the score.
    """
    figure = new_panel(0.55 + 0.27 * len(names))
    axes = figure.subplots()
    colours = [BLUE if loss > std else MIST for loss, std in zip(losses, spreads, strict=True)]
    rows = np.arange(len(names))[::-1]
    axes.barh(rows, losses, color=colours, height=0.6)
    axes.hlines(rows, losses - spreads, losses + spreads, color=INK, linewidth=1)
    place: dict[str, Any] = {"ha": "right", "va": "center", "transform": axes.get_yaxis_transform()}
    for row, loss, std in zip(rows, losses, spreads, strict=True):
        spread = f" ± {std:.4f}" if spreads.any() else ""  # a single shuffle has none
        axes.text(1.0, row, f"{loss:+.4f}{spread}", color=QUIET, fontsize=9, **place)
    axes.set_yticks(rows, [shortened(name, 20) for name in names])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    low, high = min(0.0, (losses - spreads).min()), max(1e-6, (losses + spreads).max())
    axes.set(xlim=(low, low + 1.65 * (high - low)), xlabel=f"loss in {metric}")
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    return figure


@styled
def drift_panel(labels: Sequence[str], train: np.ndarray, test: np.ndarray) -> Figure:
    """A column's distribution in train and in test, for a page: pairs of bars.

    Args:
        labels: What each bin holds.
        train: `(n_bins,)` share of the training rows.
        test: `(n_bins,)` share of the test rows.
    """
    figure = new_panel(0.62, width=3.0)
    figure.set_layout_engine(None)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    places = np.arange(len(labels))
    bars = [
        *axes.bar(places - 0.19, train, width=0.36, color=BLUE),
        *axes.bar(places + 0.19, test, width=0.36, color=ORANGE),
    ]
    shares = zip(labels, train, test, strict=True)
    texts = [f"{label}: {a:.1%} of train, {b:.1%} of test" for label, a, b in shares]
    for bar, text in zip(bars, texts * 2, strict=True):
        tooltips(bar, [text])
    axes.set(xlim=(-0.5, len(labels) - 0.5), ylim=(0, max(train.max(), test.max(), 1e-9)))
    return figure
