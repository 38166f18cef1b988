"""Cross-validated against public score of a competition's runs: can the validation be trusted?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipelines.figures.output import save
from pipelines.figures.style import BLUE, INK, MIST, QUIET, new_figure, styled
from submissions.ledger import Entry

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MIN_SCORED = 5  # with four runs even a perfect order is chance one time in twelve
CHANCE = 0.05


def draw(entries: Sequence[Entry], path: Path) -> str:
    """Save the figure of runs that have a public score; give its finding."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save(cv_and_public(entries), path)
    return finding(entries)


@styled
def cv_and_public(entries: Sequence[Entry]) -> Figure:
    """One point for each run, with the spread of its folds; the dashed line is cv = public."""
    cv, public = _scores(entries)
    figure = new_figure(5.2, title=finding(entries), note=None)
    axes = figure.subplots()
    axes.margins(y=0.12)
    spread = [entry.cv_std or 0.0 for entry in entries]
    axes.errorbar(
        *(cv, public),
        xerr=spread,
        fmt="none",
        ecolor=MIST,
        elinewidth=1.2,
        zorder=2,
        label="± standard deviation over folds",
    )
    axes.scatter(cv, public, s=42, color=BLUE, edgecolor="white", linewidth=0.8, zorder=3)
    _draw_equality(axes, cv, public)
    _name_best(axes, entries)
    direction = "higher" if entries[0].greater_is_better else "lower"
    metric = entries[0].metric.replace("_", " ")
    axes.set_xlabel(f"cross-validated {metric}")
    axes.set_ylabel(f"public {metric}, {direction} is better")
    axes.set_title(f"{entries[0].competition}: {len(entries)} submissions")
    axes.legend(loc="lower right")
    return figure


def finding(entries: Sequence[Entry]) -> str:
    """The rank correlation, whether it could be chance, and how far public lies from cv."""
    cv, public = _scores(entries)
    gap = float(np.mean(public - cv))
    away = f"public lies {abs(gap):.4f} {'above' if gap > 0 else 'below'} cv on average"
    rho, chance = rank_correlation(cv, public)
    if rho is None:
        return f"Cross-validation cannot be judged: the scores do not differ; {away}"
    correlation = f"rank correlation {rho:+.2f} over {len(entries)} submissions"
    if chance > CHANCE:
        return f"Too few runs, or too similar: {correlation} could be chance; {away}"
    verdict = "follows" if rho > 0 else "contradicts"
    return f"The public score {verdict} cross-validation: {correlation}; {away}"


def rank_correlation(cv: np.ndarray, public: np.ndarray) -> tuple[float | None, float]:
    """Spearman's rho (None if undefined), and its p-value."""
    from scipy.stats import spearmanr

    if len(np.unique(cv)) < 2 or len(np.unique(public)) < 2:
        return None, 1.0
    result = spearmanr(cv, public)
    return float(result.statistic), float(result.pvalue)


def _scores(entries: Sequence[Entry]) -> tuple[np.ndarray, np.ndarray]:
    cv = np.array([entry.cv for entry in entries])
    public = np.array([entry.public_score for entry in entries], dtype=np.float64)
    return cv, public


def _draw_equality(axes: Axes, cv: np.ndarray, public: np.ndarray) -> None:
    """A line where both scores are equal, within the view that the points span."""
    view = axes.get_xlim(), axes.get_ylim()
    ends = [min(*cv, *public), max(*cv, *public)]
    style = (0, (4, 3))
    axes.plot(ends, ends, color=QUIET, linewidth=1, linestyle=style, zorder=1, label="public = cv")
    axes.set(xlim=view[0], ylim=view[1])


def _name_best(axes: Axes, entries: Sequence[Entry]) -> None:
    cv, _ = _scores(entries)
    best = entries[int(cv.argmax() if entries[0].greater_is_better else cv.argmin())]
    axes.annotate(
        f"best cv: {best.run}",
        (best.cv, best.public_score or 0.0),
        xytext=(0, 9),
        textcoords="offset points",
        ha="center",
        fontsize=8.5,
        color=INK,
    )
