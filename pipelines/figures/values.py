"""Figures of out-of-fold values: predicted against true, and the residuals, by decile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.figures.output import tooltips
from pipelines.figures.style import BLUE, MIST, QUIET, new_figure, new_panel, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

N_BINS = 10
N_POINTS = 3000  # rows drawn as points
MOST_TARGETS = 6
SPAN = (0.005, 0.995)  # quantiles of both axes


@dataclass(frozen=True)
class ValueBins:
    """Held-out rows of one target in groups of about equal size, by predicted value.

    Attributes:
        predicted: `(n_bins,)` mean prediction.
        observed: `(n_bins,)` mean of the target.
        low: `(n_bins,)` its 10 % quantile.
        high: `(n_bins,)` its 90 % quantile.
        n_rows: `(n_bins,)`.
    """

    predicted: np.ndarray
    observed: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n_rows: np.ndarray

    @classmethod
    def of(cls, target: np.ndarray, predicted: np.ndarray) -> ValueBins:
        """Deciles of the prediction; fewer where predictions repeat.

        Args:
            target: `(n,)`.
            predicted: `(n,)`.
        """
        edges = np.unique(np.quantile(predicted, np.linspace(0, 1, N_BINS + 1)[1:-1]))
        number = np.searchsorted(edges, predicted, side="left")
        groups = [number == at for at in np.unique(number)]
        return cls(
            predicted=np.array([predicted[rows].mean() for rows in groups]),
            observed=np.array([target[rows].mean() for rows in groups]),
            low=np.array([np.quantile(target[rows], 0.1) for rows in groups]),
            high=np.array([np.quantile(target[rows], 0.9) for rows in groups]),
            n_rows=np.array([int(rows.sum()) for rows in groups]),
        )

    @property
    def bias(self) -> float:
        """Mean of predicted less observed, relative to the mean absolute target."""
        weights = self.n_rows
        scale = float(np.average(np.abs(self.observed), weights=weights)) or 1.0
        return float(np.average(self.predicted - self.observed, weights=weights)) / scale


@styled
def predicted_against_true(
    target: np.ndarray, predicted: np.ndarray, names: Sequence[str], *, note: str | None = None
) -> Figure:
    """Every row's prediction against its target, with the deciles, one panel for each target.

    Args:
        target: `(n_rows, n_targets)`.
        predicted: The same shape, out of fold.
        names: Of the targets.
        note: A line for the foot of the figure.
    """
    n = min(len(names), MOST_TARGETS)
    rows = -(-n // 2) if n > 1 else 1
    figure = new_figure(1.0 + 4.6 * rows, title=_finding(target, predicted, names), note=note)
    panels = np.atleast_1d(figure.subplots(rows, min(n, 2), squeeze=False)).ravel()
    for at, axes in enumerate(panels):
        if at >= n:
            axes.set_axis_off()
            continue
        _draw_points(axes, target[:, at], predicted[:, at])
        _draw_deciles(axes, ValueBins.of(target[:, at], predicted[:, at]))
        axes.set(xlabel=f"predicted {names[at]}", ylabel=f"true {names[at]}")
    panels[0].legend(loc="upper left")
    return figure


@styled
def residuals(
    target: np.ndarray, predicted: np.ndarray, names: Sequence[str], *, note: str | None = None
) -> Figure:
    """How far each row's prediction is off, over the prediction; one panel for each target.

    Args:
        target: `(n_rows, n_targets)`.
        predicted: The same shape, out of fold.
        names: Of the targets.
        note: A line for the foot of the figure.
    """
    n = min(len(names), MOST_TARGETS)
    error = target - predicted
    spread = ", ".join(f"{name} {error[:, at].std():.3g}" for at, name in enumerate(names[:n]))
    title = f"Residuals (true less predicted) have a standard deviation of {spread}"
    figure = new_figure(1.0 + 3.2 * n, title=title, note=note)
    panels = np.atleast_1d(figure.subplots(n, 1, squeeze=False)).ravel()
    for at, axes in enumerate(panels):
        _draw_points(axes, error[:, at], predicted[:, at], is_diagonal=False)
        axes.set(xlabel=f"predicted {names[at]}", ylabel="residual")
    return figure


@styled
def deciles_panel(bins: ValueBins, name: str) -> Figure:
    """The deciles of one target for a page."""
    figure = new_panel(3.4)
    axes = figure.subplots()
    _draw_deciles(axes, bins)
    ends = [min(bins.predicted[0], bins.low[0]), max(bins.predicted[-1], bins.high[-1])]
    axes.plot(ends, ends, color=QUIET, linewidth=1, linestyle=(0, (3, 3)))
    axes.set(xlabel=f"predicted {name}", ylabel=f"true {name}")
    axes.locator_params(axis="x", nbins=5)
    return figure


def _draw_deciles(axes: Axes, bins: ValueBins) -> None:
    axes.vlines(bins.predicted, bins.low, bins.high, color=BLUE, linewidth=1.4)
    label = "tenths of the held-out rows: mean, and where 80 % of them lie"
    (line,) = axes.plot(bins.predicted, bins.observed, "o-", color=BLUE, markersize=6, label=label)
    parts = zip(bins.predicted, bins.observed, bins.n_rows, strict=True)
    tooltips(line, [f"predicted {p:.4g}, true {o:.4g}, {n:,} rows" for p, o, n in parts])


def _draw_points(
    axes: Axes, values: np.ndarray, predicted: np.ndarray, *, is_diagonal: bool = True
) -> None:
    """Some of the rows, evenly taken; the frame leaves out the outermost, and says how many."""
    step = -(-len(values) // N_POINTS)
    axes.plot(predicted[::step], values[::step], ".", color=MIST, markersize=3, zorder=0)
    x_ends, y_ends = np.quantile(predicted, SPAN), np.quantile(values, SPAN)
    ends = x_ends if is_diagonal else x_ends * 0
    axes.plot(x_ends, ends, color=QUIET, linewidth=1, linestyle=(0, (3, 3)))
    for ends_of, set_limits in ((x_ends, axes.set_xlim), (y_ends, axes.set_ylim)):
        margin = 0.05 * float(np.ptp(ends_of)) or 1.0
        set_limits(ends_of[0] - margin, ends_of[1] + margin)
    _tell_hidden(axes, predicted, values)


def _tell_hidden(axes: Axes, predicted: np.ndarray, values: np.ndarray) -> None:
    """Say how many rows lie beyond the frame, if any do."""
    is_hidden = np.zeros(len(values), dtype=bool)
    for of_axis, (low, high) in ((predicted, axes.get_xlim()), (values, axes.get_ylim())):
        is_hidden |= (of_axis < low) | (of_axis > high)
    if is_hidden.any():
        text = f"{int(is_hidden.sum()):,} of {len(values):,} rows beyond the frame"
        place: dict[str, Any] = {"transform": axes.transAxes, "ha": "right", "va": "bottom"}
        axes.text(0.99, 0.015, text, color=QUIET, fontsize=8.5, **place)


def _finding(target: np.ndarray, predicted: np.ndarray, names: Sequence[str]) -> str:
    """How much of the variance is explained, and whether predictions are off on average."""
    parts = []
    for at, name in enumerate(names[:MOST_TARGETS]):
        spread = float(((target[:, at] - target[:, at].mean()) ** 2).sum()) or 1.0
        explained = 1 - float(((target[:, at] - predicted[:, at]) ** 2).sum()) / spread
        bias = ValueBins.of(target[:, at], predicted[:, at]).bias
        parts.append(f"{name}: {explained:.0%} of the variance explained, {bias:+.1%} on average")
    return "; ".join(parts[:2]) + (" …" if len(parts) > 2 else "")
