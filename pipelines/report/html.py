"""A run's evidence as one HTML file that needs nothing beside itself."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipelines.report import charts
from pipelines.report.evidence import Drift, Evidence
from pipelines.workspace import files
from pipelines.workspace.layout import RunLayout
from pipelines.workspace.summary import BLEND, Summary

MARKS = {"passed": "✓", "look": "!", "skipped": "–"}
DRIFTS = (
    (0.55, "No: they look alike, so cross-validation speaks for them."),
    (0.65, "A little: cross-validation should still speak for them."),
    (0.80, "Yes: look at the columns below before trusting the cross-validated score."),
    (
        1.01,
        "Very much: cross-validation says little of them until the columns below are dealt with.",
    ),
)


def write(summary: Summary, evidence: Evidence, folder: Path) -> Path:
    """Write `report.html` whole or not at all; give its path."""
    return files.write_text(RunLayout(folder).report_file, render(summary, evidence))


def render(summary: Summary, evidence: Evidence) -> str:
    """The page's text."""
    template = environment().get_template("report.html")
    return template.render(s=summary, e=evidence, **_shown(summary, evidence))


@cache
def environment() -> Environment:
    """The package's own templates; a name that is not given is an error, text is escaped."""
    made = Environment(
        loader=PackageLoader("pipelines.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    style = resources.files("pipelines.report").joinpath("style.css").read_text(encoding="utf-8")
    made.globals["style"] = Markup(style)
    made.globals["marks"] = MARKS
    return made


def _shown(summary: Summary, evidence: Evidence) -> dict[str, Any]:
    """What the template shows and no data holds as it is shown."""
    metric = summary.metric.replace("_", " ")
    right, error = _right(evidence), _calibration_error(evidence)
    longest = max(summary.stage_seconds.values())
    return {
        "metric": metric,
        "verdict": _verdict(summary, evidence, metric),
        "source": "synthetic sample" if summary.synthetic else summary.source,
        "classes": _classes(evidence),
        "charts": _charts(evidence, metric),
        "score_rows": list(_score_rows(summary, evidence)),
        "splits": list(zip(*(row.scores for row in evidence.folds), strict=True)),
        "right": f"{right:.1%}",
        "class_names": list(evidence.table.classes),
        "confusion": list(_confusion(evidence)),
        "calibration_error": error,
        "ways": list(_ways(summary)) if len(summary.ways) > 1 else [],
        "worths": list(_worths(evidence)),
        "drift_told": drift_told(evidence.drift),
        "drift_at": round(200 * min(max(evidence.drift.auc - 0.5, 0), 0.5), 1),
        "stages": [
            {"name": name.replace("-", " · ", 1), "seconds": seconds, "share": seconds / longest}
            for name, seconds in summary.stage_seconds.items()
        ],
    }


def _verdict(summary: Summary, evidence: Evidence, metric: str) -> str:
    """The run in a sentence or two."""
    names = ", ".join(member.name for member in summary.members)
    made = f"A blend of {names}" if summary.way == BLEND else f"{summary.way} over {names}"
    looks = [check.name for check in evidence.checks if check.outcome == "look"]
    leaks = "The leak checks found nothing."
    if looks:
        leaks = f"Look at: {'; '.join(looks)}."
    return f"{made}, scored by {metric} on rows that its models never saw. {leaks}"


def _classes(evidence: Evidence) -> str:
    total = sum(evidence.table.classes.values())
    shares = (f"{name} {count / total:.0%}" for name, count in evidence.table.classes.items())
    return ", ".join(shares)


def _charts(evidence: Evidence, metric: str) -> dict[str, Any]:
    outcome = evidence.outcome
    return {
        "scores": Markup(charts.fold_scores(evidence.folds, metric=metric)),
        "calibration": Markup(charts.calibration(outcome.calibration, said_of=outcome.said_of)),
        "curves": list(_curves(evidence, metric)),
        "drifts": [
            {
                "name": column.name,
                "told": f"{column.share:.0%} · AUC {column.auc:.2f}",
                "svg": Markup(charts.side_by_side(column)),
                "first": column.bins[0],
                "last": column.bins[-1],
            }
            for column in evidence.drift.columns
        ],
    }


def _curves(evidence: Evidence, metric: str) -> Iterator[dict[str, Any]]:
    for curves in evidence.curves:
        n, plural = curves.n_replicas, "s" if curves.n_replicas > 1 else ""
        both = [("b", curves.train_loss), ("a", curves.valid_loss)]
        yield {
            "title": f"{curves.member}: loss of {n} replica{plural}",
            "svg": Markup(charts.curve(both, label=f"loss of {curves.member} by epoch")),
        }
        label = f"{metric} of {curves.member} by epoch"
        yield {
            "title": f"{curves.member}: {metric}",
            "svg": Markup(charts.curve([("a", curves.valid_score)], label=label)),
        }


def _score_rows(summary: Summary, evidence: Evidence) -> Iterator[dict[str, Any]]:
    for row in evidence.folds:
        low, high = min(row.scores), max(row.scores)
        worst, best = (low, high) if summary.greater_is_better else (high, low)
        mean, std = float(np.mean(row.scores)), float(np.std(row.scores))
        yield {"name": row.name, "mean": mean, "std": std, "worst": worst, "best": best}


def _right(evidence: Evidence) -> float:
    confusion = np.array(evidence.outcome.confusion)
    return float(np.trace(confusion) / max(1, confusion.sum()))


def _confusion(evidence: Evidence) -> Iterator[dict[str, Any]]:
    names = evidence.table.classes
    for at, (name, counts) in enumerate(zip(names, evidence.outcome.confusion, strict=True)):
        total = max(1, sum(counts))
        cells = [{"count": count, "share": count / total} for count in counts]
        yield {"name": name, "at": at, "cells": cells}


def _calibration_error(evidence: Evidence) -> float:
    bins = evidence.outcome.calibration
    n_rows = sum(one.n_rows for one in bins)
    return sum(one.n_rows * abs(one.said - one.observed) for one in bins) / n_rows


def _ways(summary: Summary) -> Iterator[dict[str, Any]]:
    sign = 1 if summary.greater_is_better else -1
    blend = summary.ways[0].score
    for way in sorted(summary.ways, key=lambda way: -sign * way.score):
        yield way.model_dump() | {"gain": sign * (way.score - blend)}


def _worths(evidence: Evidence) -> Iterator[dict[str, Any]]:
    """Bars as long as the cost; grey where shuffling costs no more than chance does."""
    if evidence.importance is None:
        return
    columns = evidence.importance.columns
    most = max(max(column.cost for column in columns), 1e-12)
    for column in columns:
        yield {
            "name": column.name,
            "told": f"{column.cost:+.4f} ± {column.std:.4f}",
            "share": max(column.cost, 0) / most,
            "kind": "none" if column.cost <= column.std else "",
        }


def drift_told(drift: Drift) -> str:
    """What the AUC means, in a sentence."""
    return next(told for limit, told in DRIFTS if drift.auc < limit)
