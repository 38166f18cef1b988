"""Predictions of a finished run for new rows, with what a person should know about that run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipelines.console import Narrator
from pipelines.prediction.answers import Answers
from pipelines.prediction.new_rows import NewRows
from pipelines.prediction.predictor import Predictor
from pipelines.workspace.summary import Summary


@dataclass(frozen=True)
class Prediction:
    """The predictions, the run they come from, and what may make them wrong."""

    answers: Answers
    summary: Summary
    warnings: tuple[str, ...]

    def as_json(self) -> str:
        """The line that `--json` prints."""
        summary = self.summary
        return self.answers.as_json(
            competition=summary.competition,
            run=summary.run,
            metric=summary.metric,
            cv=summary.cv,
            warnings=list(self.warnings),
        )


def predict(
    predictor: Predictor, rows: NewRows, summary: Summary, narrator: Narrator, *, reason: str = ""
) -> Prediction:
    """Predict the rows, and report the run's score and every warning.

    Args:
        predictor: The run.
        rows: What to predict.
        summary: The run's.
        narrator: Tells it.
        reason: Why it is this run, where nobody named it.
    """
    score = f"{summary.metric} {summary.cv:.4f} ± {summary.cv_std:.4f} cross-validated"
    narrator.say("run", f"{summary.run}   {score}")
    if reason:
        narrator.say("", reason)
    probabilities, change = _predict(predictor, rows, narrator)
    if n_known := predictor.n_known(rows.table):
        narrator.say("known", f"{n_known:,} of {len(rows.ids):,} rows have a training row's label")
    warnings = tuple(_warnings(summary, change))
    for warning in warnings:
        narrator.warn(warning)
    return Prediction(predictor.answers(rows, probabilities), summary, warnings)


def _predict(
    predictor: Predictor, rows: NewRows, narrator: Narrator
) -> tuple[np.ndarray, str | None]:
    """The probabilities, `(n_rows, n_classes)`, and what has changed since the run was made."""
    start = time.perf_counter()
    with narrator.stages(), narrator.stage("predict") as line:
        probabilities = predictor.predict(rows.table, line.advance)
        change = predictor.change()
        line.end(status="", seconds=time.perf_counter() - start)
    return probabilities, change


def _warnings(summary: Summary, change: str | None) -> Iterator[str]:
    if summary.synthetic:
        yield "the run was trained on made-up rows, so its predictions mean nothing"
    if change is not None:
        yield change
