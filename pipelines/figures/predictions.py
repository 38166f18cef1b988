"""Figures of out-of-fold predictions: confusion matrix and calibration."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.figures.output import tooltips
from pipelines.figures.style import (
    BLUE,
    INK,
    MIST,
    QUIET,
    WIDTH,
    new_figure,
    new_panel,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

N_BINS = 10
HEIGHTS = {"height_ratios": [3.2, 1], "hspace": 0.06}  # of the two panels of a reliability diagram


@dataclass(frozen=True)
class Bins:
    """Held-out rows grouped by predicted probability; empty groups are left out.

    Attributes:
        predicted: `(n_bins,)` mean predicted probability.
        observed: `(n_bins,)` share of the rows for which it came true.
        n_rows: `(n_bins,)`.
    """

    predicted: np.ndarray
    observed: np.ndarray
    n_rows: np.ndarray

    @classmethod
    def of(cls, target: np.ndarray, probabilities: np.ndarray) -> Bins:
        """Ten bins of equal width.

        Two classes: the probability of the second class. More: that of the predicted class.
        """
        binary = probabilities.shape[1] == 2
        predicted = probabilities[:, 1] if binary else probabilities.max(axis=1)
        is_true = target == 1 if binary else target == probabilities.argmax(axis=1)
        number = np.minimum((predicted * N_BINS).astype(np.int64), N_BINS - 1)
        count = np.bincount(number, minlength=N_BINS)
        used = count > 0
        return cls(
            predicted=np.bincount(number, predicted, N_BINS)[used] / count[used],
            observed=np.bincount(number, is_true, N_BINS)[used] / count[used],
            n_rows=count[used],
        )

    @property
    def middle(self) -> np.ndarray:
        """The middle of each bin."""
        number = np.minimum((self.predicted * N_BINS + 1e-9).astype(np.int64), N_BINS - 1)
        return (number + 0.5) / N_BINS

    @property
    def gap(self) -> float:
        """Mean of predicted less observed; positive for over-confidence."""
        return float(np.average(self.predicted - self.observed, weights=self.n_rows))

    @property
    def error(self) -> float:
        """The expected calibration error."""
        return float(np.average(np.abs(self.predicted - self.observed), weights=self.n_rows))


def confusion_counts(target: np.ndarray, labels: np.ndarray, n_classes: int) -> np.ndarray:
    """Rows by true class and predicted class, `(n_classes, n_classes) int64`.

    Args:
        target: `(n_rows,) int64` class index.
        labels: The same, predicted.
        n_classes: Classes.
    """
    counts = np.zeros((n_classes, n_classes), dtype=np.int64)
    np.add.at(counts, (target, labels), 1)
    return counts


@styled
def confusion(
    target: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str],
    *,
    note: str | None = None,
) -> Figure:
    """The confusion matrix: counts, and their share of the row.

    Args:
        target: `(n_rows,) int64` class index.
        labels: The same, predicted out of fold.
        class_names: In the order of the classes.
        note: A line for the foot of the figure.
    """
    n = len(class_names)
    counts = confusion_counts(target, labels, n)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    cell = min(1.35, (WIDTH - 1.6) / n)
    title = _confusion_finding(counts, class_names)
    figure = new_figure(1.9 + cell * n * 0.82, title=title, note=note)
    axes = figure.subplots()
    axes.pcolormesh(shares, cmap=_blues(), vmin=0, vmax=1, edgecolors="white", linewidth=1.2)
    axes.invert_yaxis()
    size = float(np.clip(72 * cell * 0.17, 5.2, 14))
    for i, j in np.argwhere(counts):
        _write_cell(axes, i, j, counts=counts, shares=shares, size=size)
    names = [textwrap.shorten(str(name), 18, placeholder="…") for name in class_names]
    turned = max(map(len, names)) * 0.085 > cell
    axes.set_xticks(np.arange(n) + 0.5, names, rotation=90 if turned else 0)
    axes.set_yticks(np.arange(n) + 0.5, names)
    axes.tick_params(length=0, labelcolor=INK)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.set(xlabel="predicted class", ylabel="true class")
    return figure


def _write_cell(
    axes: Axes, i: int, j: int, *, counts: np.ndarray, shares: np.ndarray, size: float
) -> None:
    share = "<1%" if shares[i, j] < 0.005 else f"{shares[i, j]:.0%}"
    axes.text(
        j + 0.5,
        i + 0.5,
        f"{counts[i, j]:,}\n{share}",
        ha="center",
        va="center",
        color="white" if shares[i, j] > 0.5 else INK,
        fontsize=size,
        fontweight="bold" if i == j else "normal",
    )


def _confusion_finding(counts: np.ndarray, class_names: Sequence[str]) -> str:
    """How many rows are classified correctly, and the most common mistake."""
    correct = np.trace(counts) / max(1, counts.sum())
    wrong = counts - np.diag(np.diag(counts))
    start = f"{correct:.1%} of {counts.sum():,} held-out rows are classified correctly"
    if not wrong.any():
        return start
    i, j = np.unravel_index(wrong.argmax(), wrong.shape)
    share = wrong[i, j] / counts[i].sum()
    return f"{start}; {share:.0%} of {class_names[i]} predicted as {class_names[j]}"


def _blues() -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("foldwise", ["#f6f8fa", "#7fb4d6", BLUE, "#003b5c"])


@styled
def reliability(
    target: np.ndarray,
    probabilities: np.ndarray,
    class_names: Sequence[str],
    *,
    note: str | None = None,
) -> Figure:
    """Whether a predicted 80% comes true in 80% of the rows, above the number of rows.

    Two classes: the probability of the second class. More: that of the predicted class.

    Args:
        target: `(n_rows,) int64` class index.
        probabilities: `(n_rows, n_classes)`, out of fold.
        class_names: In the order of the columns.
        note: A line for the foot of the figure.
    """
    binary = probabilities.shape[1] == 2
    bins = Bins.of(target, probabilities)
    figure = new_figure(5.6, title=_calibration_finding(bins, binary=binary), note=note)
    upper, lower = figure.subplots(2, 1, sharex=True, gridspec_kw=HEIGHTS)
    _draw_reliability(upper, lower, bins, class_names[1] if binary else "the predicted class")
    upper.legend(loc="upper left")
    upper.set_ylabel(f"share that is {class_names[1]}" if binary else "share that is correct")
    lower.set_ylabel("rows")
    return figure


@styled
def reliability_panel(bins: Bins, probability_of: str) -> Figure:
    """The reliability diagram for a page.

    Args:
        bins: What to draw.
        probability_of: The class whose probability was predicted.
    """
    figure = new_panel(3.4)
    upper, lower = figure.subplots(2, 1, sharex=True, gridspec_kw=HEIGHTS)
    _draw_reliability(upper, lower, bins, probability_of)
    return figure


def _draw_reliability(upper: Axes, lower: Axes, bins: Bins, probability_of: str) -> None:
    upper.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle=(0, (3, 3)), label="perfect")
    low, high = _wilson(bins.observed, bins.n_rows)
    label = "held-out rows, with their 90% interval"
    upper.vlines(bins.predicted, low, high, color=BLUE, linewidth=1.4)
    (line,) = upper.plot(bins.predicted, bins.observed, "o-", color=BLUE, markersize=6, label=label)
    tooltips(line, _bin_texts(bins))
    upper.set(xlim=(0, 1), ylim=(0, 1.02))
    bars = lower.bar(bins.middle, bins.n_rows, width=0.092, color=MIST)
    lower.bar_label(bars, fmt=_compact, padding=2, fontsize=8.5)
    lower.margins(y=0.3)
    lower.set_yticks([])
    lower.set_xlabel(f"predicted probability of {probability_of}")


def _bin_texts(bins: Bins) -> list[str]:
    triples = zip(bins.predicted, bins.observed, bins.n_rows, strict=True)
    return [f"predicted {p:.2f}, observed {o:.2f}, {n:,} rows" for p, o, n in triples]


def _compact(n_rows: float) -> str:
    """A count that fits above its bar."""
    return f"{n_rows:,.0f}" if n_rows < 10_000 else f"{n_rows / 1000:.0f}k"


def _calibration_finding(bins: Bins, *, binary: bool) -> str:
    error = bins.error
    start = f"Probabilities are off by {100 * error:.1f} points on average (ECE {error:.3f})"
    if binary or error < 0.01:
        return start
    return f"{start}: {'over' if bins.gap > 0 else 'under'}-confident"


def _wilson(share: np.ndarray, count: np.ndarray, z: float = 1.645) -> tuple[Any, Any]:
    """The 90% interval of a share.

    Source: Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927.
    """
    centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    return centre - half, centre + half
