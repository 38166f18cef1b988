"""A blend in numbers: the same `summary.json` as a run's, so that runs, submit and pick take it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.members.predictions import mean_defined
from pipelines.workspace.layout import submission_csv
from pipelines.workspace.summary import FurtherLine, MemberLine, Summary, WayLine

if TYPE_CHECKING:
    from features.folds import Folds
    from pipelines.blending.findings import Findings
    from pipelines.configuration.competition import Competition
    from pipelines.raw_files.raw import RawFiles
    from pipelines.stages.ensemble import Blend
    from pipelines.stages.preprocess import Holdout
    from pipelines.stages.submission import Submission


@dataclass(frozen=True)
class Facts:
    """What a blend's stages gave.

    Attributes:
        blend: Stage 5.
        findings: What it found out of its members.
        submission: Stage 6.
        folds: On which it is scored.
        holdout: Labels of test rows that were held back here; None without any.
    """

    blend: Blend
    findings: Findings
    submission: Submission
    folds: Folds
    holdout: Holdout | None


def summary_of(competition: Competition, raw: RawFiles, facts: Facts, **of_the_run: Any) -> Summary:
    """The summary of a finished blend."""
    blend, made = facts.blend, facts.submission
    return Summary(
        kind="blend",
        competition=competition.name,
        source=raw.source,
        origin=raw.origin,
        synthetic=raw.synthetic,
        metric=competition.metric.name,
        greater_is_better=competition.greater_is_better,
        cv=blend.cv,
        cv_std=blend.cv_std,
        n_splits=len(blend.scores),
        folds=_folds(facts),
        members=tuple(_members(facts)),
        ways=tuple(_ways(facts)),
        way=blend.chosen,
        known_share=blend.overlap_share,
        cv_new=blend.cv_new if blend.overlap_share else None,
        local_score=made.local_score,
        also=tuple(_further(competition, facts)),
        n_held_back=0 if facts.holdout is None else len(facts.holdout.ids),
        takes_submissions=competition.takes_submissions,
        submission=str(submission_csv(competition.name, of_the_run["run"])),
        submission_sha256=made.sha256,
        n_rows=made.n_rows,
        warnings=(*facts.findings.remarks, *_unscored(facts.findings)),
        **of_the_run,
    )


def _folds(facts: Facts) -> str:
    folds = facts.folds
    repeated = f"{folds.n_repeats} × " if folds.n_repeats > 1 else ""
    return f"{repeated}{folds.n_folds} folds {facts.findings.fold_origin}"


def _members(facts: Facts) -> Iterator[MemberLine]:
    blend = facts.blend
    further = mean_defined(blend.member_extra_scores)
    lines = zip(facts.findings.members, blend.member_scores, blend.weights, further, strict=True)
    for found, scores, weight, also in lines:
        yield MemberLine(
            name=found.name,
            score=_mean(scores),
            std=_std(scores),
            weight=float(weight),
            also=tuple(map(float, also)),
            adds=found.adds,
        )


def _ways(facts: Facts) -> Iterator[WayLine]:
    blend = facts.blend
    ways = zip(blend.candidates, blend.candidate_scores, facts.findings.errors, strict=True)
    for name, scores, error in ways:
        yield WayLine(name=name, score=_mean(scores), std=_std(scores), error=error)


def _further(competition: Competition, facts: Facts) -> Iterator[FurtherLine]:
    metrics, scores = competition.extra_metrics, facts.blend.extra_scores
    local = facts.submission.local_extra_scores or (None,) * len(metrics)
    for metric, cv, held_back in zip(metrics, scores, local, strict=True):
        yield FurtherLine(metric=metric.name, cv=_mean(cv), cv_std=_std(cv), local_score=held_back)


def _unscored(findings: Findings) -> Iterator[str]:
    if findings.unscored:
        share = sum(findings.unscored.values())
        files = ", ".join(findings.unscored)
        yield (
            f"{share:.0%} of the submission is {files}, which nothing can score without "
            "out-of-fold predictions: the score is that of the rest alone"
        )


def _mean(scores: np.ndarray) -> float:
    return float(mean_defined(scores))


def _std(scores: np.ndarray) -> float:
    return float(np.nanstd(scores)) if np.isfinite(scores).any() else np.nan
