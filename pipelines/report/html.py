"""A run's report as one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from models.ensembling.selection import BEST_MEMBER
from pipelines.report import charts
from pipelines.report.evidence import Drift, Evidence
from pipelines.workspace import files
from pipelines.workspace.layout import RunLayout
from pipelines.workspace.summary import BLEND, Summary

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


def write(summary: Summary, evidence: Evidence, folder: Path) -> Path:
    """Write `report.html` whole or not at all; return its path."""
    return files.write_text(RunLayout(folder).report_file, render(summary, evidence))


def render(summary: Summary, evidence: Evidence) -> str:
    """The page's text."""
    template = environment().get_template("report.html")
    return template.render(s=summary, e=evidence, **_values(summary, evidence))


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
        "charts": _charts(summary, evidence, metric),
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
        "drift_at": round(200 * min(max(evidence.drift.auc - 0.5, 0), 0.5), 1),
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


def _charts(summary: Summary, evidence: Evidence, metric: str) -> dict[str, Any]:
    outcome, importance = evidence.outcome, evidence.importance
    return {
        "scores": charts.fold_scores(evidence.folds, metric=metric),
        "weights": charts.blend_weights(summary.members, metric=metric),
        "calibration": outcome.calibration
        and charts.calibration(
            charts.bins_of(outcome.calibration), probability_of=outcome.probability_of
        ),
        "targets": list(charts.values(outcome.values)),
        "curves": list(charts.learning_curves(evidence.curves, metric=metric)),
        "importance": importance and charts.importance(importance, metric=metric),
        "drifts": list(charts.drifts(evidence.drift.columns)),
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
        yield candidate.model_dump() | {"gain": sign * (candidate.score - blend)}


def drift_verdict(drift: Drift) -> str:
    """What the AUC means, in a sentence."""
    return next(verdict for limit, verdict in DRIFTS if drift.auc < limit)
