"""Gathers a report's evidence from what the stages of a run returned."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from pipelines.configuration.assignments import settings_of
from pipelines.configuration.competition import Competition
from pipelines.faults import Attempt
from pipelines.figures import curves
from pipelines.figures.predictions import Bins, confusion_counts
from pipelines.figures.values import ValueBins
from pipelines.raw_files.raw import RawFiles
from pipelines.report import html, kept_page, reproduce
from pipelines.report.drift import adversarial
from pipelines.report.evidence import (
    Band,
    Bin,
    Curves,
    Evidence,
    FoldScores,
    Origin,
    Outcome,
    Table,
    ValueOutcome,
)
from pipelines.report.importance import importance
from pipelines.report.leaks import checks
from pipelines.report.parts import Parts
from pipelines.stages.ensemble import Blend
from pipelines.stages.preprocess import Prepared
from pipelines.stages.run_contents import RunContents
from pipelines.workspace.summary import BLEND, Summary

MAX_POINTS = 120  # of a learning curve

Tell = Callable[[str], None]  # called with what is being made


def gather(
    competition: Competition, raw: RawFiles, run: RunContents, tell: Tell = lambda _: None
) -> Evidence:
    """Add what no stage measured; a part that fails is left out, with a warning."""
    prepared, blend, folder = run.prepared, run.blend, run.layout.folder
    parts = Parts(run.layout.error_log, tell)
    group = competition.folds.group
    no_curves: tuple[Curves, ...] = ()
    measured: dict[str, Any] = {
        "curves": parts.measure(
            "learning curves", lambda: tuple(_curves(competition, run)), no_curves
        ),
        "outcome": parts.measure(
            "confusion, calibration and values",
            lambda: _outcome(competition, prepared, blend),
            Outcome(),
        ),
        "importance": parts.measure(
            "feature importance", lambda: importance(competition, prepared, blend, folder), None
        ),
        "drift": parts.measure(
            "train against test",
            lambda: adversarial(prepared.train, prepared.test, group=group),
            None,
        ),
        "checks": checks(competition, prepared, blend, folder, parts),
    }
    return Evidence(
        title=competition.title,
        page=competition.kaggle.page if competition.kaggle else "",
        table=_table(competition, prepared),
        folds=tuple(_fold_scores(blend)),
        origin=_origin(competition, raw, run),
        settings={key: json.dumps(value) for key, value in settings_of(competition).items()},
        failed=parts.failed,
        **measured,
    )


def _table(competition: Competition, prepared: Prepared) -> Table:
    classes: dict[str, int] = {}
    if competition.predicts.has_classes:
        counts = np.bincount(prepared.target, minlength=len(competition.classes))
        classes = dict(zip(competition.label_names, map(int, counts), strict=True))
    return Table(
        n_train=len(prepared.train),
        n_test=len(prepared.test),
        n_columns=len(competition.columns),
        n_features=prepared.train.shape[1],
        classes=classes,
    )


def _fold_scores(blend: Blend) -> Iterator[FoldScores]:
    for name, scores in zip(blend.members, blend.member_scores, strict=True):
        yield FoldScores(name=name, scores=tuple(map(float, scores)))
    yield FoldScores(name=blend.chosen or BLEND, scores=tuple(map(float, blend.scores)))


def _curves(competition: Competition, run: RunContents) -> Iterator[Curves]:
    for member in competition.members:
        stored = run.predictions_of(member.name).curves
        if stored and stored["valid_loss"].size:
            bands = curves.MemberCurves.of(stored)
            yield Curves(
                member=member.name,
                n_replicas=bands.n_replicas,
                train_loss=_thinned(bands.train_loss, bands.best_epoch),
                valid_loss=_thinned(bands.valid_loss, bands.best_epoch),
                valid_score=_thinned(bands.valid_score, bands.best_epoch),
            )


def _thinned(band: curves.Band, best_epoch: int) -> Band:
    """The band at `MAX_POINTS` epochs at most, and at the best one."""
    n = len(band.epochs)
    places = np.unique(np.linspace(0, n - 1, min(n, MAX_POINTS)).astype(np.int64))
    kept = band.at(np.append(band.epochs[places], best_epoch))
    return Band(
        epochs=tuple(map(int, kept.epochs)),
        low=tuple(map(float, kept.low)),
        median=tuple(map(float, kept.median)),
        high=tuple(map(float, kept.high)),
    )


def _outcome(competition: Competition, prepared: Prepared, blend: Blend) -> Outcome:
    task, held_out = competition.predicts, prepared.folds.held_out
    target, oof = prepared.target[held_out], blend.oof[held_out]
    outcome = Outcome(
        values=() if task.chooses_class else tuple(_values(target, oof, competition.targets)),
        decision=blend.decision.describe(competition.label_names or competition.targets),
        decision_gain=_decision_gain(blend),
    )
    if task.has_classes:
        labels = blend.decision.apply(oof, task)
        counts = confusion_counts(target, labels, task.n_classes)
        confusion = tuple(tuple(map(int, row)) for row in counts)
        outcome = outcome.model_copy(update={"confusion": confusion})
    if task.chooses_class:
        outcome = outcome.model_copy(update=_calibration(competition, target, oof))
    return outcome


def _decision_gain(blend: Blend) -> float:
    return float(np.nanmean(blend.scores) - np.nanmean(blend.plain_scores))


def _calibration(competition: Competition, target: np.ndarray, oof: np.ndarray) -> dict[str, Any]:
    bins = Bins.of(target, oof)
    triples = zip(bins.predicted, bins.observed, bins.n_rows, strict=True)
    is_binary = competition.predicts.kind == "binary"
    return {
        "calibration": tuple(
            Bin(predicted=float(predicted), observed=float(observed), n_rows=int(n_rows))
            for predicted, observed, n_rows in triples
        ),
        "probability_of": competition.label_names[1] if is_binary else "the predicted class",
    }


def _values(target: np.ndarray, oof: np.ndarray, names: Sequence[str]) -> Iterator[ValueOutcome]:
    columns = target.reshape(len(target), -1).T.astype(np.float64)
    for name, column, predicted in zip(names, columns, oof.T, strict=True):
        bins = ValueBins.of(column, predicted)
        parts = ("predicted", "observed", "low", "high", "n_rows")
        yield ValueOutcome(
            name=name, bias=bins.bias, **{part: getattr(bins, part).tolist() for part in parts}
        )


def _origin(competition: Competition, raw: RawFiles, run: RunContents) -> Origin:
    described = run.described
    return Origin(
        command=reproduce.of_run(competition, raw, described["device"]),
        device=described["device"],
        started=described["started"],
        git_commit=described["git_commit"] or "unknown",
        code=described["code"],
        data=described["data"],
        files={name: file.sha256 for name, file in raw.files.items()},
        versions=described["versions"],
    )


def evidence_of(
    competition: Competition, raw: RawFiles, run: RunContents, tell: Tell = lambda _: None
) -> Evidence:
    """The run's evidence, gathered now where it never was, is damaged, or lacks a part."""
    with Attempt() as reading:
        evidence = Evidence.read(run.layout.folder)
    if reading.error is None and evidence is not None and not evidence.failed:
        return evidence
    evidence = gather(competition, raw, run, tell)
    evidence.write(run.layout.folder)
    return evidence


def write(
    competition: Competition,
    raw: RawFiles,
    summary: Summary,
    run: RunContents,
    tell: Tell = lambda _: None,
) -> dict[str, str]:
    """Write the finished run's page, unless it is there; the parts that it lacks, and why."""
    evidence = evidence_of(competition, raw, run, tell)
    if kept_page.is_kept(run.layout.report_file, kept_page.mark_of(summary, evidence)):
        return {}
    return html.write(summary, evidence, run.layout.folder).failed
