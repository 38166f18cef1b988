"""Stage 4: a member and the folded data to out-of-fold and test predictions."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from models.data import InputShape
from models.estimators.persistence import Estimators
from models.estimators.sklearn_models import EstimatorReplica, fit_estimators, fit_one
from models.estimators.trees import TreesReplica, fit_trees
from models.losses import LOSSES, Loss
from models.metrics import METRICS
from models.training import trained
from models.training.fit import EpochReport, Fitted, FoldData, fit
from pipelines.configuration.competition import (
    Competition,
    EstimatorMember,
    Member,
    NetworkMember,
    TreesMember,
)
from pipelines.members.pretrained import embedded
from pipelines.stages.dataset import FoldedDataset, FoldView
from pipelines.workspace import arrays

Progress = Callable[[int, int], None]
ARRAYS = ("oof", "test", "scores", "also", "importances")
CURVES = ("train_loss", "valid_loss", "valid_score")


class TrainingError(RuntimeError):
    """A fold without a single usable replica."""

    exit_code = 3


@dataclass(frozen=True)
class Predictions:
    """What one member says of every row.

    Attributes:
        oof: `(n_train, n_classes)` probabilities by models that never saw the row; the mean over
            seeds and repeats.
        test: `(n_test, n_classes)`, the mean over all replicas.
        scores: `(n_splits,)` the metric on each split's held-out rows.
        also: `(n_also, n_splits)` the competition's further metrics.
        curves: by name (`train_loss` ...), `(n_replicas, n_epochs)`, NaN where a replica was not
            evaluated; empty for trees.
        importances: `(n_inputs,)` each input's share of the boosters' gain; empty for networks.
        models: by file name, the content of each saved model; empty when read back.
        warnings: replicas that were left out, and why.
        notes: what else a person should know of the training.
    """

    member: str
    oof: np.ndarray
    test: np.ndarray
    scores: np.ndarray
    also: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    curves: dict[str, np.ndarray] = field(default_factory=dict)
    importances: np.ndarray = field(default_factory=lambda: np.empty(0))
    models: dict[str, bytes] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def train(
    competition: Competition,
    member: Member,
    dataset: FoldedDataset,
    *,
    device: str = "auto",
    progress: Progress | None = None,
) -> Predictions:
    """Train every fold and every seed of one member.

    Raises:
        TrainingError: all replicas of a fold went to NaN.
    """
    if isinstance(member, NetworkMember):
        return _train_network(competition, member, dataset, device, progress)
    if isinstance(member, EstimatorMember):
        return _train_estimators(competition, member, dataset, progress)
    return _train_trees(competition, member, dataset, progress)


def _train_network(
    competition: Competition,
    member: NetworkMember,
    dataset: FoldedDataset,
    device: str,
    progress: Progress | None,
) -> Predictions:
    folds = [fold_data(view) for view in dataset.views]
    notes: tuple[str, ...] = ()
    if member.vectors is not None:
        folds, notes = embedded(folds, dataset.views, member)
    shape, n_outputs = _input_shape(dataset), _n_outputs(competition)
    fitted = fit(
        lambda: member.model.build(shape, n_outputs),
        folds,
        dataset.target,
        member.train,
        loss=loss_of(competition),
        metric=METRICS[competition.metric],
        seeds=range(member.n_seeds),
        device=device,
        on_epoch=_epochs_told(member.train.epochs, progress),
    )
    usable = [replica for replica in fitted.replicas if replica.fault is None]
    valid = _by_fold([(r.fold, r.valid_probabilities) for r in usable], dataset)
    return Predictions(
        member=member.name,
        oof=_oof(valid, dataset),
        test=fitted.predict_mean([view.test for view in dataset.views]),
        scores=_scores(competition.metric, valid, dataset),
        also=_also(competition, valid, dataset),
        curves=_curves(fitted),
        models=trained.save(fitted.networks, shape, n_outputs),
        warnings=tuple(replica.fault for replica in fitted.replicas if replica.fault is not None),
        notes=notes,
    )


def _train_trees(
    competition: Competition,
    member: TreesMember,
    dataset: FoldedDataset,
    progress: Progress | None,
) -> Predictions:
    fitted = fit_trees(
        [fold_data(view) for view in dataset.views],
        [view.test for view in dataset.views],
        dataset.target,
        member.trees,
        n_classes=len(competition.classes),
        seeds=range(member.n_seeds),
        on_fold=_models_told(len(dataset.views) * member.n_seeds, progress),
    )
    valid = _by_fold([(r.fold, r.valid_probabilities) for r in fitted.replicas], dataset)
    return Predictions(
        member=member.name,
        oof=_oof(valid, dataset),
        test=fitted.test_probabilities,
        scores=_scores(competition.metric, valid, dataset),
        also=_also(competition, valid, dataset),
        importances=fitted.importance,
        models=fitted.boosters.files(),
    )


def _train_estimators(
    competition: Competition,
    member: EstimatorMember,
    dataset: FoldedDataset,
    progress: Progress | None,
) -> Predictions:
    fitted = fit_estimators(
        [fold_data(view) for view in dataset.views],
        [view.test for view in dataset.views],
        dataset.target,
        member.estimator,
        n_classes=len(competition.classes),
        seeds=range(member.n_seeds),
        on_fold=_models_told(len(dataset.views) * member.n_seeds, progress),
    )
    valid = _by_fold([(r.fold, r.valid_probabilities) for r in fitted.replicas], dataset)

    def again(fold: int, seed: int) -> Any:
        return train_one(member, dataset.views[fold], dataset.target, seed)

    kept = Estimators.of(member.estimator, fitted.replicas, again)
    return Predictions(
        member=member.name,
        oof=_oof(valid, dataset),
        test=fitted.test_probabilities,
        scores=_scores(competition.metric, valid, dataset),
        also=_also(competition, valid, dataset),
        models=kept.files(),
    )


def train_one(member: EstimatorMember, view: FoldView, target: np.ndarray, seed: int) -> Any:
    """The member's estimator of one fold and one seed."""
    return fit_one(member.estimator, seed, fold_data(view), target)


def network_builder(
    competition: Competition, member: NetworkMember, dataset: FoldedDataset
) -> Callable[[], nn.Module]:
    """What makes the member's network, fit for the inputs and the classes."""
    shape, n_outputs = _input_shape(dataset), _n_outputs(competition)
    return lambda: member.model.build(shape, n_outputs)


def loss_of(competition: Competition) -> Loss:
    """The loss that the competition's networks are trained with."""
    return LOSSES["binary_cross_entropy" if competition.is_binary else "cross_entropy"]


def _n_outputs(competition: Competition) -> int:
    return loss_of(competition).n_outputs(len(competition.classes))


def fold_data(view: FoldView) -> FoldData:
    """One fold's rows, as the trainers take them."""
    return FoldData(view.train, view.split.train_rows, view.split.valid_rows)


def _input_shape(dataset: FoldedDataset) -> InputShape:
    """The widest that any fold needs."""
    first = dataset.views[0].train
    n_num, n_bin = (first[key].shape[1] if key in first else 0 for key in ("x_num", "x_bin"))
    return InputShape(
        n_num=n_num,
        cardinalities=dataset.cardinalities,
        n_bin=n_bin,
        n_tokens=dataset.n_tokens,
        is_spelled="spelling" in first,
        image=first["image"].shape[1:] if "image" in first else (),
    )


def _epochs_told(epochs: int, progress: Progress | None) -> Callable[[EpochReport], None] | None:
    if progress is None:
        return None
    return lambda report: progress(report.epoch, epochs)


def _models_told(
    n_models: int, progress: Progress | None
) -> Callable[[TreesReplica | EstimatorReplica], None] | None:
    if progress is None:
        return None
    done = itertools.count(1)
    return lambda _: progress(next(done), n_models)


def _by_fold(parts: Sequence[tuple[int, np.ndarray]], dataset: FoldedDataset) -> list[np.ndarray]:
    """The mean over seeds for each split, `(n_fold_valid, n_classes)`.

    Raises:
        TrainingError: a split without any replica.
    """
    folds = [[p for fold, p in parts if fold == index] for index in range(len(dataset.views))]
    empty = [dataset.views[index].split for index, found in enumerate(folds) if not found]
    if empty:
        told = ", ".join(f"repeat {split.repeat} fold {split.fold}" for split in empty[:3])
        raise TrainingError(
            f"no usable replica in {told}: every seed went to NaN; "
            "lower train.lr or set train.grad_clip=1"
        )
    return [np.stack(found).mean(axis=0, dtype=np.float64) for found in folds]


def _oof(valid: Sequence[np.ndarray], dataset: FoldedDataset) -> np.ndarray:
    """Every row's prediction by models that never saw it, the mean over repeats."""
    total = np.zeros((len(dataset.target), valid[0].shape[1]))
    for view, probabilities in zip(dataset.views, valid, strict=True):
        total[view.split.valid_rows] += probabilities
    return total / dataset.folds.n_repeats


def _also(
    competition: Competition, valid: Sequence[np.ndarray], dataset: FoldedDataset
) -> np.ndarray:
    scores = [_scores(metric, valid, dataset) for metric in competition.also]
    return np.array(scores).reshape(len(competition.also), len(dataset.views))


def _scores(metric: str, valid: Sequence[np.ndarray], dataset: FoldedDataset) -> np.ndarray:
    score = METRICS[metric].function
    rows = (view.split.valid_rows for view in dataset.views)
    return np.array([score(dataset.target[r], p) for r, p in zip(rows, valid, strict=True)])


def _curves(fitted: Fitted) -> dict[str, np.ndarray]:
    """Curves by name, `(n_replicas, n_epochs)`; NaN where a replica was not evaluated."""
    curves = [replica.curve for replica in fitted.replicas]
    n_epochs = max((epoch for curve in curves for epoch in curve.epoch), default=0)
    told = {name: np.full((len(curves), n_epochs), np.nan) for name in CURVES}
    for row, curve in enumerate(curves):
        columns = np.array(curve.epoch, dtype=np.int64) - 1
        for name, values in told.items():
            values[row, columns] = getattr(curve, name)
    return told


def save(predictions: Predictions, folder: Path) -> None:
    """Arrays as npz, models as files of their own kind; nothing is pickled."""
    made = {name: getattr(predictions, name) for name in ARRAYS}
    arrays.write(folder / "predictions.npz", made)
    arrays.write(folder / "curves.npz", predictions.curves)
    told = {
        "member": predictions.member,
        "warnings": predictions.warnings,
        "notes": predictions.notes,
    }
    (folder / "member.json").write_text(json.dumps(told) + "\n")
    (folder / "models").mkdir()
    for name, content in predictions.models.items():
        (folder / "models" / name).write_bytes(content)


def load(folder: Path) -> Predictions:
    """Read back what `save` wrote, without the models."""
    told = json.loads((folder / "member.json").read_text())
    return Predictions(
        member=told["member"],
        warnings=tuple(told["warnings"]),
        notes=tuple(told["notes"]),
        curves=arrays.read(folder / "curves.npz"),
        **arrays.read(folder / "predictions.npz"),  # type: ignore[arg-type]
    )
