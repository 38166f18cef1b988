"""Figures of pictures: which were taken for something else, and what a first layer looks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipelines.figures.style import BLUE, INK, ORANGE, WIDTH, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

N_COLUMNS, MOST_PICTURES = 10, 50
MOST_FILTERS = 64
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
    """The pictures that were taken for another class, the surest mistake first.

    Args:
        images: `(n_rows, 1, H, W)`.
        target: `(n_rows,) int64` class index.
        probabilities: `(n_rows, n_classes)`, out of fold.
        class_names: in the order of the columns.
        note: a line for the foot of the figure.
    """
    said = probabilities.argmax(axis=1)
    sureness = probabilities.max(axis=1)
    wrong = np.flatnonzero(said != target)
    shown = wrong[np.argsort(-sureness[wrong], kind="stable")][:MOST_PICTURES]
    n_lines = max(1, -(-len(shown) // N_COLUMNS))
    title = _told_mistakes(len(wrong), len(target), len(shown))
    figure = new_figure(0.9 + 1.0 * n_lines, title=title, note=note)
    panels = figure.subplots(n_lines, N_COLUMNS, squeeze=False).ravel()
    for axes in panels:
        axes.set_axis_off()
    for axes, row in zip(panels, shown, strict=False):
        _picture(axes, images[row, 0])
        told = f"{class_names[said[row]]} {sureness[row]:.0%}"
        axes.set_title(told, fontsize=8.5, color=ORANGE, loc="left", pad=2)
        axes.set_title(str(class_names[target[row]]), fontsize=8.5, color=BLUE, loc="right", pad=2)
    return figure


def _told_mistakes(n_wrong: int, n_rows: int, n_shown: int) -> str:
    """The finding of the wrong pictures, and how to read what stands above each."""
    if not n_wrong:
        return f"None of {n_rows:,} held-out pictures is taken for something else"
    which = "the surest " if n_shown < n_wrong else "all "
    start = f"{n_wrong:,} of {n_rows:,} held-out pictures are taken for something else"
    return f"{start}; {which}{n_shown}: what was thought (orange), what it is (blue)"


def _picture(axes: Axes, pixels: np.ndarray) -> None:
    axes.imshow(pixels, cmap="gray_r", interpolation="nearest")


@styled
def first_filters(weights: np.ndarray, *, member: str, note: str | None = None) -> Figure:
    """What the first layer of one replica looks for, a square for each filter.

    Args:
        weights: `(n_filters, H, W)`.
        member: its name.
        note: a line for the foot of the figure.
    """
    shown = weights[:MOST_FILTERS]
    n_columns = min(len(shown), 16)
    n_lines = -(-len(shown) // n_columns)
    height, width = shown.shape[1:]
    title = f"The first layer of {member}: {_told_filters(len(shown), len(weights))} "
    title += f"{height} × {width} pixels; dark where ink speaks for it, orange where against"
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


def _told_filters(n_shown: int, n_filters: int) -> str:
    return (
        f"{n_shown} filters of" if n_shown == n_filters else f"{n_shown} of {n_filters} filters of"
    )


def _orange_to_ink() -> object:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("filters", [ORANGE, "#ffffff", INK])
