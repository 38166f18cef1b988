"""Draws the figures of a comparison of the losses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.compare_losses.cost import Cost
from pipelines.compare_losses.forms import CROSS_ENTROPY, FORMS, LOG_SOFTMAX, NAIVE
from pipelines.compare_losses.limits import Breakdown, Sweep
from pipelines.compare_losses.measure import Measured, Setting
from pipelines.compare_losses.trial import Trial
from pipelines.figures.gallery import SYNTHETIC
from pipelines.figures.output import save
from pipelines.figures.style import AMBER, BLUE, INK, MIST, ORANGE, QUIET, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LABELS = {form.name: f"({n}) {form.title}" for n, form in enumerate(FORMS, start=1)}
COLOURS = {CROSS_ENTROPY.name: BLUE, LOG_SOFTMAX.name: AMBER, NAIVE.name: ORANGE}
LEGEND: Any = {"handlelength": 1.4, "handletextpad": 0.6, "columnspacing": 1.4}
EXACT = 1e-19  # an error of 0 is drawn here, since a log axis has none
# Lines lie on top of each other; each is narrower than the one below, so that all are visible.
WIDTHS = {CROSS_ENTROPY.name: 4.4, LOG_SOFTMAX.name: 2.2, NAIVE.name: 0.9}
SHADES = {CROSS_ENTROPY.name: BLUE, LOG_SOFTMAX.name: "#ffd479", NAIVE.name: ORANGE}


def draw(setting: Setting, measured: Measured) -> Iterator[tuple[str, Figure]]:
    """Every figure by its name."""
    note = SYNTHETIC if setting.synthetic else None
    yield "curves", curves(measured.trials, note=note)
    yield "limits", limits(measured.sweeps, measured.breakdowns, note=None)
    yield "stress", stress(measured.stress, measured.stress_scale, note=note)
    yield "cost", cost(measured.costs, note=None)


def save_all(figures: Mapping[str, Figure], folder: Path) -> None:
    """Write each figure as a PNG into the folder."""
    folder.mkdir(exist_ok=True)
    for name, figure in figures.items():
        save(figure, folder / f"{name}.png")


@styled
def curves(trials: dict[str, Trial], *, note: str | None = None) -> Figure:
    """The three losses by step, and below their distance from the first form's."""
    figure = new_figure(5.7, title=_curves_finding(trials), note=note)
    panels = figure.subplots(
        2, len(trials), sharex=True, sharey="row", gridspec_kw={"height_ratios": [1.3, 1]}
    )
    for column, (precision, trial) in enumerate(trials.items()):
        upper, lower = panels[:, column]
        _losses(upper, trial)
        upper.set_title(precision)
        _differences(lower, trial)
        lower.set_xlabel("step")
    panels[0, 0].set_ylabel("training loss, nats")
    panels[1, 0].set_ylabel("|difference| from (1)")
    _powers(panels[1, 0], [-16, -12, -8, -4, 0])
    panels[1, 0].set_ylim(1e-18, 10)
    _legend(figure, panels[0, 0])
    return figure


def _losses(axes: Axes, trial: Trial) -> None:
    steps = np.arange(1, len(trial.loss) + 1)
    for row, form in enumerate(FORMS):
        axes.plot(
            steps,
            trial.loss[:, row],
            color=SHADES[form.name],
            linewidth=WIDTHS[form.name],
            label=LABELS[form.name],
            solid_capstyle="round",
        )
    axes.margins(x=0.02)


def _differences(axes: Axes, trial: Trial) -> None:
    """The distance of (2) and (3) from (1) by step; a log axis has no zero."""
    axes.set_yscale("log")
    above = np.nanmax(np.abs(trial.loss[:, 1:] - trial.loss[:, :1]), initial=0.0) > 1e-9
    steps = np.arange(1, len(trial.loss) + 1)
    for row, form in list(enumerate(FORMS))[1:]:
        gap = np.abs(trial.loss[:, row] - trial.loss[:, 0])
        seen = np.isfinite(gap) & (gap > 0)
        if seen.any():
            axes.scatter(
                steps[seen], gap[seen], s=7, color=COLOURS[form.name], alpha=0.6, linewidth=0
            )
    zero = [form for row, form in enumerate(FORMS) if row and _equal(trial, row)]
    if zero:
        equal = " and ".join(f"({FORMS.index(form) + 1})" for form in zero)
        text = f"{equal} − (1): exactly 0\non all {len(steps):,} steps"
        place: dict[str, Any] = {"transform": axes.transAxes, "ha": "right", "va": "center"}
        axes.text(0.97, 0.2 if above else 0.7, text, color=QUIET, fontsize=8.5, **place)


def _equal(trial: Trial, row: int) -> bool:
    return bool(np.array_equal(trial.loss[:, row], trial.loss[:, 0]))


def _curves_finding(trials: dict[str, Trial]) -> str:
    equal = all(_equal(trial, 1) for trial in trials.values())
    worst = {p: _largest(trial.loss[:, 2] - trial.loss[:, 0]) for p, trial in trials.items()}
    gaps = ", ".join(f"{value:.0e} in {precision}" for precision, value in worst.items())
    same = "are equal to the last bit" if equal else "agree to rounding"
    return f"(1) and (2) {same}; (3) differs by at most {gaps}"


def _largest(differences: np.ndarray) -> float:
    finite = np.abs(differences[np.isfinite(differences)])
    return float(finite.max()) if len(finite) else float("nan")


@styled
def limits(
    sweeps: dict[str, Sweep],
    breakdowns: dict[str, dict[str, Breakdown]],
    *,
    note: str | None = None,
) -> Figure:
    """Errors of loss and gradient by the size of the logits, a column per precision."""
    figure = new_figure(6.0, title=_limits_finding(breakdowns), note=note)
    panels = figure.subplots(2, len(sweeps), sharex=True, sharey=True)
    for column, (precision, of_precision) in enumerate(sweeps.items()):
        limit = breakdowns[precision][NAIVE.name]
        upper, lower = panels[:, column]
        _errors(upper, of_precision.sizes, of_precision.loss_error, limit.loss)
        _errors(lower, of_precision.sizes, of_precision.gradient_error, limit.gradient)
        upper.set_title(precision)
        lower.set_xlabel("logit size: gap to the true class")
    panels[0, 0].set_ylabel("relative error of the loss")
    panels[1, 0].set_ylabel("error of the gradient")
    _powers(panels[0, 0], [-15, -10, -5, 0], zero=EXACT)
    panels[0, 0].set_xticks([1, 10, 100, 1_000, 10_000], ["1", "10", "100", "1k", "10k"])
    panels[0, 0].minorticks_off()
    _legend(figure, panels[0, 0])
    return figure


def _errors(axes: Axes, sizes: np.ndarray, errors: np.ndarray, limit: float) -> None:
    """One panel; a form's line ends where it stops being finite."""
    axes.set(xscale="log", yscale="log", ylim=(EXACT / 3, 1e2))
    for row, form in enumerate(FORMS):
        seen = np.isfinite(errors[row])
        axes.plot(
            sizes[seen],
            np.maximum(errors[row][seen], EXACT),
            color=SHADES[form.name],
            linewidth=WIDTHS[form.name],
            label=LABELS[form.name],
        )
    if np.isfinite(limit):
        axes.axvspan(limit, sizes[-1], color=ORANGE, alpha=0.1, linewidth=0)
        axes.axvline(limit, color=ORANGE, linewidth=1, linestyle=(0, (3, 3)))
        broken = "inf" if np.isinf(errors[-1, -1]) else "NaN"
        axes.annotate(
            f"(3) is {broken}\nfrom {limit:.4g}",
            (limit, 1.0),
            xytext=(-6, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            color=ORANGE,
            fontsize=8.5,
        )


def _powers(axes: Axes, exponents: list[int], *, zero: float | None = None) -> None:
    """Powers of ten as labels of a log axis; the style parses no mathematics."""
    superscript = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
    ticks = [10.0**exponent for exponent in exponents]
    names = ["1" if e == 0 else "10" + str(e).translate(superscript) for e in exponents]
    if zero is not None:
        ticks, names = [zero, *ticks], ["exact", *names]
    axes.set_yticks(ticks, names)
    axes.minorticks_off()


def _legend(figure: Figure, axes: Axes) -> None:
    """The forms' names once for all panels."""
    handles, names = axes.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower right", ncols=len(FORMS), **LEGEND)


def _limits_finding(breakdowns: dict[str, dict[str, Breakdown]]) -> str:
    gaps = ", ".join(f"{by[NAIVE.name].gradient:.4g} in {p}" for p, by in breakdowns.items())
    return f"The naive gradient is NaN from a gap of {gaps}; (1) and (2) stay exact to rounding"


@styled
def stress(trial: Trial, scale: float, *, note: str | None = None) -> Figure:
    """Training with large logits; a cross where a form's loss stops being finite."""
    figure = new_figure(3.0, title=_stress_finding(trial, scale), note=note)
    axes = figure.subplots()
    _losses(axes, trial)
    for row, form in enumerate(FORMS):
        fault = first_fault(trial, row)
        if fault is not None:
            _cross(axes, fault, _fault_text(trial.loss[:, row], row), COLOURS[form.name])
    axes.set_ylim(0, 1.15 * _largest(trial.loss))
    axes.set_xlabel("step")
    axes.set_ylabel("float32 loss, nats")
    axes.legend(loc="upper right")
    return figure


def _cross(axes: Axes, step: int, text: str, colour: str) -> None:
    """A cross at the upper edge, where infinity is."""
    at_edge = axes.get_xaxis_transform()
    axes.plot(step, 1, "X", color=colour, markersize=11, clip_on=False, transform=at_edge)
    place: dict[str, Any] = {"xycoords": at_edge, "textcoords": "offset points", "va": "center"}
    axes.annotate(text, (step, 1), xytext=(14, 0), color=colour, **place)


def _fault_text(loss: np.ndarray, row: int) -> str:
    first = int(np.flatnonzero(~np.isfinite(loss))[0])
    after = ", and NaN from then on" if np.isnan(loss[first + 1 :]).all() else ""
    name = "NaN" if np.isnan(loss[first]) else "inf"
    return f"({row + 1}) is {name} at step {first + 1}{after}"


def _stress_finding(trial: Trial, scale: float) -> str:
    start = f"Logits {scale:,.0f} times as large: "
    fault = first_fault(trial, len(FORMS) - 1)
    if fault is None:
        return f"{start}all three train"
    return f"{start}(3) breaks at step {fault}, the others train on"


def first_fault(trial: Trial, row: int) -> int | None:
    """The first step, from 1, at which a form's loss is not finite."""
    faults = np.flatnonzero(~np.isfinite(trial.loss[:, row]))
    return int(faults[0]) + 1 if len(faults) else None


@styled
def cost(costs: dict[str, Cost], *, note: str | None = None) -> Figure:
    """Median time of a forward and a backward pass, and the memory held between them."""
    figure = new_figure(4.5, title=_cost_finding(costs), note=note)
    times, memory = figure.subplots(1, 2, sharey=True, gridspec_kw={"width_ratios": [1.7, 1]})
    places, names = [], []
    for group, (precision, of_precision) in enumerate(costs.items()):
        for row, form in enumerate(FORMS):
            place = group * (len(FORMS) + 1.1) + row
            places.append(place)
            names.append(f"({row + 1})")
            _bars(times, memory, place, of_precision, row, colour=COLOURS[form.name])
        middle = group * (len(FORMS) + 1.1) + 1
        times.text(
            *(-0.11, middle),
            precision,
            transform=times.get_yaxis_transform(),
            ha="right",
            va="center",
            color=INK,
            fontweight="bold",
        )
    _finish(figure, times, memory, places, names, next(iter(costs.values())))
    return figure


def _bars(times: Axes, memory: Axes, place: float, cost: Cost, row: int, *, colour: str) -> None:
    to_us = 1e6
    forward = float(np.median(cost.forward_s[row])) * to_us
    backward = float(np.median(cost.backward_s[row])) * to_us
    low, high = np.quantile(cost.forward_s[row] + cost.backward_s[row], [0.25, 0.75]) * to_us
    total = float(np.median(cost.forward_s[row] + cost.backward_s[row])) * to_us
    times.barh(place, forward, color=colour, height=0.8)
    times.barh(place, backward, left=forward, color=colour, alpha=0.4, height=0.8)
    times.plot([low, high], [place, place], color=INK, linewidth=1)
    place_of_text = max(high, forward + backward)
    _label_end(times, f"{total:,.0f}", place_of_text, place)
    held = cost.held_bytes[row] / cost.n_rows
    memory.barh(place, held, color=colour, height=0.8)
    _label_end(memory, f"{held:.0f}", held, place)


def _label_end(axes: Axes, text: str, end: float, place: float) -> None:
    """A number beside the end of a bar."""
    axes.annotate(
        text,
        (end, place),
        xytext=(5, 0),
        textcoords="offset points",
        va="center",
        fontsize=8.5,
    )


def _finish(
    figure: Figure, times: Axes, memory: Axes, places: list[float], names: list[str], cost: Cost
) -> None:
    from matplotlib.patches import Patch

    times.invert_yaxis()
    times.set_yticks(places, names)
    for axes in (times, memory):
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.spines["left"].set_visible(False)
        axes.margins(x=0.16)
    shades = [Patch(color=QUIET, label="forward"), Patch(color=MIST, label="backward")]
    times.legend(handles=shades, loc="lower right", bbox_to_anchor=(1.0, 0.99), ncols=2)
    forms = [Patch(color=COLOURS[form.name], label=LABELS[form.name]) for form in FORMS]
    figure.legend(handles=forms, loc="outside lower right", ncols=len(FORMS), **LEGEND)
    times.set_title("time")
    times.set_xlabel(
        f"µs for {cost.n_rows:,} rows of {cost.n_classes} classes; the line joins the quartiles"
    )
    times.xaxis.set_major_formatter("{x:,.0f}")
    memory.set_title("memory held for backward")
    memory.set_xlabel("bytes per row")


def _cost_finding(costs: dict[str, Cost]) -> str:
    """How the naive form compares with the first, over the precisions."""
    ratios = []
    for of_precision in costs.values():
        total = np.median(of_precision.forward_s + of_precision.backward_s, axis=1)
        ratios.append(total[-1] / total[0])
    held = next(iter(costs.values())).held_bytes
    return (
        f"The naive form holds {held[-1] / held[0]:.1f} times the memory and takes "
        f"{min(ratios):.2f} to {max(ratios):.2f} times the time"
    )
