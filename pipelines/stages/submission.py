"""Stage 6: from the ensemble's prediction to a CSV, joined on id and checked against the sample."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from models.metrics import METRICS
from pipelines.stages.preprocess import class_indices
from pipelines.workspace.files import sha256
from pipelines.workspace.stage_files import SubmissionFiles
from submissions.build import build, write_csv
from submissions.check import SubmissionForm, check

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


def submit_form(competition: Competition) -> SubmissionForm:
    """The form of the competition's submissions."""
    labels = competition.form == "labels"
    column = competition.submission_column or competition.target
    columns = (column,) if labels else tuple(map(str, competition.classes))
    return SubmissionForm(
        id=competition.id,
        kind=competition.form,
        columns=columns,
        labels=competition.classes if labels else (),
    )


def write(form: SubmissionForm, prepared: Prepared, blend: Blend, folder: Path) -> None:
    """Build and check the CSV, and write it into the folder.

    Raises:
        SubmissionError: The table fails its check; nothing is written.
    """
    table = build(prepared.test_ids, blend.test, prepared.sample_submission, form)
    check(table, prepared.sample_submission, form)
    write_csv(table, SubmissionFiles(folder).csv)


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
    rows = row_of_id.loc[prepared.holdout[competition.id]].to_numpy()
    target = class_indices(prepared.holdout[competition.target], competition.classes)
    metrics = (competition.metric, *competition.extra_metrics)
    return tuple(METRICS[metric].function(target, blend.test[rows]) for metric in metrics)
