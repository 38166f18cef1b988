"""Figures of the members' scores and of their weights in the blend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.figures.output import tooltips
from pipelines.figures.style import (
    BLUE,
    INK,
    ORANGE,
    QUIET,
    new_figure,
    new_panel,
    shortened,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@styled
def scores_by_fold(
    scores: Mapping[str, np.ndarray],
    *,
    metric: str,
    greater_is_better: bool,
    note: str | None = None,
) -> Figure:
    """Each fold's score, a row of dots per member; mean and one standard deviation over it.

    Args:
        scores: By member (and the blend, last), `(n_splits,)`.
        metric: Name of the score.
        greater_is_better: Its direction.
        note: A line for the foot of the figure.
    """
    means = {name: float(np.nanmean(values)) for name, values in scores.items()}
    best = max(scores, key=lambda name: means[name] * (1 if greater_is_better else -1))
    spread, n_splits = np.nanstd(scores[best]), len(scores[best])
    title = f"{best} is best: {metric} {means[best]:.4f} ± {spread:.4f} over {n_splits} splits"
    figure = new_figure(1.5 + 0.5 * len(scores), title=title, note=note)
    axes = figure.subplots()
    _draw_scores(axes, scores, list(scores), highlighted=best)
    direction = "higher is better" if greater_is_better else "lower is better"
    axes.set_xlabel(f"{metric} on a split's held-out rows, {direction}")
    return figure


@styled
def scores_panel(scores: Mapping[str, np.ndarray], *, metric: str, highlighted: str) -> Figure:
    """The same for a page, one row in the second colour."""
    figure = new_panel(0.55 + 0.36 * len(scores))
    axes = figure.subplots()
    _draw_scores(axes, scores, [shortened(name) for name in scores], highlighted=highlighted)
    axes.set_xlabel(metric)
    return figure


def _draw_scores(
    axes: Axes, scores: Mapping[str, np.ndarray], labels: Sequence[str], *, highlighted: str
) -> None:
    for row, (name, values) in enumerate(reversed(list(scores.items()))):
        _draw_dots(axes, row, np.asarray(values), ORANGE if name == highlighted else BLUE)
    axes.set_yticks(range(len(scores)), labels[::-1])
    axes.tick_params(axis="y", length=0, labelcolor=INK, labelsize=10)
    axes.set_ylim(-0.6, len(scores) - 0.4)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)


def _draw_dots(axes: Axes, row: int, values: np.ndarray, colour: str) -> None:
    splits = np.flatnonzero(np.isfinite(values))  # the others have no score
    values = values[splits]
    mean, spread = values.mean(), values.std()
    # Dots fan out evenly around the line, in an order that does not follow the score.
    offsets = 0.2 * (((np.arange(len(values)) * 0.618) % 1) - 0.5)
    axes.plot([mean - spread, mean + spread], [row, row], color=colour, linewidth=7, alpha=0.25)
    dots = axes.scatter(
        values, row + offsets, s=16, color=colour, alpha=0.55, linewidth=0, zorder=3
    )
    tooltips(
        dots,
        [f"split {number}: {score:.4f}" for number, score in zip(splits + 1, values, strict=True)],
    )
    (line,) = axes.plot([mean, mean], [row - 0.24, row + 0.24], color=colour, linewidth=2.4)
    line.set_zorder(4)
    tooltips(line, [f"mean {mean:.4f}"])


@styled
def blend_weights(
    members: Sequence[str],
    weights: np.ndarray,
    scores: np.ndarray,
    *,
    metric: str,
    note: str | None = None,
) -> Figure:
    """Each member's weight in the blend, and its score alone.

    Args:
        members: Their names.
        weights: `(n_members,)`, sum 1.
        scores: `(n_members,)`, each member's mean out-of-fold score.
        metric: Name of the score.
        note: A line for the foot of the figure.
    """
    title = _weights_finding(members, weights)
    figure = new_figure(1.5 + 0.42 * len(members), title=title, note=note)
    _draw_weights(figure.subplots(), members, weights, scores, metric=metric)
    return figure


@styled
def weights_panel(
    members: Sequence[str], weights: np.ndarray, scores: np.ndarray, *, metric: str
) -> Figure:
    """The same for a page."""
    figure = new_panel(0.8 + 0.33 * len(members))
    names = [shortened(name) for name in members]
    _draw_weights(figure.subplots(), names, weights, scores, metric=metric)
    return figure


def _draw_weights(
    axes: Axes, names: Sequence[str], weights: np.ndarray, scores: np.ndarray, *, metric: str
) -> None:
    order = np.argsort(weights, kind="stable")
    bars = axes.barh(range(len(order)), weights[order], color=BLUE, height=0.62)
    axes.bar_label(bars, fmt="{:.1%}", padding=6, fontweight="bold")
    place: dict[str, Any] = {"ha": "right", "va": "center", "transform": axes.get_yaxis_transform()}
    for row, i in enumerate(order):
        axes.text(1.0, row, f"{scores[i]:.4f}", color=QUIET, **place)
    axes.set_yticks(range(len(order)), [names[i] for i in order])
    axes.tick_params(axis="y", length=0, labelcolor=INK, labelsize=10)
    axes.set_title(f"{metric} alone", loc="right", color=QUIET, fontweight="normal", fontsize=9.5)
    axes.set_xlim(0, max(0.05, weights.max()) * 1.5)
    axes.set_xticks([tick for tick in axes.get_xticks() if 0 <= tick <= 1 + 1e-9])
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("weight in the blend")


def _weights_finding(members: Sequence[str], weights: np.ndarray) -> str:
    first = int(weights.argmax())
    unused = [name for name, weight in zip(members, weights, strict=True) if weight < 5e-4]
    end = f"; {', '.join(unused)} left out" if unused else ""
    return f"{members[first]} has {weights[first]:.0%} of the weight in the blend{end}"
