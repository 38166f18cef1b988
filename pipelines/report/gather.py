"""Gathers a report's evidence from what the stages of a run left in its folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipelines.configuration.assignments import settings_of
from pipelines.configuration.competition import Competition
from pipelines.raw_files.raw import RawFiles
from pipelines.report import html, reproduce
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
)
from pipelines.report.importance import importance
from pipelines.report.leaks import checks
from pipelines.stages.ensemble import Blend
from pipelines.stages.preprocess import Prepared
from pipelines.stages.run_contents import RunContents
from pipelines.workspace.summary import BLEND, Summary

N_BINS, MAX_POINTS = 10, 120


def gather(competition: Competition, raw: RawFiles, run: RunContents) -> Evidence:
    """Measure what no stage measured, and put it beside what they did."""
    prepared, blend, folder = run.prepared, run.blend, run.layout.folder
    return Evidence(
        title=competition.title,
        page=competition.kaggle.page if competition.kaggle else "",
        table=_table(competition, prepared),
        folds=tuple(_fold_scores(blend)),
        curves=tuple(_curves(competition, run)),
        outcome=_outcome(competition, prepared.target, blend.oof),
        importance=importance(competition, prepared, blend, folder),
        drift=adversarial(prepared.train, prepared.test, group=competition.folds.group),
        checks=checks(competition, prepared, blend, folder),
        origin=_origin(competition, raw, run),
        settings={key: json.dumps(value) for key, value in settings_of(competition).items()},
    )


def _table(competition: Competition, prepared: Prepared) -> Table:
    counts = np.bincount(prepared.target, minlength=len(competition.classes))
    names = map(competition.label_name, competition.classes)
    return Table(
        n_train=len(prepared.train),
        n_test=len(prepared.test),
        n_columns=len(competition.columns),
        n_features=prepared.train.shape[1],
        classes=dict(zip(names, map(int, counts), strict=True)),
    )


def _fold_scores(blend: Blend) -> Iterator[FoldScores]:
    for name, scores in zip(blend.members, blend.member_scores, strict=True):
        yield FoldScores(name=name, scores=tuple(map(float, scores)))
    yield FoldScores(name=blend.way or BLEND, scores=tuple(map(float, blend.scores)))


def _curves(competition: Competition, run: RunContents) -> Iterator[Curves]:
    for member in competition.members:
        curves = run.predictions_of(member.name).curves
        if curves and curves["valid_loss"].size:
            bands = {name: _band(values) for name, values in curves.items()}
            yield Curves(member=member.name, n_replicas=len(curves["valid_loss"]), **bands)


def _band(values: np.ndarray) -> Band:
    """Over the replicas still in training: `(n_replicas, n_epochs)` -> three curves, thinned."""
    known = np.flatnonzero(np.isfinite(values).any(axis=0))
    keep = known[np.unique(np.linspace(0, len(known) - 1, MAX_POINTS).astype(np.int64))]
    low, median, high = np.nanquantile(values[:, keep], [0.1, 0.5, 0.9], axis=0)
    epochs = tuple(int(epoch) + 1 for epoch in keep)
    return Band(epochs=epochs, low=tuple(low), median=tuple(median), high=tuple(high))


def _outcome(competition: Competition, target: np.ndarray, oof: np.ndarray) -> Outcome:
    n_classes = len(competition.classes)
    confusion = np.zeros((n_classes, n_classes), dtype=np.int64)
    np.add.at(confusion, (target, oof.argmax(axis=1)), 1)
    if competition.is_binary:
        said, true = oof[:, 1], target == 1
        said_of = competition.label_name(competition.classes[1])
    else:
        said, true, said_of = oof.max(axis=1), oof.argmax(axis=1) == target, "the predicted class"
    return Outcome(
        confusion=tuple(tuple(map(int, row)) for row in confusion),
        calibration=tuple(_bins(said, true)),
        said_of=said_of,
    )


def _bins(said: np.ndarray, true: np.ndarray) -> Iterator[Bin]:
    place = np.minimum((said * N_BINS).astype(np.int64), N_BINS - 1)
    for number in np.unique(place):
        rows = place == number
        yield Bin(
            said=float(said[rows].mean()),
            observed=float(true[rows].mean()),
            n_rows=int(rows.sum()),
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


def evidence_of(competition: Competition, raw: RawFiles, run: RunContents) -> Evidence:
    """What the folder holds, gathered now if it never was."""
    evidence = Evidence.read(run.layout.folder)
    if evidence is None:
        evidence = gather(competition, raw, run)
        evidence.write(run.layout.folder)
    return evidence


def write(competition: Competition, raw: RawFiles, summary: Summary, run: RunContents) -> Path:
    """Write the finished run's page; give its path."""
    return html.write(summary, evidence_of(competition, raw, run), run.layout.folder)
