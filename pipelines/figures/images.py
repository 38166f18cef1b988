"""Figures of images: the misclassified ones, and the filters of a first layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipelines.figures.style import BLUE, INK, ORANGE, WIDTH, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

N_COLUMNS, MAX_IMAGES = 10, 50
MAX_FILTERS = 64
CLOSE = {"wspace": 0.0, "hspace": 0.0}


@styled
def mistakes(
    images: np.ndarray,
    target: np.ndarray,
    probabilities: np.ndarray,
    class_names: Sequence[str],
    *,
    note: str | None = None,
) -> Figure:
    """The misclassified images, the most confident mistake first.

    Args:
        images: `(n_rows, 1, H, W)`.
        target: `(n_rows,) int64` class index.
        probabilities: `(n_rows, n_classes)`, out of fold.
        class_names: In the order of the columns.
        note: A line for the foot of the figure.
    """
    predicted = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != target)
    shown = wrong[np.argsort(-confidence[wrong], kind="stable")][:MAX_IMAGES]
    n_lines = max(1, -(-len(shown) // N_COLUMNS))
    title = _mistakes_finding(len(wrong), len(target), len(shown))
    figure = new_figure(0.9 + 1.0 * n_lines, title=title, note=note)
    panels = figure.subplots(n_lines, N_COLUMNS, squeeze=False).ravel()
    for axes in panels:
        axes.set_axis_off()
    for axes, row in zip(panels, shown, strict=False):
        axes.imshow(images[row, 0], cmap="gray_r", interpolation="nearest")
        wrong_class = f"{class_names[predicted[row]]} {confidence[row]:.0%}"
        axes.set_title(wrong_class, fontsize=8.5, color=ORANGE, loc="left", pad=2)
        axes.set_title(str(class_names[target[row]]), fontsize=8.5, color=BLUE, loc="right", pad=2)
    return figure


def _mistakes_finding(n_wrong: int, n_rows: int, n_shown: int) -> str:
    """The number of mistakes, and how to read the titles of the panels."""
    if not n_wrong:
        return f"All {n_rows:,} held-out images are classified correctly"
    which = "the most confident " if n_shown < n_wrong else "all "
    start = f"{n_wrong:,} of {n_rows:,} held-out images are misclassified"
    return f"{start}; {which}{n_shown}, with predicted class (orange) and true class (blue)"


@styled
def first_filters(weights: np.ndarray, *, member: str, note: str | None = None) -> Figure:
    """The first layer of one replica, a square for each filter.

    Args:
        weights: `(n_filters, H, W)`.
        member: Name of the network.
        note: A line for the foot of the figure.
    """
    shown = weights[:MAX_FILTERS]
    n_columns = min(len(shown), 16)
    n_lines = -(-len(shown) // n_columns)
    height, width = shown.shape[1:]
    which = f"{len(shown)}" if len(shown) == len(weights) else f"{len(shown)} of {len(weights)}"
    title = f"The first layer of {member}: {which} filters of {height} × {width} pixels; "
    title += "dark weights are positive, orange ones negative"
    figure = new_figure(0.9 + n_lines * WIDTH / n_columns, title=title, note=note)
    panels = figure.subplots(n_lines, n_columns, squeeze=False, gridspec_kw=CLOSE).ravel()
    for axes in panels:
        axes.set_axis_off()
    for axes, pixels in zip(panels, shown, strict=False):
        largest = max(float(np.abs(pixels).max()), 1e-12)
        axes.imshow(
            pixels, cmap=_orange_to_ink(), vmin=-largest, vmax=largest, interpolation="nearest"
        )
    return figure


def _orange_to_ink() -> object:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("filters", [ORANGE, "#ffffff", INK])
