"""How a network is trained: one stack of replicas for all splits and seeds, or for many trials."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from models.executor import LOCAL, Executor
from models.fold_data import FoldData, InputShape
from models.losses import Loss, loss_named
from models.training import trained
from models.training.blocks import BlockData, fit_blocks
from models.training.fit import EpochReport, Objective, Replica, Replicas, Training, start
from models.training.plan import TrainingPlan
from models.vectorised.dropout import takes_own_rates
from pipelines.configuration.member_settings import Encoded
from pipelines.members.data import FoldedDataset, check_numbers, fold_data
from pipelines.members.member import LoadContext, PredictRows
from pipelines.members.network import DROPOUT
from pipelines.members.predictions import HeldOut, Predictions, Problem, mean_defined
from pipelines.members.pretrained import embedded
from pipelines.members.trials import ReportScore, TrialData

if TYPE_CHECKING:
    from models.checkpoints import Checkpoints
    from pipelines.console import Advance
    from pipelines.members.network import NetworkMember

CURVES = ("train_loss", "valid_loss", "valid_score")


def fit(
    member: NetworkMember,
    problem: Problem,
    dataset: FoldedDataset,
    *,
    device: str,
    progress: Advance | None,
    checkpoints: Checkpoints | None = None,
    executor: Executor = LOCAL,
) -> Predictions:
    """Train every split and every seed at once; see `Member.fit`."""
    check_numbers(dataset, member.name, may_be_missing=False)
    folds = [fold_data(view) for view in dataset.views]
    notes: tuple[str, ...] = ()
    if member.vectors is not None:
        folds, notes = embedded(folds, dataset.views, member)
    plan = TrainingPlan(
        builder(member, problem, dataset),
        folds,
        dataset.target,
        member.train,
        objective_of(member, problem, dataset, folds),
        Replicas(range(member.n_seeds)),
        device,
    )
    data = BlockData(plan, [view.test for view in dataset.views])
    fitted = fit_blocks(data, executor, on_epoch=progress, checkpoints=checkpoints)
    usable = [replica for replica in fitted.replicas if replica.fault is None]
    held_out = HeldOut.of([(r.fold, r.valid_predictions) for r in usable], dataset)
    n_outputs = _n_outputs(member, problem)
    return replace(
        held_out.predictions(member.name, problem, fitted.test),
        curves=_curves(fitted.replicas),
        models=trained.save(fitted.networks, _input_shape(dataset), n_outputs),
        warnings=tuple(r.fault for r in fitted.replicas if r.fault is not None),
        notes=notes,
    )


def loss_of(member: NetworkMember, problem: Problem) -> Loss:
    """The member's own loss for values, or that of the problem."""
    is_of_values = not problem.task.predicts_probabilities
    return loss_named(member.loss or problem.loss if is_of_values else problem.loss)


def _n_outputs(member: NetworkMember, problem: Problem) -> int:
    return loss_of(member, problem).n_outputs(problem.task.n_columns)


def objective_of(
    member: NetworkMember, problem: Problem, dataset: FoldedDataset, folds: Sequence[FoldData]
) -> Objective:
    """The loss, the metric, and the scales of values that are learned standardised."""
    loss = loss_of(member, problem)
    target = member.target_of(problem, dataset, folds)
    scales = target.scales if loss.is_scaled else ()
    return Objective(loss, problem.metric, dataset.weight, scales)


def builder(
    member: NetworkMember, problem: Problem, dataset: FoldedDataset
) -> Callable[[], nn.Module]:
    """What builds the network for the dataset's inputs and the problem's classes."""
    shape, n_outputs = _input_shape(dataset), _n_outputs(member, problem)
    return functools.partial(member.model.build, shape, n_outputs)  # which can be sent elsewhere


def load(member: NetworkMember, folder: Path, context: LoadContext) -> SavedNetworks:
    """The replicas whose files are in the folder, on the device of the context or the CPU."""
    is_absent = context.device == "cuda" and not torch.cuda.is_available()
    device = torch.device("cpu" if is_absent else context.device)
    loss = loss_of(member, context.problem)
    return SavedNetworks(trained.load(folder, member.model.build, member.train, loss, device))


def run_trials(
    variants: Sequence[NetworkMember], data: TrialData, report: ReportScore
) -> list[float | None]:
    """Train variants that differ only in numbers of a replica in one stack; see `Member.trial`."""
    scores: list[float | None] = [None] * len(variants)
    for group in _stackable(variants, data.replica_keys):
        stack = _TrialStack([variants[trial] for trial in group], group, data, report)
        for trial, score in zip(group, stack.train(), strict=True):
            scores[trial] = score
    return scores


def has_own_rates(member: NetworkMember, problem: Problem, dataset: FoldedDataset) -> bool:
    """Whether the network's replicas can have unlike rates of dropout."""
    model = member.model.model_copy(update={"dropout": 0.5})
    dropping = member.model_copy(update={"model": model})
    return takes_own_rates(builder(dropping, problem, dataset)())


@dataclass(frozen=True)
class SavedNetworks:
    """The replicas of a member as `FittedModels`."""

    networks: trained.Networks

    def predict_mean(self, inputs_per_split: list[Encoded], /) -> np.ndarray:
        """The mean over all usable replicas, `(n_rows, n_classes)`."""
        return self.networks.predict_mean(inputs_per_split)

    def of_split(self, split: int, /) -> PredictRows:
        """The mean over the usable replicas of one split."""
        networks = self.networks
        at = [place for place, (fold, _) in enumerate(networks.owners) if fold == split]
        part = replace(
            networks,
            owners=tuple(networks.owners[place] for place in at),
            usable=tuple(networks.usable[place] for place in at),
            stack=networks.stack.keep(at),
            block_size=None,
        )
        return lambda inputs: part.predict_mean([inputs] * (split + 1))

    def network(self, split: int, seed: int) -> nn.Module:
        """One replica as an ordinary module, in evaluation mode."""
        at = self.networks.owners.index((split, seed))
        network = copy.deepcopy(self.networks.template)
        weights = self.networks.stack.tensors().items()
        network.load_state_dict({name: tensor[at] for name, tensor in weights})
        return network.eval()


def _input_shape(dataset: FoldedDataset) -> InputShape:
    """The widest that any split needs."""
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


def _curves(replicas: Sequence[Replica]) -> dict[str, np.ndarray]:
    """Curves by name, `(n_replicas, n_epochs)`; NaN where a replica was not evaluated."""
    curves = [replica.curve for replica in replicas]
    n_epochs = max((epoch for curve in curves for epoch in curve.epoch), default=0)
    by_name = {name: np.full((len(curves), n_epochs), np.nan) for name in CURVES}
    for row, curve in enumerate(curves):
        columns = np.array(curve.epoch, dtype=np.int64) - 1
        for name, values in by_name.items():
            values[row, columns] = getattr(curve, name)
    return by_name


def _stackable(variants: Sequence[NetworkMember], keys: Sequence[str]) -> list[list[int]]:
    """Positions of the variants that can share a stack, in the order of their first ones."""
    groups: dict[str, list[int]] = {}
    for position, variant in enumerate(variants):
        settings = variant.model_dump(mode="json")
        for key in keys:
            part, name = key.split(".")
            # A network without dropout has no place for a rate.
            settings[part][name] = key == DROPOUT and settings[part][name] > 0
        groups.setdefault(json.dumps(settings, sort_keys=True), []).append(position)
    return list(groups.values())


class _TrialStack:
    """Several trials of one structure: replicas trial by trial, split by split, seed by seed."""

    def __init__(
        self,
        variants: Sequence[NetworkMember],
        trials: Sequence[int],
        data: TrialData,
        report: ReportScore,
    ) -> None:
        self._variants, self._trials, self._data, self._report = variants, trials, data, report
        self._n_each = len(data.dataset.views) * data.n_seeds
        self._training = self._start()
        self._scores: list[float | None] = [None] * len(trials)
        self._running = set(range(len(trials)))

    def _start(self) -> Training:
        variants, data, each = self._variants, self._data, range(self._n_each)
        return start(
            builder(variants[0], data.problem, data.dataset),
            data.folds * len(variants),
            data.dataset.target,
            variants[0].train,
            self._objective(),
            Replicas(
                range(data.n_seeds),
                lr=[variant.train.lr for variant in variants for _ in each],
                weight_decay=[variant.train.weight_decay for variant in variants for _ in each],
                dropout=self._rates(),
            ),
            device=data.device,
        )

    def _objective(self) -> Objective:
        """That of the tuning folds, once for each variant."""
        first, data = self._variants[0], self._data
        objective = objective_of(first, data.problem, data.dataset, data.folds)
        return replace(objective, scales=tuple(objective.scales) * len(self._variants))

    def _rates(self) -> list[float] | None:
        """Each replica's rate of dropout; None where all trials have the network's."""
        rates = [float(getattr(variant.model, "dropout", 0.0)) for variant in self._variants]
        if DROPOUT not in self._data.replica_keys or not all(rates):
            return None
        return [rate for rate in rates for _ in range(self._n_each)]

    def train(self) -> list[float | None]:
        """Train all epochs; the trials' last scores."""
        while not self._training.is_finished:
            report = self._training.run_epoch()
            if report is not None:
                self._hear(report)
        return [score if at in self._running else None for at, score in enumerate(self._scores)]

    def _hear(self, report: EpochReport) -> None:
        """Report each trial's mean over splits; drop those that are to be stopped."""
        scores = report.best_score.reshape(len(self._trials), self._n_each)
        means = mean_defined(scores)
        step = round(100 * report.epoch / self._variants[0].train.epochs)
        stopped = set()
        for at in sorted(self._running):
            self._scores[at] = float(means[at])
            if self._has_fault(at) or self._report(self._trials[at], step, float(means[at])):
                stopped.add(at)
        self._running -= stopped
        self._training.drop({replica for at in stopped for replica in self._replicas(at)})

    def _has_fault(self, at: int) -> bool:
        faults = self._training.progress.faults
        return any(faults[replica] is not None for replica in self._replicas(at))

    def _replicas(self, at: int) -> range:
        """The numbers of one trial's replicas."""
        return range(at * self._n_each, (at + 1) * self._n_each)
