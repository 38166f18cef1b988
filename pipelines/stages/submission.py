"""Stage 6: from the ensemble's prediction to a CSV, joined on id and checked against the sample."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from models.decisions import Decision, score_with
from models.tasks import Task
from pipelines.workspace.files import sha256
from pipelines.workspace.stage_files import SubmissionFiles
from submissions.build import build, write_csv
from submissions.check import check
from submissions.form import SubmissionForm

if TYPE_CHECKING:
    from pipelines.configuration.competition import Competition
    from pipelines.stages.ensemble import Blend
    from pipelines.stages.preprocess import Prepared


@dataclass(frozen=True)
class Submission:
    """A checked CSV.

    Attributes:
        path: The file.
        sha256: Of its bytes.
        n_rows: The number of predicted rows.
        local_score: The metric on labels that were held back from the run; None if none were.
        local_extra_scores: The extra metrics on them; empty if none were.
    """

    path: Path
    sha256: str
    n_rows: int
    local_score: float | None
    local_extra_scores: tuple[float, ...]


def write(task: Task, prepared: Prepared, blend: Blend, folder: Path) -> None:
    """Build and check the CSV, and write it into the folder.

    Raises:
        SubmissionError: The table fails its check; nothing is written.
    """
    form, sample = prepared.form, prepared.sample_submission
    made = answers_of(blend.test, form, task, blend.decision)
    table = build(prepared.test_ids, made, sample, form)
    check(table, sample, form)
    write_csv(table, SubmissionFiles(folder).csv)


def answers_of(
    prediction: np.ndarray, form: SubmissionForm, task: Task, decision: Decision
) -> np.ndarray:
    """What a form of that kind takes: labels by the decision rule, or the prediction.

    Args:
        prediction: `(n_rows, n_columns)`.
        form: The contents of the columns.
        task: What is predicted.
        decision: From predictions to answers.
    """
    if form.kind == "labels" or decision.rule == "range":
        return decision.apply(prediction, task)
    return prediction


def describe(
    competition: Competition, prepared: Prepared, blend: Blend, folder: Path
) -> Submission:
    """The CSV in the folder, with its scores on held-back labels if there are any."""
    path = SubmissionFiles(folder).csv
    scores = _local_scores(competition, prepared, blend)
    return Submission(
        path=path,
        sha256=sha256(path),
        n_rows=len(prepared.test_ids),
        local_score=scores[0] if scores else None,
        local_extra_scores=scores[1:],
    )


def _local_scores(competition: Competition, prepared: Prepared, blend: Blend) -> tuple[float, ...]:
    """The metric and the extra metrics on held-back labels; empty if there are none."""
    if prepared.holdout is None:
        return ()
    row_of_id = pd.Series(np.arange(len(prepared.test_ids)), index=prepared.test_ids)
    rows = row_of_id.loc[prepared.holdout.ids].to_numpy()
    target, task = prepared.holdout.target, competition.predicts
    return tuple(
        score_with(blend.decision, metric, task, target, blend.test[rows])
        for metric in (competition.metric, *competition.extra_metrics)
    )
