"""The `summary.json` of what the stages gave: a run's, and that of a blend of files and runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.configuration.competition import Competition
from pipelines.members.predictions import mean_defined
from pipelines.raw_files.raw import RawFiles
from pipelines.stages.ensemble import Blend
from pipelines.stages.preprocess import Holdout
from pipelines.stages.submission import Submission
from pipelines.workspace.layout import submission_csv
from pipelines.workspace.summary import FurtherLine, MemberLine, Summary, WayLine


@dataclass(frozen=True)
class Outcome:
    """What the stages gave.

    Attributes:
        raw: Stage 1.
        blend: Stage 5.
        submission: Stage 6.
        holdout: Labels of test rows that were held back here; None without any.
    """

    competition: Competition
    raw: RawFiles
    blend: Blend
    submission: Submission
    holdout: Holdout | None


def summary_of(outcome: Outcome, *, run: str, **particulars: Any) -> Summary:
    """The summary of a finished submission.

    Args:
        outcome: What the stages gave.
        run: Its name.
        particulars: Those fields of a summary that a run and a blend have each in its own way.
    """
    competition, raw, blend = outcome.competition, outcome.raw, outcome.blend
    submission, holdout = outcome.submission, outcome.holdout
    return Summary(
        run=run,
        competition=competition.name,
        source=raw.source,
        origin=raw.origin,
        synthetic=raw.synthetic,
        metric=competition.metric.name,
        greater_is_better=competition.greater_is_better,
        cv=blend.cv,
        cv_std=blend.cv_std,
        n_splits=len(blend.scores),
        way=blend.chosen,
        known_share=blend.overlap_share,
        cv_new=blend.cv_new if blend.overlap_share else None,
        local_score=submission.local_score,
        also=tuple(_further(outcome)),
        n_held_back=0 if holdout is None else len(holdout.ids),
        takes_submissions=competition.takes_submissions,
        submission=str(submission_csv(competition.name, run)),
        submission_sha256=submission.sha256,
        n_rows=submission.n_rows,
        **particulars,
    )


def member_lines(
    blend: Blend, names: Sequence[str], adds: Sequence[float | None] | None = None
) -> Iterator[MemberLine]:
    """Each member's scores and weight, and where it is known what it adds."""
    further = mean_defined(blend.member_extra_scores)
    gains = adds or [None] * len(names)
    lines = zip(names, blend.member_scores, blend.weights, further, gains, strict=True)
    for name, scores, weight, also, gain in lines:
        yield MemberLine(
            name=name,
            score=_mean(scores),
            std=_std(scores),
            weight=float(weight),
            also=tuple(map(float, also)),
            adds=gain,
        )


def way_lines(blend: Blend, errors: Sequence[float | None]) -> Iterator[WayLine]:
    """Each candidate's score, with the standard error of its difference to the one of reference."""
    ways = zip(blend.candidates, blend.candidate_scores, errors, strict=True)
    for name, scores, error in ways:
        yield WayLine(name=name, score=_mean(scores), std=_std(scores), error=error)


def _further(outcome: Outcome) -> Iterator[FurtherLine]:
    metrics, scores = outcome.competition.extra_metrics, outcome.blend.extra_scores
    local = outcome.submission.local_extra_scores or (None,) * len(metrics)
    for metric, cv, held_back in zip(metrics, scores, local, strict=True):
        yield FurtherLine(metric=metric.name, cv=_mean(cv), cv_std=_std(cv), local_score=held_back)


def _mean(scores: np.ndarray) -> float:
    """The mean over the splits where the metric is defined."""
    return float(mean_defined(scores))


def _std(scores: np.ndarray) -> float:
    """The standard deviation over the splits where the metric is defined."""
    return float(np.nanstd(scores)) if np.isfinite(scores).any() else np.nan
