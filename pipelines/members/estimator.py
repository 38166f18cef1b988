"""Estimators of scikit-learn as members: one per split and seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from pydantic import Field, SerializeAsAny

from models.estimators.persistence import Estimators
from models.estimators.sklearn_models import (
    EstimatorSettings,
    fit_estimators,
    fit_one,
)
from pipelines.configuration.member_settings import Encoded
from pipelines.members.data import FoldedDataset, FoldView, fold_data
from pipelines.members.member import LoadContext, Member, PredictRows, count_models
from pipelines.members.predictions import HeldOut, Predictions, Problem
from pipelines.members.trials import OnReplica, ReportScore, TrialData, split_by_split

if TYPE_CHECKING:
    from pipelines.console import Advance


class EstimatorMember(Member):
    """An estimator of scikit-learn: one per fold and seed."""

    estimator: SerializeAsAny[EstimatorSettings]
    n_seeds: int = Field(1, ge=1, description="estimators per fold")

    def fit(
        self,
        problem: Problem,
        dataset: FoldedDataset,
        *,
        device: str = "auto",  # noqa: ARG002
        progress: Advance | None = None,
    ) -> Predictions:
        """Train every split and every seed, one after the other on the CPU."""
        fitted = fit_estimators(
            [fold_data(view) for view in dataset.views],
            [view.test for view in dataset.views],
            dataset.target,
            self.estimator,
            n_classes=problem.n_classes,
            seeds=range(self.n_seeds),
            on_fold=count_models(len(dataset.views) * self.n_seeds, progress),
        )
        held_out = HeldOut.of([(r.fold, r.valid_probabilities) for r in fitted.replicas], dataset)
        train = self._trainer(dataset.views.__getitem__, dataset.target)
        return replace(
            held_out.predictions(self.name, problem, fitted.test_probabilities),
            models=Estimators.of(self.estimator, fitted.replicas, train).files(),
        )

    def load(self, folder: Path, context: LoadContext) -> SavedEstimators:
        """The estimators of the folder; those that it lacks are trained when they are needed."""
        return SavedEstimators(
            Estimators.read(
                folder,
                self.estimator,
                [(s, seed) for s in range(context.n_splits) for seed in range(self.n_seeds)],
                self._trainer(context.view_of, context.target),
                n_classes=context.problem.n_classes,
            )
        )

    def _trainer(
        self, view_of: Callable[[int], FoldView], target: np.ndarray
    ) -> Callable[[int, int], Any]:
        """Trains the estimator of a split and a seed; the same rows give the same estimator."""
        return lambda split, seed: fit_one(self.estimator, seed, fold_data(view_of(split)), target)

    def trial(
        self, variants: Sequence[Self], data: TrialData, report: ReportScore
    ) -> list[float | None]:
        """Train the variants one after the other, split by split."""

        def train(trial: int, on_replica: OnReplica) -> None:
            fit_estimators(
                data.folds,
                data.one_test_row,
                data.dataset.target,
                variants[trial].estimator,
                n_classes=data.problem.n_classes,
                seeds=range(data.n_seeds),
                on_fold=on_replica,
            )

        return split_by_split(len(variants), data, report, train)

    def trains_again(self, folder: Path) -> bool:
        """Estimators that save nothing are trained again from the rows that the run encoded."""
        return not any(path.is_file() for path in folder.rglob("*"))


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
