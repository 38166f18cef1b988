"""Boosted trees as members: one booster of LightGBM per split and seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from pydantic import Field

from models.estimators.boosters import Boosters
from models.estimators.boosting import fit_trees
from models.estimators.trees import TreesSettings
from models.executor import LOCAL, Executor, Place
from pipelines.configuration.member_settings import Encoded
from pipelines.members.data import FoldedDataset, check_numbers, fold_data
from pipelines.members.member import LoadContext, Member, PredictRows, count_models
from pipelines.members.predictions import HeldOut, Predictions, Problem
from pipelines.members.trials import OnReplica, ReportScore, TrialData, split_by_split

if TYPE_CHECKING:
    from models.checkpoints import Checkpoints
    from pipelines.console import Advance

ROUND_S, ROUND_ROW_S = 1e-3, 3e-6  # seconds of a round, and of each row in it, roughly
FASTEST = 0.2  # learning rate up to which fewer rounds are made up for


class TreesMember(Member):
    """Boosted trees: one booster per fold and seed."""

    keeps_training: ClassVar[bool] = True
    length_key: ClassVar[str | None] = "trees.n_estimators"
    probe_lengths: ClassVar[tuple[int, int]] = (3, 9)
    takes_executor: ClassVar[bool] = True

    trees: TreesSettings = TreesSettings()
    n_seeds: int = Field(1, ge=1, description="boosters per fold")

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
        """Train every split and every seed, side by side on the CPU."""
        check_numbers(dataset, self.name, may_be_missing=True)
        folds = [fold_data(view) for view in dataset.views]
        fitted = fit_trees(
            folds,
            [view.test for view in dataset.views],
            self.target_of(problem, dataset, folds),
            self.trees.with_loss(problem.values_loss),
            seeds=range(self.n_seeds),
            on_fold=count_models(len(dataset.views) * self.n_seeds, progress),
            place=Place(executor, checkpoints),
        )
        held_out = HeldOut.of([(r.fold, r.valid_predictions) for r in fitted.replicas], dataset)
        return replace(
            held_out.predictions(self.name, problem, fitted.test_predictions),
            importances=fitted.importance,
            models=fitted.boosters.files(),
        )

    def load(self, folder: Path, context: LoadContext) -> SavedBoosters:  # noqa: ARG002
        """The boosters whose files are in the folder."""
        return SavedBoosters(Boosters.read(folder))

    def trial(
        self, variants: Sequence[Self], data: TrialData, report: ReportScore
    ) -> list[float | None]:
        """Train the variants one after the other, split by split."""

        def train(trial: int, on_replica: OnReplica) -> None:
            fit_trees(
                data.folds,
                data.one_test_row,
                self.target_of(data.problem, data.dataset, data.folds),
                variants[trial].trees.with_loss(data.problem.values_loss),
                seeds=range(data.n_seeds),
                on_fold=on_replica,
            )

        return split_by_split(len(variants), data, report, train)

    @property
    def length(self) -> int:
        """Boosting rounds."""
        return self.trees.n_estimators

    def of_length(self, length: int) -> Self:
        """The member with so many rounds; fewer ones learn faster, as far as that goes well."""
        settings = self.trees
        faster = settings.learning_rate * settings.n_estimators / length
        rate = min(faster, max(FASTEST, settings.learning_rate))
        changed = {"n_estimators": length, "learning_rate": rate}
        return self.model_copy(update={"trees": settings.model_copy(update=changed)})

    def rough_seconds(self, n_rows: int) -> float:
        """Of its rounds, each of which looks at all rows."""
        return self.length * (ROUND_S + ROUND_ROW_S * n_rows)

    @property
    def trial_threads(self) -> int:
        """Those that the settings name, else one."""
        return self.trees.n_threads or 1

    @property
    def n_side_by_side(self) -> int:
        """A booster in each thread."""
        from joblib import cpu_count

        return self.trees.n_threads or int(cpu_count())

    def predicts_fast(self, n_columns: int) -> bool:  # noqa: ARG002
        """Boosters predict fast from any table."""
        return True


@dataclass(frozen=True)
class SavedBoosters:
    """The boosters of a member as `FittedModels`."""

    boosters: Boosters

    def predict_mean(self, inputs_per_split: list[Encoded], /) -> np.ndarray:
        """The mean over all boosters, `(n_rows, n_classes)`."""
        return self.boosters.predict_mean(inputs_per_split)

    def of_split(self, split: int, /) -> PredictRows:
        """The mean over the boosters of one split."""
        chosen = [
            (owner, model)
            for owner, model in zip(self.boosters.owners, self.boosters.models, strict=True)
            if owner[0] == split
        ]
        owners, models = tuple(o for o, _ in chosen), tuple(model for _, model in chosen)
        boosters = replace(self.boosters, owners=owners, models=models)
        return lambda inputs: boosters.predict_mean([inputs] * (split + 1))
