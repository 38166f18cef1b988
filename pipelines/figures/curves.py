"""Learning curves: loss and score by epoch over the replicas of a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.figures.style import BLUE, ORANGE, QUIET, new_figure, new_panel, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL_HEIGHT = 2.2  # inches


@dataclass(frozen=True)
class Band:
    """A value by epoch: the replicas' median, and the range that holds 80% of them.

    Attributes:
        epochs: `(n,)`, from 1, those at which the value was measured.
        low: `(n,)`, the 10% quantile.
        median: `(n,)`.
        high: `(n,)`, the 90% quantile.
    """

    epochs: np.ndarray
    low: np.ndarray
    median: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> Band:
        """Summarise `(n_replicas, n_epochs)`, NaN where a replica has no value.

        Epochs at which fewer than half of the replicas were still in training are left out.
        """
        present = np.isfinite(values)
        n_present = present.sum(axis=0)
        used = np.flatnonzero((n_present > 0) & (2 * n_present >= n_present.max(initial=0)))
        finite = np.where(present, values, np.nan)[:, used]
        if not used.size:
            return cls(used + 1, *np.empty((3, 0)))
        return cls(used + 1, *np.nanquantile(finite, [0.1, 0.5, 0.9], axis=0))

    def at(self, epochs: np.ndarray) -> Band:
        """The same at some of its epochs."""
        kept = np.isin(self.epochs, epochs)
        return Band(self.epochs[kept], self.low[kept], self.median[kept], self.high[kept])


@dataclass(frozen=True)
class MemberCurves:
    """How the replicas of one member learned."""

    n_replicas: int
    train_loss: Band
    valid_loss: Band
    valid_score: Band

    @classmethod
    def of(cls, curves: Mapping[str, np.ndarray]) -> MemberCurves:
        """Summarise `train_loss`, `valid_loss` and `valid_score`, each `(n_replicas, n_epochs)`."""
        bands = {name: Band.of(values) for name, values in curves.items()}
        return cls(n_replicas=len(curves["valid_loss"]), **bands)

    @property
    def best_epoch(self) -> int:
        """The epoch, from 1, with the lowest median held-out loss."""
        loss = self.valid_loss
        return int(loss.epochs[loss.median.argmin()]) if loss.epochs.size else 1

    @property
    def best_score(self) -> float:
        """The median held-out score at the best epoch; NaN if it was not measured there."""
        at = self.valid_score.at(np.array([self.best_epoch]))
        return float(at.median[0]) if at.median.size else float("nan")

    def loss_title(self, name: str) -> str:
        """What the panel of the loss shows."""
        return f"{name}: loss of {self.n_replicas} replica{'s' * (self.n_replicas > 1)}"

    def score_title(self, name: str, metric: str) -> str:
        """What the panel of the score shows."""
        return f"{name}: {metric} {self.best_score:.4g} at epoch {self.best_epoch}"


@styled
def learning_curves(
    curves: Mapping[str, Mapping[str, np.ndarray]],
    *,
    metric: str,
    greater_is_better: bool,
    note: str | None = None,
) -> Figure:
    """Loss and score by epoch, a row of panels per member: the median replica and a 10-90% band.

    Args:
        curves: By member, `train_loss`, `valid_loss` and `valid_score`, each
            `(n_replicas, n_epochs)`; NaN where a replica had stopped or was not evaluated.
        metric: Name of `valid_score`.
        greater_is_better: The direction of `valid_score`.
        note: A line for the foot of the figure.
    """
    members = {name: MemberCurves.of(of_member) for name, of_member in curves.items()}
    figure = new_figure(1.0 + 2.5 * len(members), title=_finding(members), note=note)
    panels = figure.subplots(len(members), 2, squeeze=False)
    direction = "higher is better" if greater_is_better else "lower is better"
    for (name, member), (loss, score) in zip(members.items(), panels, strict=True):
        _draw_loss(loss, member)
        loss.set_title(member.loss_title(name))
        loss.set_ylabel("loss, nats per row")
        _draw_score(score, member)
        score.set_title(member.score_title(name, metric))
        score.set_ylabel(f"{metric}, {direction}")
    panels[0, 0].legend(loc="upper right")
    return figure


@styled
def loss_panel(curves: MemberCurves) -> Figure:
    """The loss of one member for a page."""
    figure = new_panel(PANEL_HEIGHT)
    _draw_loss(figure.subplots(), curves)
    return figure


@styled
def score_panel(curves: MemberCurves) -> Figure:
    """The score of one member for a page."""
    figure = new_panel(PANEL_HEIGHT)
    _draw_score(figure.subplots(), curves)
    return figure


def _draw_loss(axes: Axes, curves: MemberCurves) -> None:
    _draw_band(axes, curves.train_loss, ORANGE, "training rows")
    _draw_band(axes, curves.valid_loss, BLUE, "held-out rows, 10-90% of replicas")
    _finish(axes, [curves.train_loss, curves.valid_loss], best_epoch=curves.best_epoch)


def _draw_score(axes: Axes, curves: MemberCurves) -> None:
    _draw_band(axes, curves.valid_score, BLUE, "held-out rows")
    _finish(axes, [curves.valid_score], best_epoch=curves.best_epoch)


def _draw_band(axes: Axes, band: Band, colour: str, label: str) -> None:
    marker = "o" if len(band.epochs) == 1 else None
    axes.plot(band.epochs, band.median, color=colour, label=label, marker=marker)
    if np.any(band.high > band.low):
        style = {"color": colour, "alpha": 0.18, "linewidth": 0}
        axes.fill_between(band.epochs, band.low, band.high, **style)  # type: ignore[arg-type]


def _finish(axes: Axes, bands: Sequence[Band], *, best_epoch: int) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.axvline(best_epoch, color=QUIET, linewidth=1, linestyle=(0, (3, 3)), zorder=1)
    axes.xaxis.set_major_locator(
        MaxNLocator(nbins=8, integer=True, steps=[1, 2, 5, 10], min_n_ticks=1)
    )
    axes.margins(x=0.01)
    axes.set_xlabel("epoch")
    _cut_start(axes, [band for band in bands if band.epochs.size])


def _cut_start(axes: Axes, bands: Sequence[Band]) -> None:
    """Leave out the first epochs where they dwarf the rest, and say up to which value they reach.

    Every line that is drawn lies within the frame.
    """
    if not bands:
        return
    low, high = min(band.low.min() for band in bands), max(band.high.max() for band in bands)
    top = max(map(_settled_top, bands))
    if high - top <= 2 * (top - low):
        return
    start = max(int(band.epochs[band.high > top].max(initial=0)) for band in bands) + 0.5
    axes.set_ylim(low - 0.06 * (top - low), top + 0.12 * (top - low))
    axes.set_xlim(left=start)
    place: dict[str, Any] = {"transform": axes.transAxes, "va": "top", "fontsize": 8.5}
    axes.text(0.015, 0.985, f"not shown: up to {high:.3g} before", color=QUIET, **place)


def _settled_top(band: Band) -> float:
    """The upper end of a band without the first tenth of its epochs, which may dwarf the rest."""
    return float(band.high[len(band.high) // 10 :].max())


def _finding(members: Mapping[str, MemberCurves]) -> str:
    """How the members' held-out loss ends."""
    by_ending: dict[str, list[str]] = {}
    for name, curves in members.items():
        by_ending.setdefault(_ending(curves.valid_loss.median), []).append(name)
    rising = [f"{n} after epoch {members[n].best_epoch}" for n in by_ending.pop("rises for", [])]
    parts = [f"rises for {', '.join(rising)}"] if rising else []
    parts += [f"{ending} {', '.join(names)}" for ending, names in by_ending.items()]
    return f"Held-out loss {'; '.join(parts)}"


def _ending(median: np.ndarray) -> str:
    """How a loss ends, relative to how far it fell."""
    if len(median) < 2:
        return "was measured at one epoch only for"
    fall = max(median[0] - median.min(), 1e-12)
    tail = median[-max(2, len(median) // 10) :]
    if median[-1] - median.min() > 0.05 * fall:
        return "rises for"
    return "is still falling for" if tail[0] - tail[-1] > 0.02 * fall else "levels off for"
