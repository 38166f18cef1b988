"""A run's figures: plain arrays in, a `matplotlib.figure.Figure` out.

Nothing global is touched: no pyplot, no backend, and the style holds only while a figure is drawn.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.figures.style import BLUE, DPI, INK, MIST, ORANGE, QUIET, WIDTH, new_figure, styled
from pipelines.workspace.files import whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

N_BINS = 10
Curves = Mapping[str, np.ndarray]


@styled
def save(figure: Figure, path: Path) -> None:
    """Write a PNG whose bytes depend on the picture alone, whole or not at all."""
    with whole(path) as temporary:
        figure.savefig(temporary, format="png", dpi=DPI, metadata={"Software": None})


@styled
def learning_curves(
    curves: Mapping[str, Curves],
    *,
    metric: str,
    greater_is_better: bool,
    note: str | None = None,
) -> Figure:
    """Loss and score by epoch, a row of panels per member: the median replica and a 10-90 % band.

    Args:
        curves: by member, `train_loss`, `valid_loss` and `valid_score`, each
            `(n_replicas, n_epochs)`; NaN where a replica had stopped or was not evaluated.
        metric: name of `valid_score`.
        greater_is_better: the direction of `valid_score`.
        note: a line for the foot of the figure.
    """
    best = {name: _best_epoch(curve["valid_loss"]) for name, curve in curves.items()}
    figure = new_figure(1.0 + 2.5 * len(curves), title=_finding(curves, best), note=note)
    panels = figure.subplots(len(curves), 2, squeeze=False)
    for (name, curve), (loss, score) in zip(curves.items(), panels, strict=True):
        _band(loss, curve["train_loss"], ORANGE, "training rows")
        _band(loss, curve["valid_loss"], BLUE, "held-out rows, 10-90% of replicas")
        _band(score, curve["valid_score"], BLUE, "held-out rows")
        n_replicas = len(curve["valid_loss"])
        loss.set_title(f"{name}: loss of {n_replicas} replica{'s' * (n_replicas > 1)}")
        final = _at(curve["valid_score"], best[name])
        score.set_title(f"{name}: {metric} {final:.4g} at epoch {best[name]}")
        for axes in (loss, score):
            axes.axvline(best[name], color=QUIET, linewidth=1, linestyle=(0, (3, 3)), zorder=1)
            axes.margins(x=0.01)
            axes.set_xlabel("epoch")
        score.set_ylabel(f"{metric}, {_direction(greater_is_better=greater_is_better)}")
        loss.set_ylabel("loss, nats per row")
    panels[0, 0].legend(loc="upper right")
    return figure


def _finding(curves: Mapping[str, Curves], best: Mapping[str, int]) -> str:
    """The finding of the learning curves, for the members' held-out loss."""
    members: dict[str, list[str]] = {}
    for name, curve in curves.items():
        median = _quantiles(curve["valid_loss"])[1]
        members.setdefault(_ending(median[np.isfinite(median)]), []).append(name)
    turned = [f"{name} after epoch {best[name]}" for name in members.pop("turns up for", [])]
    parts = [f"turns up for {', '.join(turned)}"] if turned else []
    parts += [f"{ending} {', '.join(names)}" for ending, names in members.items()]
    return f"Held-out loss {'; '.join(parts)}"


def _ending(median: np.ndarray) -> str:
    """How a loss ends, measured by how far it fell."""
    if len(median) < 2:
        return "is known at one epoch only for"
    fall = max(median[0] - median.min(), 1e-12)
    tail = median[-max(2, len(median) // 10) :]
    if median[-1] - median.min() > 0.05 * fall:
        return "turns up for"
    return "still falls at the end for" if tail[0] - tail[-1] > 0.02 * fall else "levels off for"


def _best_epoch(values: np.ndarray) -> int:
    """The epoch, from 1, at which the median over replicas is lowest."""
    median = _quantiles(values)[1]
    return int(np.nanargmin(median)) + 1 if np.isfinite(median).any() else 1


def _at(values: np.ndarray, epoch: int) -> float:
    return float(_quantiles(values)[1, epoch - 1])


def _quantiles(values: np.ndarray) -> np.ndarray:
    """10, 50 and 90 % over replicas, `(3, n_epochs)`; NaN where fewer than half are left."""
    present = np.isfinite(values)
    enough = 2 * present.sum(axis=0) >= max(1, present.sum(axis=0).max())
    result = np.full((3, values.shape[1]), np.nan)
    if enough.any() and present.any():
        finite = np.where(present, values, np.nan)
        result[:, enough] = np.nanquantile(finite[:, enough], [0.1, 0.5, 0.9], axis=0)
    return result


def _band(axes: Axes, values: np.ndarray, colour: str, label: str) -> None:
    low, median, high = _quantiles(values)
    shown = np.flatnonzero(np.isfinite(median))
    marker = "o" if len(shown) == 1 else None
    axes.plot(shown + 1, median[shown], color=colour, label=label, marker=marker)
    if len(values) > 1:
        axes.fill_between(shown + 1, low[shown], high[shown], color=colour, alpha=0.18, linewidth=0)


@styled
def confusion(
    target: np.ndarray,
    probabilities: np.ndarray,
    class_names: Sequence[str],
    *,
    note: str | None = None,
) -> Figure:
    """Which class is taken for which: counts, and their share of the row.

    Args:
        target: `(n_rows,) int64` class index.
        probabilities: `(n_rows, n_classes)`, out of fold.
        class_names: in the order of the columns.
        note: a line for the foot of the figure.
    """
    n = len(class_names)
    counts = np.zeros((n, n), dtype=np.int64)
    np.add.at(counts, (target, probabilities.argmax(axis=1)), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    cell = min(1.35, (WIDTH - 1.6) / n)
    figure = new_figure(1.9 + cell * n * 0.82, title=_mistakes(counts, class_names), note=note)
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
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    return figure


def _write_cell(
    axes: Axes, i: int, j: int, *, counts: np.ndarray, shares: np.ndarray, size: float
) -> None:
    colour = "white" if shares[i, j] > 0.5 else INK
    weight = "bold" if i == j else "normal"
    share = "<1%" if shares[i, j] < 0.005 else f"{shares[i, j]:.0%}"
    axes.text(
        j + 0.5,
        i + 0.5,
        f"{counts[i, j]:,}\n{share}",
        ha="center",
        va="center",
        color=colour,
        fontsize=size,
        fontweight=weight,
    )


def _mistakes(counts: np.ndarray, class_names: Sequence[str]) -> str:
    """The finding of the confusion matrix: how many are right, and the commonest mistake."""
    right = np.trace(counts) / max(1, counts.sum())
    wrong = counts - np.diag(np.diag(counts))
    start = f"{right:.1%} of {counts.sum():,} held-out rows are right"
    if not wrong.any():
        return start
    i, j = np.unravel_index(wrong.argmax(), wrong.shape)
    share = wrong[i, j] / counts[i].sum()
    return f"{start}; {share:.0%} of {class_names[i]} taken for {class_names[j]}"


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
    """Whether what is said with 80 % comes true in 80 %, above how often each is said.

    Two classes: the probability of the second class. More: that of the predicted class.

    Args:
        target: `(n_rows,) int64` class index.
        probabilities: `(n_rows, n_classes)`, out of fold.
        class_names: in the order of the columns.
        note: a line for the foot of the figure.
    """
    binary = probabilities.shape[1] == 2
    said = probabilities[:, 1] if binary else probabilities.max(axis=1)
    true = target == 1 if binary else target == probabilities.argmax(axis=1)
    bins = _bin(said, true)
    figure = new_figure(5.6, title=_verdict(bins, binary=binary), note=note)
    upper, lower = figure.subplots(
        2, 1, sharex=True, gridspec_kw={"height_ratios": [3.2, 1], "hspace": 0.06}
    )
    _said_against_true(upper, bins)
    _counts(lower, bins)
    upper.set_ylabel(f"share that is {class_names[1]}" if binary else "share that is right")
    said_of = class_names[1] if binary else "the predicted class"
    lower.set_xlabel(f"predicted probability of {said_of}")
    return figure


def _said_against_true(axes: Axes, bins: Mapping[str, np.ndarray]) -> None:
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle=(0, (3, 3)), label="perfect")
    low, high = _wilson(bins["observed"], bins["count"])
    error = np.abs(np.stack([bins["observed"] - low, high - bins["observed"]]))
    axes.errorbar(
        bins["said"],
        bins["observed"],
        yerr=error,
        color=BLUE,
        marker="o",
        markersize=6,
        elinewidth=1.4,
        label="held-out rows, with their 90% interval",
    )
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    axes.legend(loc="upper left")


def _counts(axes: Axes, bins: Mapping[str, np.ndarray]) -> None:
    bars = axes.bar(bins["middle"], bins["count"], width=0.092, color=MIST)
    axes.bar_label(bars, fmt="{:,.0f}", padding=2, fontsize=8.5)
    axes.margins(y=0.3)
    axes.set_yticks([])
    axes.set_ylabel("rows")


def _bin(said: np.ndarray, true: np.ndarray) -> dict[str, np.ndarray]:
    """Ten bins of equal width, the empty ones left out."""
    number = np.minimum((said * N_BINS).astype(np.int64), N_BINS - 1)
    count = np.bincount(number, minlength=N_BINS)
    used = count > 0
    return {
        "middle": ((np.arange(N_BINS) + 0.5) / N_BINS)[used],
        "count": count[used],
        "said": np.bincount(number, said, N_BINS)[used] / count[used],
        "observed": np.bincount(number, true, N_BINS)[used] / count[used],
    }


def _verdict(bins: Mapping[str, np.ndarray], *, binary: bool) -> str:
    """The finding of the reliability diagram, with the expected calibration error."""
    share = bins["count"] / bins["count"].sum()
    gap = bins["said"] - bins["observed"]
    error = float(share @ np.abs(gap))
    start = f"Probabilities are off by {100 * error:.1f} points on average (ECE {error:.3f})"
    if binary or error < 0.01:
        return start
    return f"{start}: {'over' if share @ gap > 0 else 'under'}-confident"


def _wilson(share: np.ndarray, count: np.ndarray, z: float = 1.645) -> tuple[Any, Any]:
    """The 90 % interval of a share.

    Source: Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927.
    """
    centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    return centre - half, centre + half


@styled
def blend_weights(
    members: Sequence[str],
    weights: np.ndarray,
    scores: np.ndarray,
    *,
    metric: str,
    note: str | None = None,
) -> Figure:
    """How much each member has in the blend, with its own score.

    Args:
        members: names.
        weights: `(n_members,)`, sum 1.
        scores: `(n_members,)`, each member's mean out-of-fold score.
        metric: name of the score.
        note: a line for the foot of the figure.
    """
    order = np.argsort(weights, kind="stable")
    figure = new_figure(
        1.5 + 0.42 * len(members), title=_share_of_blend(members, weights), note=note
    )
    axes = figure.subplots()
    bars = axes.barh(range(len(order)), weights[order], color=BLUE, height=0.62)
    axes.bar_label(bars, fmt="{:.1%}", padding=6, fontweight="bold")
    place: dict[str, Any] = {"ha": "right", "va": "center", "transform": axes.get_yaxis_transform()}
    for row, i in enumerate(order):
        axes.text(1.0, row, f"{scores[i]:.4f}", color=QUIET, **place)
    axes.set_yticks(range(len(order)), [members[i] for i in order])
    axes.tick_params(axis="y", length=0, labelcolor=INK, labelsize=10)
    axes.set_title(f"{metric} alone", loc="right", color=QUIET, fontweight="normal", fontsize=9.5)
    axes.set_xlim(0, max(0.05, weights.max()) * 1.32)
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("weight in the blend")
    return figure


def _share_of_blend(members: Sequence[str], weights: np.ndarray) -> str:
    """The finding of the weights."""
    first = int(weights.argmax())
    unused = [name for name, weight in zip(members, weights, strict=True) if weight < 5e-4]
    end = f"; {', '.join(unused)} left out" if unused else ""
    return f"{members[first]} carries {weights[first]:.0%} of the blend{end}"


@styled
def scores_by_fold(
    scores: Mapping[str, np.ndarray],
    *,
    metric: str,
    greater_is_better: bool,
    note: str | None = None,
) -> Figure:
    """Each fold's score, a line of dots per member; the mean and one standard deviation over it.

    Args:
        scores: by member (and the blend, last), `(n_folds,)`.
        metric: name of the score.
        greater_is_better: its direction.
        note: a line for the foot of the figure.
    """
    names = list(scores)
    means = {name: float(np.mean(values)) for name, values in scores.items()}
    best = max(names, key=lambda name: means[name] * (1 if greater_is_better else -1))
    title = f"{best} is best: {metric} {means[best]:.4f} ± {np.std(scores[best]):.4f} over "
    figure = new_figure(
        1.5 + 0.5 * len(names), title=f"{title}{len(scores[best])} folds", note=note
    )
    axes = figure.subplots()
    for row, name in enumerate(reversed(names)):
        _dots(axes, row, np.asarray(scores[name]), colour=ORANGE if name == best else BLUE)
    axes.set_yticks(range(len(names)), names[::-1])
    axes.tick_params(axis="y", length=0, labelcolor=INK, labelsize=10)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(
        f"{metric} on a fold's held-out rows, {_direction(greater_is_better=greater_is_better)}"
    )
    return figure


def _dots(axes: Axes, row: int, values: np.ndarray, *, colour: str) -> None:
    mean, spread = values.mean(), values.std()
    # Dots fan out evenly around the line, in an order that does not follow the score.
    offsets = 0.2 * (((np.arange(len(values)) * 0.618) % 1) - 0.5)
    axes.plot([mean - spread, mean + spread], [row, row], color=colour, linewidth=7, alpha=0.25)
    axes.scatter(values, row + offsets, s=16, color=colour, alpha=0.55, linewidth=0, zorder=3)
    axes.plot([mean, mean], [row - 0.24, row + 0.24], color=colour, linewidth=2.4, zorder=4)


def _direction(*, greater_is_better: bool) -> str:
    return "higher is better" if greater_is_better else "lower is better"
