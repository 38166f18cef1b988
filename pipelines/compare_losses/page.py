"""The page of a comparison of the losses; every number in its text was measured in that run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from markupsafe import Markup
from rich.console import Console
from rich.text import Text

from pipelines.compare_losses.figures import LABELS, first_fault
from pipelines.compare_losses.forms import FORMS, LOG_SOFTMAX, NAIVE, PRECISIONS
from pipelines.compare_losses.measure import Measured, Setting
from pipelines.compare_losses.trial import Trial
from pipelines.console import plain_table
from pipelines.figures.output import inline_svg
from pipelines.report.html import environment
from pipelines.workspace import files

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FILE = "page.html"
PAGE = """{% extends "layout.html" %}
{% block title %}{{ title }}{% endblock %}
{% block content %}{{ body }}{% endblock %}"""


def write(setting: Setting, measured: Measured, figures: Mapping[str, Figure], path: Path) -> None:
    """Write the page as one self-contained HTML file, whole or not at all."""
    body = Markup("\n".join(_body(setting, measured, figures)))
    files.write_text(path, environment().from_string(PAGE).render(title=setting.run, body=body))


def answer(measured: Measured) -> tuple[str, str, str]:
    """The answer to the course's question, in three sentences with the measured numbers."""
    n_steps = len(measured.trials["float32"].loss)
    gap = _largest(measured.trials["float32"].rounding_gap[:, FORMS.index(NAIVE)])
    limits = {p: by_form[NAIVE.name] for p, by_form in measured.breakdowns.items()}
    first = limits.pop("float32")
    others = ", ".join(f"{p}: {x.gradient:.4g} and {x.loss:.4g}" for p, x in limits.items())
    sweep = measured.sweeps["float32"]
    return (
        f"CrossEntropyLoss is LogSoftmax and NLLLoss in one call: over {n_steps:,} steps in "
        f"{_listed(list(measured.trials))} {_same(measured)}.",
        "Softmax and then its logarithm is the same formula, and here the same gradient to "
        f"{gap:.0e} of its norm in float32; but softmax has to represent exp(−gap), where the gap "
        "is the largest logit less that of the true class, so in float32 the gradient is NaN from "
        f"a gap of {first.gradient:.4g} and the loss inf from {first.loss:.4g} ({others}).",
        "LogSoftmax subtracts the largest logit, then the logarithm of a sum that is at least 1, "
        f"so it never needs that number and is exact to {_largest(sweep.loss_error[1]):.0e} up to "
        f"gaps of {sweep.sizes[-1]:,.0f} in float32: end the network without a softmax, and pass "
        "its logits to CrossEntropyLoss.",
    )


def _same(measured: Measured) -> str:
    """The distance of (2) from (1), in words."""
    trials = measured.trials.values()
    loss = max(_largest(t.loss[:, 1] - t.loss[:, 0]) for t in trials)
    gradient = max(_largest(t.gradient_gap[:, 1]) for t in trials)
    if loss == gradient == 0:
        return "their losses and gradients were equal to the last bit"
    return (
        f"their losses differed by at most {loss:.1e} and their gradients by {gradient:.1e} of "
        "the norm"
    )


def _worst_error(measured: Measured) -> str:
    """The largest relative error of (1) over logits of all sizes."""
    errors = {p: _largest(s.loss_error[0]) for p, s in measured.sweeps.items()}
    return _listed([f"{error:.0e} in {precision}" for precision, error in errors.items()])


def _largest(values: np.ndarray) -> float:
    """The largest absolute value of the finite ones; NaN if there is none."""
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max()) if len(finite) else math.nan


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def show(setting: Setting, measured: Measured, console: Console) -> None:
    """Print a short table and the answer."""
    console.print()
    if setting.synthetic:
        console.print(
            Text("synthetic data: the rows were generated, so the scores mean nothing", "bold")
        )
    headings = ["log loss", "gradient error", "NaN from a gap of", "forward + backward"]
    table = plain_table(["precision", "form"], headings)
    for precision, trial in measured.trials.items():
        for row in range(len(FORMS)):
            table.add_row(*_console_row(measured, precision, trial, row))
    console.print(table)
    console.print()
    for sentence in answer(measured):
        console.print(Text(sentence))


def _console_row(measured: Measured, precision: str, trial: Trial, row: int) -> Iterator[str]:
    form, cost = FORMS[row], measured.costs[precision]
    yield "" if row else precision
    yield LABELS[form.name]
    yield f"{trial.scores['log_loss'][row]:.6f}"
    yield _gap(_largest(trial.rounding_gap[:, row]))
    yield _never(measured.breakdowns[precision][form.name].gradient)
    yield f"{np.median(cost.forward_s[row] + cost.backward_s[row]) * 1e6:,.0f} µs"


def _gap(value: float) -> str:
    return "0" if value == 0 else f"{value:.1e}"


def _never(limit: float) -> str:
    return "never" if math.isinf(limit) else f"{limit:.5g}"


def _body(setting: Setting, measured: Measured, figures: Mapping[str, Figure]) -> Iterator[str]:
    if setting.synthetic:
        yield (
            '<p class="synthetic">Synthetic data: the rows were generated, so the scores mean '
            "nothing; the differences, limits and times do.</p>"
        )
    yield f'<header><div class="eyebrow">{escape(setting.run)}</div>'
    yield "<h1>Why is CrossEntropyLoss the same as LogSoftmax + NLLLoss?</h1>"
    yield f"{_setting(setting)}</header>"
    yield from _section(["<h2>In short</h2>", *(f"<p>{escape(s)}</p>" for s in answer(measured))])
    yield from _section(_side_by_side(setting, measured, figures["curves"]))
    yield from _section(_limits(measured, figures["limits"]))
    yield from _section(_large_logits(measured, figures["stress"]))
    yield from _section(_costs(measured, figures["cost"]))
    yield from _section(_weighting(measured))


def _section(parts: Iterable[str]) -> Iterator[str]:
    yield "<section>"
    yield from parts
    yield "</section>"


def _setting(setting: Setting) -> str:
    return (
        f"<p>{escape(setting.title)} {escape(setting.origin)}: the member "
        f"{escape(setting.member)} ({setting.network}, {setting.n_weights:,} weights, "
        f"{setting.n_classes} classes), {setting.n_steps:,} steps of {setting.batch_size:,} rows "
        f"with {setting.optimizer}, peak learning rate {setting.lr:g}; {setting.n_train:,} rows "
        f"to train on, {setting.n_valid:,} held out. One CPU thread, "
        f"torch {torch.__version__}.</p>"
    )


def _side_by_side(setting: Setting, measured: Measured, figure: Figure) -> Iterator[str]:
    yield "<h2>Three losses, one network</h2>"
    yield (
        "<p>Three copies of the network are trained as one stack, with the same initial weights, "
        "rows, order and dropout; only the step from logits to loss differs: "
        f"{_listed([f'<b>{escape(LABELS[form.name])}</b>' for form in FORMS])}. In the bfloat16 "
        "trial the pass and the loss are in bfloat16, and the optimiser's master weights in "
        "float32.</p>"
    )
    yield _embedded(figure, "curves", "the three training losses, and their difference from (1)")
    metrics = list(measured.trials["float32"].scores)
    rows = [
        _trial_row(precision, trial, row)
        for precision, trial in measured.trials.items()
        for row in range(len(FORMS))
    ]
    names = ("loss error", "gradient: same logits", "at step 1", "each its weights")
    head = ("", "", *names, *(metric.replace("_", " ") for metric in metrics))
    yield _table(head, rows, n_labels=2)
    yield (
        "<p>Each number is the largest over the steps, a gradient's relative to its norm. “Same "
        "logits” gives every form the logits of (1), which leaves the form's rounding alone; “each "
        "its weights” is how far the replicas' gradients diverged within "
        f"{setting.n_steps:,} steps: a difference in the last bit grows in training, as any "
        "rounding error does. The scores are on the held-out rows.</p>"
    )


def _trial_row(precision: str, trial: Trial, row: int) -> list[str]:
    loss = _largest(trial.loss[:, row] - trial.loss[:, 0])
    gaps = (
        loss,
        _largest(trial.rounding_gap[:, row]),
        float(trial.gradient_gap[0, row]),
        _largest(trial.gradient_gap[:, row]),
    )
    scores = [f"{values[row]:.6f}" for values in trial.scores.values()]
    first = "" if row else precision
    return [first, LABELS[FORMS[row].name], *(_gap(gap) for gap in gaps), *scores]


def _limits(measured: Measured, figure: Figure) -> Iterator[str]:
    yield "<h2>Where the naive form breaks, and why the other two do not</h2>"
    yield (
        "<p>For logits <i>z</i> and the true class <i>y</i> all three are "
        "log&nbsp;Σ&nbsp;exp(<i>z</i>)&nbsp;−&nbsp;<i>z<sub>y</sub></i>. Let the true class lie "
        "a <i>gap</i> below the largest logit. (3) computes the true class's probability, about "
        "exp(−gap), before it takes the logarithm. A precision has a smallest positive number; "
        "anything below it rounds to 0, and log&nbsp;0 is −inf. The gradient breaks first: it "
        "divides by that probability, and overflows while the probability is still positive; then "
        "inf times 0 gives NaN, which the optimiser carries into every weight. (1) and (2) "
        "use log&nbsp;softmax(<i>z</i>)&nbsp;=&nbsp;(<i>z</i>&nbsp;−&nbsp;max) "
        "−&nbsp;log&nbsp;Σ&nbsp;exp(<i>z</i>&nbsp;−&nbsp;max): the sum holds exp(0)&nbsp;=&nbsp;1, "
        "so its logarithm is at least 0, and a term that rounds to 0 was too small to matter.</p>"
    )
    yield _embedded(figure, "limits", "error of loss and gradient by the size of the logits")
    names = (
        "smallest positive number",
        "loss: inf from",
        "gradient: NaN from",
        "smoothed",
        "(1), (2)",
    )
    yield _table(("(3) in", *names), [_limit_row(measured, p) for p in PRECISIONS])
    yield (
        "<p>“Smoothed” is a correctly classified row with label smoothing: the unlikely classes "
        "count too, so (3) gives inf for a correct prediction that is confident enough. "
        f"The error of (1) was at most {_worst_error(measured)} over logits of all sizes, against "
        "a reference of forty digits.</p>"
    )


def _limit_row(measured: Measured, precision: str) -> list[str]:
    limit = measured.breakdowns[precision][NAIVE.name]
    other = measured.breakdowns[precision][LOG_SOFTMAX.name]
    info = torch.finfo(PRECISIONS[precision])
    smallest = info.smallest_normal * info.eps
    exponent = math.log(smallest)
    return [
        precision,
        f"{smallest:.1e} = exp({exponent:.1f})",
        *(_never(gap) for gap in (limit.loss, limit.gradient, limit.smoothed)),
        _never(min(other.loss, other.gradient, other.smoothed)),
    ]


def _large_logits(measured: Measured, figure: Figure) -> Iterator[str]:
    trial, normal = measured.stress, measured.trials["float32"]
    limit = measured.breakdowns["float32"][NAIVE.name]
    fault = first_fault(trial, FORMS.index(NAIVE))
    outcome = (
        f"(3) breaks at step {fault}, and its weights with it"
        if fault is not None
        else "all three trained on"
    )
    yield "<h2>Training with large logits</h2>"
    yield (
        "<p>In the float32 trial above the largest gap of any row was "
        f"{normal.largest_gap.max():.1f}; (3) breaks from {limit.gradient:.4g}, so with logits of "
        "the usual size the naive form seems to work. With the same network's logits times "
        f"{measured.stress_scale:,.0f}, as a bad initialisation, unscaled inputs or a high "
        "learning rate may make them, the first batch has a gap of "
        f"{trial.largest_gap[0]:.0f}: {outcome}; (1) went from "
        f"{trial.loss[0, 0]:.1f} to {trial.loss[-1, 0]:.1f} in {len(trial.loss)} steps.</p>"
    )
    yield _embedded(figure, "stress", "training losses with large logits")


def _costs(measured: Measured, figure: Figure) -> Iterator[str]:
    held = measured.costs["float32"].held_bytes
    yield "<h2>Time and memory</h2>"
    yield (
        "<p>Medians over interleaved repeats. Memory is what a form allocates in its forward "
        "pass and keeps for its backward pass; logits and target exist anyway. "
        "(1) and (2) keep one table of log-probabilities, (3) keeps the probabilities and their "
        f"logarithms: {held[2] / held[0]:.2f} times as much.</p>"
    )
    yield _embedded(figure, "cost", "time of forward and backward pass, and memory held between")


def _weighting(measured: Measured) -> Iterator[str]:
    yield "<h2>Label smoothing and class weights</h2>"
    yield (
        "<p><code>NLLLoss</code> has no label smoothing; by hand it is (1 − ε) of the plain loss "
        "and ε spread evenly over all classes. With class weights, each class's share is "
        "multiplied by its weight, and the mean divides by the summed weights of the rows' "
        "true classes, not by the number of rows. Measured on the held-out rows, with the logits "
        "of the float64 trial and weights of 1 for the most frequent class, more for rarer ones; "
        "the error is the largest difference of any row's loss and of the mean:</p>"
    )
    names = [f"error of {form}, {p}" for form in ("(2)", "(3)") for p in PRECISIONS]
    rows = [
        [
            f"<code>{escape(a.setting)}</code>",
            f"{a.value:.10f}",
            *(_gap(a.log_softmax_gap[p]) for p in PRECISIONS),
            *(_gap(a.naive_gap[p]) for p in PRECISIONS),
        ]
        for a in measured.agreements
    ]
    yield _table(("CrossEntropyLoss with", "value", *names), rows)
    yield "<p>Three means that look equal and are not:</p>"
    rows = [
        [
            escape(t.what),
            f"<code>{escape(t.setting)}</code>",
            f"{t.value:.6f}",
            f"{t.torch_value:.6f}",
            f"{100 * (t.value / t.torch_value - 1):+.3f} %",
        ]
        for t in measured.traps
    ]
    yield _table(
        ("by hand", "CrossEntropyLoss with", "value", "torch", "difference"), rows, n_labels=2
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], *, n_labels: int = 1) -> str:
    """The cells are HTML; the first `n_labels` columns are aligned to the left."""
    top = _row("th", head, n_labels)
    body = "\n".join(_row("td", row, n_labels) for row in rows)
    return f'<div class="scroll"><table><thead>{top}</thead>\n{body}</table></div>'


def _row(tag: str, cells: Sequence[str], n_labels: int) -> str:
    labels = "".join(f"<{tag}>{cell}</{tag}>" for cell in cells[:n_labels])
    numbers = "".join(f'<{tag} class="n">{cell}</{tag}>' for cell in cells[n_labels:])
    return f"<tr>{labels}{numbers}</tr>"


def _embedded(figure: Figure, name: str, label: str) -> str:
    return f'<div class="scroll figure">{inline_svg(figure, name=name, label=label)}</div>'
