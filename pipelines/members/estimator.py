"""Estimators of scikit-learn as members: one per split and seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from pydantic import Field, SerializeAsAny

from models.estimators.fitting import fit_estimators
from models.estimators.fold_models import TrainingSource
from models.estimators.persistence import SUFFIX, Estimators
from models.estimators.sklearn_models import EstimatorSettings
from models.executor import LOCAL, Executor, Place
from models.target import Target
from pipelines.configuration.member_settings import Encoded
from pipelines.members.data import FoldedDataset, check_numbers, fold_data
from pipelines.members.member import LoadContext, Member, PredictRows, count_models
from pipelines.members.predictions import HeldOut, Predictions, Problem
from pipelines.members.trials import OnReplica, ReportScore, TrialData, split_by_split

if TYPE_CHECKING:
    from models.checkpoints import Checkpoints
    from pipelines.console import Advance


class EstimatorMember(Member):
    """An estimator of scikit-learn: one per fold and seed."""

    keeps_training: ClassVar[bool] = True
    takes_executor: ClassVar[bool] = True

    estimator: SerializeAsAny[EstimatorSettings]
    n_seeds: int = Field(1, ge=1, description="estimators per fold")

    def fit(
        self,
        problem: Problem,
        dataset: FoldedDataset,
        *,
        device: str = "auto",  # noqa: ARG002
        progress: Advance | None = None,
        checkpoints: Checkpoints | None = None,
        executor: Executor = LOCAL,
    ) -> Predictions:
        """Train every split and every seed, one after the other on the CPU."""
        check_numbers(dataset, self.name, may_be_missing=self.estimator.takes_missing)
        folds = [fold_data(view) for view in dataset.views]
        target = self.target_of(problem, dataset, folds)
        fitted = fit_estimators(
            folds,
            [view.test for view in dataset.views],
            target,
            self.estimator,
            seeds=range(self.n_seeds),
            on_fold=count_models(len(dataset.views) * self.n_seeds, progress),
            place=Place(executor, checkpoints),
        )
        held_out = HeldOut.of([(r.fold, r.valid_predictions) for r in fitted.replicas], dataset)
        source = TrainingSource(folds.__getitem__, target)
        return replace(
            held_out.predictions(self.name, problem, fitted.test_predictions),
            models=Estimators.of(self.estimator, fitted.replicas, source).files(),
        )

    def load(self, folder: Path, context: LoadContext) -> SavedEstimators:
        """The estimators of the folder; those that it lacks are trained when they are needed."""
        return SavedEstimators(
            Estimators.read(
                folder,
                self.estimator,
                [(s, seed) for s in range(context.n_splits) for seed in range(self.n_seeds)],
                TrainingSource(
                    lambda split: fold_data(context.view_of(split)),
                    Target(context.target, context.problem.task, context.weight),
                ),
            )
        )

    def trial(
        self, variants: Sequence[Self], data: TrialData, report: ReportScore
    ) -> list[float | None]:
        """Train the variants one after the other, split by split."""

        def train(trial: int, on_replica: OnReplica) -> None:
            fit_estimators(
                data.folds,
                data.one_test_row,
                self.target_of(data.problem, data.dataset, data.folds),
                variants[trial].estimator,
                seeds=range(data.n_seeds),
                on_fold=on_replica,
            )

        return split_by_split(len(variants), data, report, train)

    def rough_seconds(self, n_rows: int) -> float:
        """Of its rows, by the estimator."""
        return self.estimator.rough_row_s * n_rows

    def trains_again(self, folder: Path) -> bool:
        """Estimators that save nothing are trained again from the rows that the run encoded."""
        return not any(path.suffix == SUFFIX for path in folder.rglob("*"))


@dataclass(frozen=True)
class SavedEstimators:
    """The estimators of a member as `FittedModels`."""

    estimators: Estimators

    def predict_mean(self, inputs_per_split: list[Encoded], /) -> np.ndarray:
        """The mean over all estimators, `(n_rows, n_classes)`."""
        return self.estimators.predict_mean(inputs_per_split)

    def of_split(self, split: int, /) -> PredictRows:
        """The mean over the estimators of one split."""
        owners = tuple(owner for owner in self.estimators.owners if owner[0] == split)
        estimators = replace(self.estimators, owners=owners)
        return lambda inputs: estimators.predict_mean([inputs] * (split + 1))
