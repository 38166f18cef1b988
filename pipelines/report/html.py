"""A run's report as one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from models.ensembling.selection import BEST_MEMBER
from pipelines.report import charts, kept_page
from pipelines.report.evidence import Drift, Evidence
from pipelines.report.parts import Parts
from pipelines.workspace import files
from pipelines.workspace.layout import RunLayout
from pipelines.workspace.summary import BLEND, Summary

NO_CHART = Markup('<p class="lead">Not drawn: see the top of the page.</p>')
MARKS = {"passed": "✓", "look": "✗", "skipped": "–"}
OUTCOMES = {"passed": "passed", "look": "failed", "skipped": "not checked"}
MATRIX_WIDTH, CHARACTER = 900, 8  # pixels, of a confusion matrix and of a letter
MOST_SHARES = 20  # classes; a larger confusion matrix has its shares in the cells' titles
DRIFTS = (
    (0.55, "No: cross-validation is a fair estimate of the score on the test rows."),
    (0.65, "A little: cross-validation should still be a fair estimate."),
    (0.80, "Yes: look at the columns below before you trust the cross-validated score."),
    (
        1.01,
        "Very much: the cross-validated score is no estimate until the columns below are fixed.",
    ),
)


@dataclass(frozen=True)
class Page:
    """A report's page.

    Attributes:
        text: The HTML.
        failed: By the name of a part that it lacks, the reason.
        path: Where it was written.
    """

    text: str
    failed: dict[str, str]
    path: Path


def write(summary: Summary, evidence: Evidence, folder: Path) -> Page:
    """Write `report.html` whole or not at all; one that lacks nothing is marked as such."""
    layout = RunLayout(folder)
    page = page_of(summary, evidence, layout)
    mark = kept_page.mark_of(summary, evidence)
    files.write_text(page.path, page.text if page.failed else kept_page.marked(page.text, mark))
    return page


def render(summary: Summary, evidence: Evidence) -> str:
    """The page's text."""
    return page_of(summary, evidence, RunLayout(Path(summary.run))).text


def page_of(summary: Summary, evidence: Evidence, layout: RunLayout) -> Page:
    """The page, without the charts that fail."""
    parts = Parts(layout.error_log)
    drawn = _charts(summary, evidence, summary.metric.replace("_", " "), parts)
    failed = {**evidence.failed, **parts.failed}
    text = (
        environment()
        .get_template("report.html")
        .render(
            s=summary, e=evidence, charts=drawn, failed_parts=failed, **_values(summary, evidence)
        )
    )
    return Page(text, failed, layout.report_file)


@cache
def environment() -> Environment:
    """The package's templates; a missing name is an error, text is escaped."""
    templates = Environment(
        loader=PackageLoader("pipelines.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    style = resources.files("pipelines.report").joinpath("style.css").read_text(encoding="utf-8")
    templates.globals["style"] = Markup(style)
    templates.globals.update(marks=MARKS, outcomes=OUTCOMES)
    return templates


def _values(summary: Summary, evidence: Evidence) -> dict[str, Any]:
    """What the template shows beyond the summary and the evidence themselves."""
    metric = summary.metric.replace("_", " ")
    longest = max(summary.stage_seconds.values())
    return {
        "metric": metric,
        "verdict": _verdict(summary, evidence, metric),
        "failed": [check for check in evidence.checks if check.outcome == "look"],
        "source": "synthetic sample" if summary.synthetic else summary.source,
        "classes": _classes(evidence),
        "score_rows": list(_score_rows(summary, evidence)),
        "splits": list(zip(*(row.scores for row in evidence.folds), strict=True)),
        "accuracy": f"{_accuracy(evidence):.1%}",
        "repeats": _n_repeats(evidence),
        "has_turned_names": _has_turned_names(list(evidence.table.classes)),
        "has_shares": len(evidence.outcome.confusion) <= MOST_SHARES,
        "is_of_values": not evidence.outcome.calibration,
        "decision_gain": evidence.outcome.decision_gain * (1 if summary.greater_is_better else -1),
        "class_names": list(evidence.table.classes),
        "confusion": list(_confusion(evidence)),
        "calibration_error": _calibration_error(evidence),
        "candidates": list(_candidates(summary)) if len(summary.ways) > 1 else [],
        "drift_verdict": drift_verdict(evidence.drift),
        "drift_at": _gauge(evidence.drift),
        "stages": [
            {"name": name.replace("-", " · ", 1), "seconds": seconds, "share": seconds / longest}
            for name, seconds in summary.stage_seconds.items()
        ],
    }


def _verdict(summary: Summary, evidence: Evidence, metric: str) -> str:
    """The run in a sentence or two."""
    names = ", ".join(member.name for member in summary.members)
    blend = f"A blend of {names}" if len(summary.members) > 1 else f"The member {names}"
    known = {BLEND: blend, BEST_MEMBER: f"The best member of {names}"}
    ensemble = known.get(summary.way, f"{summary.way} over {names}")
    has_failed = any(check.outcome == "look" for check in evidence.checks)
    leaks = "" if has_failed else " No leak check failed."
    return f"{ensemble}, scored by {metric} on out-of-fold predictions.{leaks}"


def _has_turned_names(class_names: list[str]) -> bool:
    """Whether the confusion matrix is too narrow for the names above its columns."""
    longest = max(map(len, class_names), default=0)
    return len(class_names) * longest * CHARACTER > MATRIX_WIDTH


def _n_repeats(evidence: Evidence) -> int:
    """How many times each row was held out."""
    return int(evidence.settings.get("folds.n_repeats", "1"))


def _calibration_error(evidence: Evidence) -> float:
    calibration = evidence.outcome.calibration
    return charts.bins_of(calibration).error if calibration else 0.0


def _classes(evidence: Evidence) -> str:
    total = sum(evidence.table.classes.values())
    shares = (f"{name} {count / total:.0%}" for name, count in evidence.table.classes.items())
    return ", ".join(shares)


def _charts(summary: Summary, evidence: Evidence, metric: str, parts: Parts) -> dict[str, Any]:
    outcome, importance, drift = evidence.outcome, evidence.importance, evidence.drift

    def calibration() -> Markup | None:
        if not outcome.calibration:
            return None
        bins = charts.bins_of(outcome.calibration)
        return charts.calibration(bins, probability_of=outcome.probability_of)

    made: dict[str, tuple[Callable[[], Any], Any]] = {
        "scores": (lambda: charts.fold_scores(evidence.folds, metric=metric), NO_CHART),
        "weights": (lambda: charts.blend_weights(summary.members, metric=metric), NO_CHART),
        "calibration": (calibration, NO_CHART),
        "targets": (lambda: list(charts.values(outcome.values)), []),
        "curves": (lambda: list(charts.learning_curves(evidence.curves, metric=metric)), []),
        "importance": (
            lambda: importance and charts.importance(importance, metric=metric),
            NO_CHART,
        ),
        "drifts": (lambda: list(charts.drifts(drift.columns if drift else ())), []),
    }
    return {
        name: parts.measure(f"chart of {name}", make, instead)
        for name, (make, instead) in made.items()
    }


def _score_rows(summary: Summary, evidence: Evidence) -> Iterator[dict[str, Any]]:
    for row in evidence.folds:
        low, high = float(np.nanmin(row.scores)), float(np.nanmax(row.scores))
        worst, best = (low, high) if summary.greater_is_better else (high, low)
        mean, std = float(np.nanmean(row.scores)), float(np.nanstd(row.scores))
        yield {"name": row.name, "mean": mean, "std": std, "worst": worst, "best": best}


def _accuracy(evidence: Evidence) -> float:
    if not evidence.outcome.confusion:
        return 0.0
    confusion = np.array(evidence.outcome.confusion)
    return float(np.trace(confusion) / max(1, confusion.sum()))


def _confusion(evidence: Evidence) -> Iterator[dict[str, Any]]:
    names, confusion = evidence.table.classes, evidence.outcome.confusion
    for at, (name, counts) in enumerate(zip(names if confusion else (), confusion, strict=True)):
        total = max(1, sum(counts))
        cells = [{"count": count, "share": count / total} for count in counts]
        yield {"name": name, "at": at, "cells": cells}


def _candidates(summary: Summary) -> Iterator[dict[str, Any]]:
    """The ways to combine the members, the best first."""
    sign = 1 if summary.greater_is_better else -1
    blend = summary.ways[0].score
    for candidate in sorted(summary.ways, key=lambda one: -sign * one.score):
        gain = f"{sign * (candidate.score - blend):+z.4f}"
        yield candidate.model_dump() | {"gain": "" if candidate.name == BLEND else gain}


def drift_verdict(drift: Drift | None) -> str:
    """What the AUC means, in a sentence."""
    if drift is None:
        return "Not measured."
    return next((verdict for limit, verdict in DRIFTS if drift.auc < limit), DRIFTS[-1][1])


def _gauge(drift: Drift | None) -> float:
    """Where the AUC stands on the gauge, in percent."""
    return 0.0 if drift is None else round(200 * min(max(drift.auc - 0.5, 0), 0.5), 1)
