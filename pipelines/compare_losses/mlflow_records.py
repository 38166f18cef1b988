"""A comparison of the losses as MLflow runs: a parent, and a child for each form."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path

import numpy as np

from pipelines.compare_losses.figures import LABELS
from pipelines.compare_losses.forms import FORMS
from pipelines.compare_losses.measure import Measured, Setting
from pipelines.compare_losses.page import answer
from pipelines.tracking.record import Family, Record, Row
from pipelines.workspace.layout import FIGURES

KIND = "compare-losses"


def records(setting: Setting, measured: Measured, folder: Path) -> Family:
    """The parent, with the page and the figures, and the children in the order of `FORMS`."""
    tags = {
        "kind": KIND,
        "state": "complete",
        "competition": setting.competition,
        "source": "synthetic" if setting.synthetic else setting.source,
        "members": setting.member,
    }
    note = "\n\n".join(escape(sentence, quote=False) for sentence in answer(measured))
    parent = Record(
        name=setting.run,
        tags=tags | {"mlflow.note.content": note},
        params=setting.model_dump(),
        metrics=[("stress_scale", measured.stress_scale, 0), *_traps(measured)],
        artifacts=(folder / "page.html", folder / FIGURES, folder / "comparison.json"),
    )
    children = [
        Record(
            name=LABELS[form.name],
            tags=tags,
            params={"form": form.name},
            metrics=[m for m in _of_form(measured, row) if np.isfinite(m[1])],
        )
        for row, form in enumerate(FORMS)
    ]
    return Family(parent, children)


def _traps(measured: Measured) -> Iterator[Row]:
    for number, trap in enumerate(measured.traps, start=1):
        yield f"trap_{number}", trap.value, 0
        yield f"trap_{number}.torch", trap.torch_value, 0


def _of_form(measured: Measured, row: int) -> Iterator[Row]:
    """All metrics of one form; the caller drops those that are not finite."""
    for precision, trial in {**measured.trials, "stress": measured.stress}.items():
        for name in ("loss", "gradient_gap", "rounding_gap"):
            values = getattr(trial, name)[:, row]
            yield from ((f"{precision}.{name}", float(v), s) for s, v in enumerate(values, 1))
        for name, scores in trial.scores.items():
            yield f"{precision}.{name}", float(scores[row]), 0
    for precision, cost in measured.costs.items():
        limit = measured.breakdowns[precision][FORMS[row].name]
        yield f"{precision}.loss_breaks_at_gap", limit.loss, 0
        yield f"{precision}.gradient_breaks_at_gap", limit.gradient, 0
        yield f"{precision}.forward_us", float(np.median(cost.forward_s[row])) * 1e6, 0
        yield f"{precision}.backward_us", float(np.median(cost.backward_s[row])) * 1e6, 0
        yield f"{precision}.held_bytes_per_row", float(cost.held_bytes[row] / cost.n_rows), 0
