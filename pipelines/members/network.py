"""Networks as members: all splits and seeds are trained at once, as one stack of replicas."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import torch
from pydantic import Field, SerializeAsAny
from torch import nn

from models.architectures.base import Architecture
from models.data import FoldData, InputShape
from models.losses import Loss, loss_named
from models.target import VALUES_LOSS
from models.training import trained
from models.training.fit import EpochReport, Fitted, Objective, Replicas, Training, start
from models.training.settings import TrainSettings
from models.vectorised.dropout import takes_own_rates
from pipelines.configuration.member_settings import Encoded
from pipelines.members.data import FoldedDataset, check_numbers, fold_data
from pipelines.members.member import LoadContext, Member, PredictRows
from pipelines.members.predictions import HeldOut, Predictions, Problem, mean_defined
from pipelines.members.pretrained import embedded, file_digest
from pipelines.members.trials import ReportScore, TrialData

if TYPE_CHECKING:
    from pipelines.configuration.competition import Competition
    from pipelines.console import Advance

CURVES = ("train_loss", "valid_loss", "valid_score")
DROPOUT = "model.dropout"
REPLICA_KEYS = ("train.lr", "train.weight_decay", DROPOUT)  # may differ from replica to replica
MOST_COLUMNS = 300  # wider tables are pictures; networks take minutes for ten thousand of them


class NetworkMember(Member):
    """A network: one architecture, one recipe, `n_seeds` replicas in each fold.

    Attributes:
        vectors: A file of word vectors that the embedding starts from.
    """

    splits_advance_together: ClassVar[bool] = True
    learns_scaled: ClassVar[bool] = True

    model: SerializeAsAny[Architecture]
    train: TrainSettings = TrainSettings()
    vectors: str | None = None
    loss: str | None = Field(
        None,
        pattern=VALUES_LOSS,
        description="loss of values: mse, mae, huber, poisson, tweedie, quantile@0.9",
    )
    n_seeds: int = Field(1, ge=1, description="replicas per fold")

    def fit(
        self,
        problem: Problem,
        dataset: FoldedDataset,
        *,
        device: str = "auto",
        progress: Advance | None = None,
    ) -> Predictions:
        """Train every split and every seed at once."""
        check_numbers(dataset, self.name, may_be_missing=False)
        folds = [fold_data(view) for view in dataset.views]
        notes: tuple[str, ...] = ()
        if self.vectors is not None:
            folds, notes = embedded(folds, dataset.views, self)
        training = start(
            self.builder(problem, dataset),
            folds,
            dataset.target,
            self.train,
            self._objective(problem, dataset, folds),
            Replicas(range(self.n_seeds)),
            device,
        )
        fitted = training.run(_count_epochs(self.train.epochs, progress))
        usable = [replica for replica in fitted.replicas if replica.fault is None]
        held_out = HeldOut.of([(r.fold, r.valid_predictions) for r in usable], dataset)
        test = fitted.predict_mean([view.test for view in dataset.views])
        return replace(
            held_out.predictions(self.name, problem, test),
            curves=_curves(fitted),
            models=trained.save(fitted.networks, _input_shape(dataset), self._n_outputs(problem)),
            warnings=tuple(r.fault for r in fitted.replicas if r.fault is not None),
            notes=notes,
        )

    def _loss(self, problem: Problem) -> Loss:
        is_of_values = not problem.task.predicts_probabilities
        return loss_named(self.loss or problem.loss if is_of_values else problem.loss)

    def _n_outputs(self, problem: Problem) -> int:
        return self._loss(problem).n_outputs(problem.task.n_columns)

    def _objective(
        self, problem: Problem, dataset: FoldedDataset, folds: Sequence[FoldData]
    ) -> Objective:
        loss = self._loss(problem)
        target = self.target_of(problem, dataset, folds)
        scales = target.scales if loss.is_scaled else ()
        return Objective(loss, problem.metric, dataset.weight, scales)

    def builder(self, problem: Problem, dataset: FoldedDataset) -> Callable[[], nn.Module]:
        """What builds the network for the dataset's inputs and the problem's classes."""
        shape, n_outputs = _input_shape(dataset), self._n_outputs(problem)
        return lambda: self.model.build(shape, n_outputs)

    def load(self, folder: Path, context: LoadContext) -> SavedNetworks:
        """The replicas whose files are in the folder, on the device of the context or the CPU."""
        is_absent = context.device == "cuda" and not torch.cuda.is_available()
        device = torch.device("cpu" if is_absent else context.device)
        loss = self._loss(context.problem)
        return SavedNetworks(trained.load(folder, self.model.build, self.train, loss, device))

    def trial(
        self, variants: Sequence[Self], data: TrialData, report: ReportScore
    ) -> list[float | None]:
        """Train variants that differ only in numbers of a replica in one stack."""
        scores: list[float | None] = [None] * len(variants)
        for group in _stackable(variants, data.replica_keys):
            stack = _TrialStack([variants[trial] for trial in group], group, data, report)
            for trial, score in zip(group, stack.train(), strict=True):
                scores[trial] = score
        return scores

    def last_step(self, n_splits: int) -> int:  # noqa: ARG002
        """100 per cent of the training."""
        return 100

    def replica_keys(self, problem: Problem, dataset: FoldedDataset) -> tuple[str, ...]:
        """The searched keys that replicas of one stack may have unlike values of."""
        found = [key for key in self.search if key in REPLICA_KEYS]
        if DROPOUT in found and not self._takes_own_rates(problem, dataset):
            found.remove(DROPOUT)
        return tuple(found)

    def _takes_own_rates(self, problem: Problem, dataset: FoldedDataset) -> bool:
        """Whether the network's replicas can have unlike rates of dropout."""
        dropping = self.model_copy(update={"model": self.model.model_copy(update={"dropout": 0.5})})
        return takes_own_rates(dropping.builder(problem, dataset)())

    def file_digests(self) -> dict[str, str]:
        """The sha256 of the file of word vectors, if there is one.

        Raises:
            VectorsError: The file cannot be read.
        """
        if not self.vectors:
            return {}
        return {f"vectors of {self.name}": file_digest(self.vectors)}

    def predicts_fast(self, n_columns: int) -> bool:
        """Networks do, unless the table is as wide as pictures are."""
        return n_columns <= MOST_COLUMNS


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
        )
        return lambda inputs: part.predict_mean([inputs] * (split + 1))

    def network(self, split: int, seed: int) -> nn.Module:
        """One replica as an ordinary module, in evaluation mode."""
        at = self.networks.owners.index((split, seed))
        network = copy.deepcopy(self.networks.template)
        weights = self.networks.stack.tensors().items()
        network.load_state_dict({name: tensor[at] for name, tensor in weights})
        return network.eval()


def networks_of(competition: Competition) -> list[NetworkMember]:
    """The members of a competition that are networks."""
    return [member for member in competition.members if isinstance(member, NetworkMember)]


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


def _count_epochs(epochs: int, progress: Advance | None) -> Callable[[EpochReport], None] | None:
    if progress is None:
        return None
    return lambda report: progress(report.epoch, epochs)


def _curves(fitted: Fitted) -> dict[str, np.ndarray]:
    """Curves by name, `(n_replicas, n_epochs)`; NaN where a replica was not evaluated."""
    curves = [replica.curve for replica in fitted.replicas]
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
            variants[0].builder(data.problem, data.dataset),
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
        objective = first._objective(data.problem, data.dataset, data.folds)
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
