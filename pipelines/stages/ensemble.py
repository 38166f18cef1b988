"""Stage 5: from all members' predictions to one, with an honest score.

The first candidate is the weighted blend. The best member alone is tried beside it, as are a
competition's stackers, and the candidate with the best nested score is chosen; the best member
alone must be better by more than a standard error.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from features.folds import Folds
from models.decisions import Decision
from models.ensembling.blending import BlendSettings, greedy_weights, nested
from models.ensembling.combiners import Combiner, Weighted, from_description, stacker_inputs
from models.ensembling.goal import Goal
from models.ensembling.selection import BEST_MEMBER, best_member, choose
from models.ensembling.stacking import (
    SEEDS,
    Candidate,
    EnsembleInputs,
    make_candidates,
    stacker_folds,
    weighted_mean,
)
from models.estimators.fold_models import FoldModels, TrainingSource
from models.fold_data import FoldData
from models.metrics import Metric
from models.target import Target
from models.tasks import Task
from pipelines.stages.train_test_overlap import (
    OverlapRows,
    Tables,
    find_overlap,
    with_matching_classes,
)
from pipelines.workspace import arrays
from pipelines.workspace.stage_files import BLEND, EnsembleFiles

if TYPE_CHECKING:
    from pipelines.configuration.competition import Competition, SecondLevel, TrainTestOverlap
    from pipelines.members.predictions import Predictions
    from pipelines.stages.preprocess import Prepared

STORED_NAMES = {  # names on disk are those of the first version, so that every run stays readable
    "members": "members",
    "candidates": "ways",
    "chosen": "way",
    "overlap_share": "known_share",
}
STORED_ARRAYS = {
    **{name: name for name in ("weights", "oof", "test", "scores", "member_scores")},
    "plain_scores": "plain_scores",
    "candidate_scores": "way_scores",
    "extra_scores": "also",
    "member_extra_scores": "member_also",
}


class UndefinedScoreError(ValueError):
    """The metric gives no number for the predictions, so nothing can be chosen by it."""

    exit_code = 3


@dataclass(frozen=True)
class EnsembleSettings:
    """What stage 5 needs of a competition.

    Attributes:
        metric: Decides between candidates.
        task: What is predicted.
        second_level: Stackers and their context features.
        extra_metrics: Reported beside the metric.
        blend: How the members' weights are found.
        overlap: Test rows that take the label of a training row.
    """

    metric: Metric
    task: Task
    second_level: SecondLevel
    extra_metrics: tuple[Metric, ...] = ()
    blend: BlendSettings = field(default_factory=BlendSettings)
    overlap: TrainTestOverlap | None = None

    @classmethod
    def of(cls, competition: Competition) -> EnsembleSettings:
        """The settings of a competition."""
        return cls(
            metric=competition.metric,
            task=competition.predicts,
            extra_metrics=competition.extra_metrics,
            blend=competition.blend,
            second_level=competition.second_level,
            overlap=competition.train_test_overlap,
        )

    def goal(self, prepared: Prepared) -> Goal:
        """What the members are combined for."""
        return Goal(prepared.target, self.task, self.metric, prepared.weight)


@dataclass(frozen=True)
class Blend:
    """The members' weights, and the ensemble's prediction.

    Attributes:
        members: Names, in the order of the weights.
        candidates: Names of the candidates that were tried, the weighted blend first.
        chosen: The candidate with the best score.
        weights: `(n_members,)` of the weighted blend, not negative, with sum 1; 1 for the best
            member where it is chosen instead.
        oof: `(n_train, n_columns)`, each row predicted without its fold; NaN for rows that no
            fold holds out.
        test: `(n_test, n_columns)`.
        scores: `(n_splits,)` the metric on each fold, predicted by what the other folds taught.
        member_scores: `(n_members, n_splits)`.
        candidate_scores: `(n_candidates, n_splits)`.
        extra_scores: `(n_extra_metrics, n_splits)`.
        member_extra_scores: `(n_members, n_extra_metrics, n_splits)`.
        plain_scores: `(n_splits,)` the scores without the decision rule.
        decision: Turns predictions into answers; chosen on all held-out rows.
        overlap_share: The share of the test rows that took the label of a training row. The scores
            count these as correct and estimate the rest on held-out rows that are new.
        combiner: Computes the chosen candidate's prediction; None when read back.
    """

    members: tuple[str, ...]
    candidates: tuple[str, ...]
    chosen: str
    weights: np.ndarray
    oof: np.ndarray
    test: np.ndarray
    scores: np.ndarray
    member_scores: np.ndarray
    candidate_scores: np.ndarray
    extra_scores: np.ndarray
    member_extra_scores: np.ndarray
    plain_scores: np.ndarray
    decision: Decision = field(default_factory=Decision)
    overlap_share: float = 0.0
    combiner: Combiner | None = None

    @property
    def cv_new(self) -> float:
        """The cross-validated score on new rows alone."""
        return (self.cv - self.overlap_share) / (1 - self.overlap_share)

    @property
    def cv(self) -> float:
        """The cross-validated score, the mean over the folds where the metric is defined."""
        return float(np.nanmean(self.scores))

    @property
    def cv_std(self) -> float:
        """The standard deviation of the score over folds."""
        return float(np.nanstd(self.scores))


def ensemble(
    settings: EnsembleSettings,
    goal: Goal,
    folds: Folds,
    predictions: Sequence[Predictions],
    *,
    tables: Tables | None = None,
) -> Blend:
    """Weigh the members by their out-of-fold predictions, and try the competition's stackers.

    The scores are nested: each fold is predicted by what was learned without it.

    Args:
        settings: The competition's.
        goal: The training rows' target and weights.
        folds: Which rows are held out when.
        predictions: Of every member.
        tables: Training and test rows, for context features and for overlapping test rows.

    Raises:
        BlendError: Invalid predictions, or folds that do not fit them.
    """
    oof, test = (np.stack([getattr(p, part) for p in predictions]) for part in ("oof", "test"))
    inputs = EnsembleInputs(oof, test, goal, folds.assignment)
    names = [member.member for member in predictions]
    held_out = folds.held_out
    of_held_out = goal.at(held_out)
    weights = greedy_weights(oof[:, held_out], of_held_out, settings.blend, members=names)
    candidates = _candidates(settings, inputs, weights, tables)
    chosen = choose(candidates, settings.metric, folds.n_folds)
    decided = goal.decide(chosen.oof, folds.assignment)
    blend = replace(
        _blend(predictions, candidates, chosen, weights),
        extra_scores=_extra_scores(settings.extra_metrics, goal, folds, chosen.oof),
        plain_scores=decided.plain_scores,
        decision=decided.decision,
    )
    if settings.overlap is None or tables is None:
        return blend
    rows = find_overlap(settings.overlap, tables, goal.target, folds)
    return with_overlap(blend, rows, oof=oof, candidates=candidates)


def check_defined(blend: Blend, metric: Metric) -> None:
    """Check that the score that decides is a number.

    Raises:
        UndefinedScoreError: The metric is infinite on a split, or defined on none.
    """
    wrong = blend.scores[~np.isfinite(blend.scores)]
    if np.isinf(wrong).any() or len(wrong) == len(blend.scores):
        raise UndefinedScoreError(
            f"{metric.name} of the ensemble: found {wrong.max()} on {len(wrong)} of "
            f"{len(blend.scores)} splits, expected a finite number; set metric otherwise in the "
            "competition's file, or look at the members' predictions"
        )


def _candidates(
    settings: EnsembleSettings, inputs: EnsembleInputs, weights: np.ndarray, tables: Tables | None
) -> list[Candidate]:
    """The weighted blend, what the stackers make of the members, and the best member alone."""
    second_level = settings.second_level
    first = weighted_mean(BLEND, Weighted(weights), inputs, settings.blend)
    with_context = replace(inputs, context=_context(second_level, tables, first))
    candidates = make_candidates(first, second_level.stackers, with_context)
    if len(inputs.oof) > 1 and inputs.has_other_folds:
        candidates.append(best_member(inputs))
    return candidates


def _blend(
    predictions: Sequence[Predictions],
    candidates: Sequence[Candidate],
    chosen: Candidate,
    weights: np.ndarray,
) -> Blend:
    if chosen.name == BEST_MEMBER and isinstance(chosen.combiner, Weighted):
        weights = chosen.combiner.weights
    return Blend(
        members=tuple(member.member for member in predictions),
        candidates=tuple(candidate.name for candidate in candidates),
        chosen=chosen.name,
        weights=weights,
        oof=chosen.oof,
        test=chosen.test,
        scores=chosen.scores,
        member_scores=np.stack([member.scores for member in predictions]),
        candidate_scores=np.stack([candidate.scores for candidate in candidates]),
        extra_scores=np.empty((0, len(chosen.scores))),
        plain_scores=chosen.scores,
        member_extra_scores=np.stack([member.also for member in predictions]),
        combiner=chosen.combiner,
    )


class Predicted(Protocol):
    """A candidate's out-of-fold predictions."""

    @property
    def oof(self) -> np.ndarray:
        """`(n_rows, n_columns)`."""
        ...


def with_overlap(
    blend: Blend, rows: OverlapRows, *, oof: np.ndarray, candidates: Sequence[Predicted]
) -> Blend:
    """Overlapping test rows take their label, and all scores allow for their share."""
    return replace(
        blend,
        test=with_matching_classes(rows.test_class, blend.test),
        scores=rows.scores(blend.oof),
        member_scores=np.stack([rows.scores(member) for member in oof]),
        candidate_scores=np.stack([rows.scores(candidate.oof) for candidate in candidates]),
        overlap_share=rows.share,
    )


def _context(
    second_level: SecondLevel, tables: Tables | None, first: Candidate
) -> tuple[np.ndarray, np.ndarray] | None:
    """The context features of training and test rows; None without any, or without stackers."""
    features = second_level.context_features
    if features is None or tables is None or not second_level.stackers:
        return None
    train, test = tables
    return features(train, first.oof), features(test, first.test)


def _extra_scores(
    metrics: Sequence[Metric], goal: Goal, folds: Folds, oof: np.ndarray
) -> np.ndarray:
    """The extra metrics on each split's held-out rows, `(n_extra_metrics, n_splits)`."""
    scores = [replace(goal, metric=m).decide(oof, folds.assignment).scores for m in metrics]
    return np.array(scores).reshape(len(metrics), folds.n_splits)


def save(blend: Blend, folder: Path) -> None:
    """Arrays as npz, names as JSON, and the combiner with its models, for new rows."""
    files = EnsembleFiles(folder)
    names = {stored: getattr(blend, name) for name, stored in STORED_NAMES.items()}
    decision = {"decision": blend.decision.to_dict()}
    files.members.write_text(json.dumps(names | decision) + "\n")
    stored_arrays = {stored: getattr(blend, name) for name, stored in STORED_ARRAYS.items()}
    arrays.write(files.blend, stored_arrays)
    if blend.combiner is not None:
        _save_combiner(blend.combiner, folder)


def load(folder: Path) -> Blend:
    """Read back what `save` wrote, without the combiner."""
    files = EnsembleFiles(folder)
    names = json.loads(files.members.read_text())
    stored_arrays = arrays.read(files.blend)
    stored_arrays.setdefault("plain_scores", stored_arrays["scores"])  # runs before decision rules
    return Blend(
        members=tuple(names[STORED_NAMES["members"]]),
        candidates=tuple(names[STORED_NAMES["candidates"]]),
        chosen=names[STORED_NAMES["chosen"]],
        overlap_share=names[STORED_NAMES["overlap_share"]],
        decision=Decision.from_dict(names.get("decision")),
        **{name: stored_arrays[stored] for name, stored in STORED_ARRAYS.items()},  # type: ignore[arg-type]
    )


def _save_combiner(combiner: Combiner, folder: Path) -> None:
    """The combiner as JSON, and each stacker's models in a folder of their own."""
    EnsembleFiles(folder).recipe.write_text(json.dumps(combiner.description()) + "\n")
    for stacker in combiner.stackers():
        models = EnsembleFiles(folder).stacker(stacker.name)
        models.mkdir(parents=True)
        for name, content in stacker.models.files().items():
            (models / name).write_bytes(content)


def load_combiner(folder: Path, settings: EnsembleSettings, source: TrainingSource) -> Combiner:
    """The combiner of the candidate that the run chose.

    Args:
        folder: The folder that `save` wrote into.
        settings: The run's.
        source: From `stacker_source`; trains the stackers again that have no files.
    """

    def load_models(name: str, n_folds: int) -> FoldModels:
        stacker = settings.second_level.stacker(name)
        owners = [(fold, seed) for fold in range(n_folds) for seed in SEEDS]
        return stacker.load_models(EnsembleFiles(folder).stacker(name), owners, source)

    description = json.loads(EnsembleFiles(folder).recipe.read_text())
    return from_description(description, load_models, settings.task)


def stacker_source(
    settings: EnsembleSettings, prepared: Prepared, members_oof: Callable[[], np.ndarray]
) -> TrainingSource:
    """The rows that a finished run's stackers were trained on, computed when first needed.

    Args:
        settings: The run's.
        prepared: The run's tables.
        members_oof: Returns the members' out-of-fold predictions,
            `(n_members, n_rows, n_columns)`.
    """

    @cache
    def folds() -> list[FoldData]:
        oof = members_oof()
        context = _training_context(settings, prepared, oof)
        inputs = stacker_inputs(oof, context, settings.task)
        return stacker_folds(inputs, np.atleast_2d(prepared.folds.assignment))

    target = Target(prepared.target, settings.task, prepared.weight)
    return TrainingSource(lambda fold: folds()[fold], target)


def _training_context(
    settings: EnsembleSettings, prepared: Prepared, oof: np.ndarray
) -> np.ndarray | None:
    """The context features of the training rows, computed from the nested blend."""
    features = settings.second_level.context_features
    if features is None:
        return None
    honest = nested(oof, settings.goal(prepared), prepared.folds.assignment, settings.blend)
    return features(prepared.train, honest.oof)
