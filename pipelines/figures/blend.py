"""Figures of a blend: how alike its members are, and what each of them adds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipelines.figures.style import BLUE, INK, ORANGE, new_panel, shortened, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_NUMBERS = 12  # members up to which the map shows numbers


@styled
def correlation_map(names: Sequence[str], alike: np.ndarray) -> Figure:
    """The correlation of every two members' out-of-fold predictions.

    Args:
        names: The members.
        alike: `(n_members, n_members)`.
    """
    size = max(2.2, min(7.0, 1.2 + 0.3 * len(names)))
    figure = new_panel(size)
    axes = figure.subplots()
    others = alike[~np.eye(len(alike), dtype=bool)]
    low = float(others.min()) if others.size else 0.0
    axes.imshow(alike, cmap="Blues", vmin=min(low, 0.99), vmax=1.0)
    axes.set_xticks([])
    axes.set_yticks(range(len(names)), [shortened(name) for name in names])
    axes.tick_params(axis="y", length=0, labelcolor=INK, labelsize=8)
    axes.grid(visible=False)
    if len(names) <= MOST_NUMBERS:
        middle = (1 + min(low, 0.99)) / 2
        for (row, column), value in np.ndenumerate(alike):
            colour = "white" if value > middle else INK
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour, size=7)
    return figure


@styled
def contributions(names: Sequence[str], adds: np.ndarray, *, metric: str) -> Figure:
    """By how much the blend is better with each member than without it.

    Args:
        names: The members.
        adds: `(n_members,)`, positive where the member helps.
        metric: Name of the score.
    """
    order = np.argsort(adds, kind="stable")
    figure = new_panel(0.8 + 0.24 * len(names))
    axes = figure.subplots()
    colours = [BLUE if adds[at] >= 0 else ORANGE for at in order]
    axes.barh(range(len(order)), adds[order], color=colours, height=0.62)
    axes.set_yticks(range(len(order)), [shortened(names[at]) for at in order])
    axes.tick_params(axis="y", length=0, labelcolor=INK, labelsize=8)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(f"{metric} lost without the member")
    return figure
