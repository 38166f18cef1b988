"""The page of a comparison of the losses; every number in its text was measured in that run."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.text import Text

from pipelines.compare_losses.figures import LABELS, first_fault
from pipelines.compare_losses.forms import FORMS, LOG_SOFTMAX, NAIVE, PRECISIONS
from pipelines.compare_losses.measure import Measured, Setting
from pipelines.compare_losses.trial import Trial
from pipelines.console import plain_table

FILE = "page.html"
STYLE = """
body { font: 16px/1.55 system-ui, sans-serif; color: #1b1f24; max-width: 860px; margin: 3em auto;
  padding: 0 1.2em; }
h1 { line-height: 1.2; } h2 { margin-top: 2.2em; } img { width: 100%; }
.answer { border-left: 4px solid #0072b2; padding: .2em 1.2em; background: #f6f8fa; }
.warning { color: #d55e00; font-weight: 600; } .quiet { color: #626b76; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: 1em 0; font-size: .84em; line-height: 1.3;
  font-variant-numeric: tabular-nums; }
th, td { padding: .35em .8em .35em 0; vertical-align: bottom; text-align: right;
  border-bottom: 1px solid #e6e9ed; }
th:first-child, td:first-child { text-align: left; } th { color: #626b76; font-weight: 600; }
code { background: #f0f2f4; padding: .1em .3em; border-radius: 3px; }
"""


def write(setting: Setting, measured: Measured, figures: Mapping[str, Path], path: Path) -> None:
    """Write the page as one HTML file with the figures inside it, whole or not at all."""
    body = "\n".join(_body(setting, measured, figures))
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(setting.run)}</title><style>{STYLE}</style></head>\n"
        f"<body>\n{body}\n</body></html>\n"
    )
    temporary = path.with_name(f".{path.name}.writing")
    temporary.write_text(page, encoding="utf-8")
    temporary.replace(path)


def answer(measured: Measured) -> tuple[str, str, str]:
    """The course's question, answered in three sentences by what was measured."""
    n_steps = len(measured.trials["float32"].loss)
    gap = _largest(measured.trials["float32"].rounding_gap[:, FORMS.index(NAIVE)])
    limits = {p: by_form[NAIVE.name] for p, by_form in measured.breakdowns.items()}
    first = limits.pop("float32")
    others = ", ".join(f"{p}: {x.gradient:.4g} and {x.loss:.4g}" for p, x in limits.items())
    sweep = measured.sweeps["float32"]
    return (
        f"CrossEntropyLoss is LogSoftmax and NLLLoss in one call: over {n_steps:,} steps in "
        f"{_listed(list(measured.trials))} {_same(measured)}.",
        "Softmax first and its logarithm after is the same formula, and here the same gradient to "
        f"{gap:.0e} of its norm in float32; but softmax must hold exp(−gap), the gap being how far "
        "the true class lies beneath the largest logit, so in float32 the gradient is NaN from a "
        f"gap of {first.gradient:.4g} and the loss inf from {first.loss:.4g} ({others}).",
        "LogSoftmax takes off the largest logit, then the logarithm of a sum that is at least 1, "
        f"so it never needs that number and is right to {_largest(sweep.loss_error[1]):.0e} up to "
        f"gaps of {sweep.sizes[-1]:,.0f} in float32: give the network no softmax, and "
        "CrossEntropyLoss its logits.",
    )


def _same(measured: Measured) -> str:
    """How far (2) was from (1), in words."""
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
    """The largest relative error of (1) over logits of every size."""
    errors = {p: _largest(s.loss_error[0]) for p, s in measured.sweeps.items()}
    return _listed([f"{error:.0e} in {precision}" for precision, error in errors.items()])


def _largest(values: np.ndarray) -> float:
    """The largest size of a finite value; NaN if there is none."""
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max()) if len(finite) else math.nan


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def show(setting: Setting, measured: Measured, console: Console) -> None:
    """What the person reads at the end: a short table and the answer."""
    console.print()
    if setting.synthetic:
        console.print(Text("synthetic data, made by a generator: the scores mean nothing", "bold"))
    headings = ["log loss", "gradient off by", "NaN from a gap of", "forward + backward"]
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


def _body(setting: Setting, measured: Measured, figures: Mapping[str, Path]) -> Iterator[str]:
    yield "<h1>Why is CrossEntropyLoss the same as LogSoftmax + NLLLoss?</h1>"
    yield _what(setting)
    yield f'<div class="answer">{"".join(f"<p>{escape(s)}</p>" for s in answer(measured))}</div>'
    yield from _side_by_side(setting, measured, figures["curves"])
    yield from _breaking(measured, figures["limits"])
    yield from _in_training(measured, figures["stress"])
    yield from _costs(measured, figures["cost"])
    yield from _weighting(measured)


def _what(setting: Setting) -> str:
    warning = (
        '<p class="warning">Made on synthetic data: the scores mean nothing; the differences, '
        "limits and times do.</p>"
        if setting.synthetic
        else ""
    )
    return (
        f'<p class="quiet">{escape(setting.title)}, {escape(setting.origin)}: the member '
        f"{escape(setting.member)} ({setting.network}, {setting.n_weights:,} weights, "
        f"{setting.n_classes} classes), {setting.n_steps:,} steps of {setting.batch_size:,} rows "
        f"with {setting.optimizer}, peak learning rate {setting.lr:g}; {setting.n_train:,} rows "
        f"to train on, {setting.n_valid:,} held out. One CPU thread, "
        f"torch {torch.__version__}.</p>{warning}"
    )


def _side_by_side(setting: Setting, measured: Measured, figure: Path) -> Iterator[str]:
    yield "<h2>Three losses, one network</h2>"
    yield (
        "<p>Three copies of the network are trained as one stack: the same first weights, rows, "
        "order and dropout; only the way from logits to loss differs: "
        f"{_listed([f'<b>{escape(LABELS[form.name])}</b>' for form in FORMS])}. In bfloat16 the "
        "pass and the loss are in bfloat16, and the weights that the optimiser moves in "
        "float32.</p>"
    )
    yield _image(figure, "the three training losses, and their difference from the first")
    metrics = list(measured.trials["float32"].scores)
    rows = [
        _trial_row(precision, trial, row)
        for precision, trial in measured.trials.items()
        for row in range(len(FORMS))
    ]
    names = ("loss off by", "gradient: same logits", "at step 1", "own weights")
    yield _table(("", "", *names, *(metric.replace("_", " ") for metric in metrics)), rows)
    yield (
        "<p>All are the largest over the steps, the gradient's as a share of its norm. "
        "“Same logits” gives every form the logits of (1), so what is left is the form's own "
        "rounding; “own weights” is how far the replicas' gradients grew apart within "
        f"{setting.n_steps:,} steps: a last bit that differs grows as training goes on, as any "
        "rounding does. The scores are those of the held-out rows.</p>"
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


def _breaking(measured: Measured, figure: Path) -> Iterator[str]:
    yield "<h2>Where the naive way breaks, and why the other two do not</h2>"
    yield (
        "<p>For logits <i>z</i> and the true class <i>y</i> all three mean "
        "log&nbsp;Σ&nbsp;exp(<i>z</i>)&nbsp;−&nbsp;<i>z<sub>y</sub></i>. Let the true class lie "
        "a <i>gap</i> beneath the largest logit. (3) asks softmax for the true class's "
        "probability, about exp(−gap), before it takes the logarithm. A precision has a smallest "
        "positive number; beneath it stands 0, and log&nbsp;0 is −inf. The gradient goes first: "
        "it divides by that probability, and overflows while the number itself is still there; "
        "then inf times 0 gives NaN, which the optimiser carries into every weight. (1) and (2) "
        "use log&nbsp;softmax(<i>z</i>)&nbsp;=&nbsp;(<i>z</i>&nbsp;−&nbsp;max) "
        "−&nbsp;log&nbsp;Σ&nbsp;exp(<i>z</i>&nbsp;−&nbsp;max): the sum holds exp(0)&nbsp;=&nbsp;1, "
        "so its logarithm is at least 0, and a small number that is lost in it was too small to "
        "count.</p>"
    )
    yield _image(figure, "error of loss and gradient over the size of the logits")
    names = (
        "smallest positive number",
        "loss: inf from",
        "gradient: NaN from",
        "smoothed",
        "(1), (2)",
    )
    yield _table(("(3) in", *names), [_limit_row(measured, p) for p in PRECISIONS])
    yield (
        "<p>“Smoothed” is a row that is classified right, under label smoothing: there the "
        "far-off classes count too, so (3) gives inf for a right answer that is only sure enough. "
        f"The error of (1) and (2) was at most {_worst_error(measured)} over logits of "
        "every size, against a reference of forty digits.</p>"
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


def _in_training(measured: Measured, figure: Path) -> Iterator[str]:
    trial, normal = measured.stress, measured.trials["float32"]
    limit = measured.breakdowns["float32"][NAIVE.name]
    fault = first_fault(trial, FORMS.index(NAIVE))
    said = (
        f"(3) is lost at step {fault}, and its weights with it"
        if fault is not None
        else "all three trained on"
    )
    yield "<h2>In training</h2>"
    yield (
        "<p>In the float32 trial above the largest gap of any row was "
        f"{normal.largest_gap.max():.1f}; (3) breaks from {limit.gradient:.4g}, so with logits of "
        "the usual size the naive way seems to work. With the same network's logits times "
        f"{measured.stress_scale:,.0f}, as a bad initialisation, unscaled inputs or a high "
        "learning rate may make them, the first batch has a gap of "
        f"{trial.largest_gap[0]:.0f}: {said}; (1) went from "
        f"{trial.loss[0, 0]:.1f} to {trial.loss[-1, 0]:.1f} in {len(trial.loss)} steps.</p>"
    )
    yield _image(figure, "training losses with large logits")


def _costs(measured: Measured, figure: Path) -> Iterator[str]:
    held = measured.costs["float32"].held_bytes
    yield "<h2>Time and memory</h2>"
    yield (
        "<p>Medians over interleaved repeats. What a form makes in its forward pass and keeps for "
        "its backward pass is counted byte by byte; the logits and the target are there anyway. "
        "(1) and (2) keep one table of log-probabilities, (3) keeps the probabilities and their "
        f"logarithms: {held[2] / held[0]:.2f} times as much.</p>"
    )
    yield _image(figure, "time of forward and backward pass, and memory held between them")


def _weighting(measured: Measured) -> Iterator[str]:
    yield "<h2>Label smoothing and class weights</h2>"
    yield (
        "<p><code>NLLLoss</code> has no label smoothing; by hand it is (1 − ε) of the usual loss "
        "and ε spread evenly over all classes. With class weights, each class's share is "
        "multiplied by its own weight, and the mean divides by the summed weights of the rows' "
        "true classes, not by the number of rows. On the held-out rows, with the logits of the "
        "float64 trial, and weights that are 1 for the commonest class and grow with rarity; "
        "“off by” is the largest difference of any row's loss and of the mean:</p>"
    )
    names = [f"{form} off by, {p}" for form in ("(2)", "(3)") for p in PRECISIONS]
    rows = [
        [
            f"<code>{escape(a.setting)}</code>",
            f"{a.value:.10f}",
            *(_gap(a.log_softmax_gap[p]) for p in PRECISIONS),
            *(_gap(a.naive_gap[p]) for p in PRECISIONS),
        ]
        for a in measured.agreements
    ]
    yield _table(("CrossEntropyLoss with", "its value", *names), rows)
    yield "<p>Three means that look the same and are not:</p>"
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
    yield _table(("by hand", "CrossEntropyLoss with", "by hand", "torch", "off by"), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells are HTML already."""
    top = "".join(f"<th>{cell}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>\n" for row in rows)
    return f'<div class="wide"><table><tr>{top}</tr>\n{body}</table></div>'


def _image(path: Path, told: str) -> str:
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<p><img alt="{escape(told)}" src="data:image/png;base64,{data}"></p>'
