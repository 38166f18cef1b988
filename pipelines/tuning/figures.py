"""The figures of a study: history, importance, slices, and parallel coordinates."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.configuration.search_space import Choice, Real, Search, Value, Whole
from pipelines.figures.gallery import SYNTHETIC
from pipelines.figures.output import save
from pipelines.figures.style import AMBER, BLUE, INK, MIST, ORANGE, QUIET, WIDTH, new_figure, styled
from pipelines.tuning.results import Tuning
from pipelines.tuning.study import Study, Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

SHOWN = 0.8  # share of the scores, the better ones, that the axes are cut to
INCHES_PER_LETTER = 0.075  # of the names below an axis
TOP = 0.1  # share of the trials that is set off as the best


def draw(tuning: Tuning, space: Search, folder: Path) -> tuple[Path, ...]:
    """Draw and save every figure; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, figure in _figures(tuning, space):
        paths.append(folder / f"{name}.png")
        save(figure, paths[-1])
    return tuple(paths)


def _figures(tuning: Tuning, space: Search) -> Iterator[tuple[str, Figure]]:
    metric = tuning.metric.replace("_", " ")
    note = SYNTHETIC if tuning.synthetic else None
    yield "history", history(tuning.study, tuning.default_trial, metric=metric, note=note)
    if tuning.study.importance:
        yield "importance", importance(tuning.study, note=note)
    yield "slices", slices(tuning.study, space, metric=metric, note=note)
    yield "parallel_coordinates", parallel(tuning.study, space, metric=metric, note=note)


@styled
def history(study: Study, default: Trial | None, *, metric: str, note: str | None = None) -> Figure:
    """Each trial's score, and the best one so far."""
    figure = new_figure(4.2, title=_history_finding(study, default), note=note)
    axes = figure.subplots()
    pruned = [(t.number, t.score) for t in study.trials if t.state == "pruned" and t.score]
    if pruned:
        axes.plot(*zip(*pruned, strict=True), "x", color=MIST, markersize=5, label="pruned, last")
    complete = study.complete
    numbers, scores = [t.number for t in complete], [_score(t) for t in complete]
    axes.plot(numbers, scores, "o", color=BLUE, alpha=0.5, markersize=4.5, label="trial")
    running = np.maximum.accumulate if study.greater_is_better else np.minimum.accumulate
    best = running(np.array(scores))
    axes.step(numbers, best, where="post", color=ORANGE, label="best so far")
    if default is not None:
        axes.axhline(
            _score(default), color=QUIET, linewidth=1, linestyle=(0, (4, 3)), label="defaults"
        )
    n_hidden = _cut(axes, study)
    hidden = f" ({_hidden(n_hidden)})" if n_hidden else ""
    axes.set(xlabel=f"trial{hidden}", ylabel=f"{metric} on the tuning folds")
    axes.legend(loc="best", ncols=2)
    return figure


def _history_finding(study: Study, default: Trial | None) -> str:
    best = study.best
    assert best is not None, "a study without a complete trial ends in an error"
    found = f"The best of {len(study.trials)} trials was trial {best.number}: {_score(best):.4f}"
    return found if default is None else f"{found}, the defaults have {_score(default):.4f}"


@styled
def importance(study: Study, *, note: str | None = None) -> Figure:
    """Each parameter's share in what made trials good or bad."""
    names = list(study.importance)[::-1]
    shares = [study.importance[name] for name in names]
    title = f"What made trials good or bad: {names[-1]} first, {shares[-1]:.0%}"
    figure = new_figure(1.6 + 0.36 * len(names), title=title, note=note)
    axes = figure.subplots()
    axes.barh(names, shares, color=[MIST] * (len(names) - 1) + [BLUE], height=0.62)
    for row, share in enumerate(shares):
        axes.text(share + 0.01, row, f"{share:.0%}", va="center", color=INK, fontsize=9)
    axes.set(xlabel="share of the importance (PED-ANOVA)", xlim=(0, max(shares) * 1.12))
    axes.grid(visible=False, axis="y")
    return figure


@styled
def slices(study: Study, space: Search, *, metric: str, note: str | None = None) -> Figure:
    """The score over each parameter, a panel for each."""
    keys = list(space)
    n_columns = min(3, len(keys))
    n_rows = -(-len(keys) // n_columns)
    title = "Each parameter alone: trials over its values, later ones darker"
    figure = new_figure(1.0 + 2.5 * n_rows, title=title, note=note)
    panels = figure.subplots(n_rows, n_columns, sharey=True, squeeze=False)
    for key, axes in zip(keys, panels.flat, strict=False):
        _slice(axes, study, key, space)
    for axes in panels.flat[len(keys) :]:
        axes.set_visible(False)
    for axes in panels[:, 0]:
        axes.set_ylabel(metric)
    if n_hidden := _cut(panels[0, 0], study):
        figure.supxlabel(_hidden(n_hidden), x=0.988, ha="right", fontsize=9, color=QUIET)
    return figure


def _darker() -> Colormap:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("darker", [MIST, BLUE])


def _slice(axes: Axes, study: Study, key: str, space: Search) -> None:
    complete, best = study.complete, study.best
    searched = space[key]
    places = [
        _place(t.values[key], searched.values if isinstance(searched, Choice) else ())
        for t in complete
    ]
    scores = [_score(t) for t in complete]
    axes.scatter(places, scores, s=18, c=range(len(complete)), cmap=_darker(), linewidth=0)
    if best is not None:
        at = complete.index(best)
        axes.scatter(places[at], scores[at], s=46, color=ORANGE, zorder=3)
    if isinstance(searched, Choice):
        axes.set_xticks(
            range(len(searched.values)), [_label(v) for v in searched.values], fontsize=7.5
        )
        axes.margins(x=0.12)
    elif searched.log:
        _log_scale(axes, searched)
    axes.set_xlabel(key)


def _log_scale(axes: Axes, searched: Real | Whole) -> None:
    """A log axis over the whole range, with its ends and its middle in plain numbers."""
    from matplotlib.ticker import NullFormatter

    low, high = float(searched.low), float(searched.high)
    ticks = np.array([low, np.sqrt(low * high), high])
    axes.set_xscale("log")
    axes.set_xlim(low * (low / high) ** 0.06, high * (high / low) ** 0.06)
    axes.set_xticks(ticks, [f"{tick:.2g}" for tick in ticks])
    axes.xaxis.set_minor_formatter(NullFormatter())


@styled
def parallel(study: Study, space: Search, *, metric: str, note: str | None = None) -> Figure:
    """A line for each trial through all its values; the best tenth set off."""
    n_best = max(1, round(TOP * len(study.complete)))
    title = f"All parameters together: the best {n_best} of {len(study.complete)} complete trials"
    figure = new_figure(4.4 + _extra_height(space), title=title, note=note)
    axes = figure.subplots()
    sign = -1 if study.greater_is_better else 1
    ranked = sorted(study.complete, key=lambda t: sign * _score(t), reverse=True)
    for at, trial in enumerate(ranked):
        is_best = at >= len(ranked) - n_best
        heights = [_height(trial.values[key], space, key) for key in space]
        colour = ORANGE if trial is study.best else AMBER if is_best else MIST
        width = 2.2 if trial is study.best else 1.3 if is_best else 0.7
        axes.plot(heights, color=colour, linewidth=width, alpha=1.0 if is_best else 0.6)
    _scales(axes, space)
    axes.set_ylabel(f"low to high (orange: best {metric})")
    return figure


def _scales(axes: Axes, space: Search) -> None:
    """The ends of each parameter's range at both ends of its line."""
    is_tilted = _names_overlap(space)
    style: dict[str, Any] = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(range(len(space)), list(space), **(style if is_tilted else {}))
    axes.set_yticks([])
    axes.set(ylim=(-0.09, 1.09), xlim=(-0.3, len(space) - 0.7))
    axes.grid(visible=False)
    for at, searched in enumerate(space.values()):
        axes.axvline(at, color=QUIET, linewidth=0.8, zorder=0)
        for end, height, side in (
            (searched.ends[0], -0.03, "top"),
            (searched.ends[-1], 1.03, "bottom"),
        ):
            text = axes.text(at, height, _label(end), ha="center", va=side, fontsize=8)
            text.set(color=QUIET, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})


def _names_overlap(space: Search) -> bool:
    """Whether the parameters' names are too long to stand side by side."""
    room = WIDTH / len(space)
    return max(map(len, space)) * INCHES_PER_LETTER > room


def _extra_height(space: Search) -> float:
    """Inches that tilted names need below the axis."""
    longest = max(map(len, space))
    return 0.5 * longest * INCHES_PER_LETTER if _names_overlap(space) else 0.0


def _height(value: Value, space: Search, key: str) -> float:
    """The value's place in its range, from 0 to 1."""
    searched = space[key]
    if isinstance(searched, Choice):
        return searched.values.index(value) / max(1, len(searched.values) - 1)
    ends = np.array([searched.low, _place(value, ()), searched.high], dtype=np.float64)
    low, at, high = np.log(ends) if searched.log else ends
    return float((at - low) / (high - low))


def _place(value: Value, choices: Sequence[Value]) -> float:
    """The place of a value on its axis: choices in the order of their declaration."""
    if choices:
        return float(choices.index(value))
    assert isinstance(value, int | float), "only choices hold anything but numbers"
    return float(value)


def _cut(axes: Axes, study: Study) -> int:
    """Cut the axis to the better scores, which the worst would press into a line.

    Returns:
        How many trials lie beyond it.
    """
    scores = np.array([_score(trial) for trial in study.complete])
    worst = np.quantile(scores, 1 - SHOWN if study.greater_is_better else SHOWN)
    best = scores.max() if study.greater_is_better else scores.min()
    margin = max(abs(best - worst) * 0.12, 1e-6)
    low, high = min(worst, best) - margin, max(worst, best) + margin
    axes.set_ylim(low, high)
    return int(((scores < low) | (scores > high)).sum())


def _hidden(n_hidden: int) -> str:
    return f"{n_hidden} worse {'one is' if n_hidden == 1 else 'ones are'} beyond the frame"


def _score(trial: Trial) -> float:
    assert trial.score is not None, "complete trials have a score"
    return trial.score


def _label(value: Value) -> str:
    if isinstance(value, tuple):
        return "-".join(str(part) for part in value)
    return f"{value:g}" if isinstance(value, float) else json.dumps(value).strip('"')
