"""Settings of boosted trees by LightGBM, which also train and load them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, Field

from models.estimators.boosters import Boosters
from models.estimators.boosting import fit_trees
from models.estimators.fold_models import FoldFit, Inputs, Owner, TrainingSource
from models.target import VALUES_LOSS
from models.tasks import Task

if TYPE_CHECKING:
    from models.data import FoldData
    from models.target import Target

LIGHTGBM_OBJECTIVES = {
    "mse": "regression",
    "mae": "regression_l1",
    "huber": "huber",
    "quantile": "quantile",
    "poisson": "poisson",
    "tweedie": "tweedie",
}


class TreesSettings(BaseModel):
    """How the trees grow.

    The names are LightGBM's; the defaults suit tables of a thousand to a hundred thousand rows.

    Source: https://lightgbm.readthedocs.io/en/stable/Parameters.html
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_estimators: int = Field(300, ge=1, description="boosting rounds; each grows a tree per class")
    learning_rate: float = Field(0.05, gt=0, description="shrinkage of each tree")
    num_leaves: int = Field(15, ge=2, le=131_072, description="leaves per tree")
    max_depth: int = Field(-1, ge=-1, description="depth limit; -1 is none")
    min_child_samples: int = Field(20, ge=0, description="training rows per leaf, at least")
    min_split_gain: float = Field(0.0, ge=0, description="smallest gain of a split")
    subsample: float = Field(0.8, gt=0, le=1, description="share of rows, redrawn each round")
    colsample_bytree: float = Field(0.7, gt=0, le=1, description="share of columns per tree")
    reg_alpha: float = Field(0.0, ge=0, description="L1 penalty on leaf values")
    reg_lambda: float = Field(1.0, ge=0, description="L2 penalty on leaf values")
    max_bin: int = Field(255, ge=2, description="histogram bins per column")
    extra_trees: bool = Field(False, description="one random threshold per column and node")
    cat_smooth: float = Field(10.0, ge=0, description="pull of small categories to the mean")
    min_data_per_group: int = Field(20, ge=1, description="rows per category, at least")
    early_stopping: int | None = Field(
        None, ge=1, description="rounds without a better loss; None grows all trees"
    )
    objective: str | None = Field(
        None,
        pattern=VALUES_LOSS,
        description="loss of values: mse, mae, huber, poisson, tweedie, quantile@0.9",
    )
    n_threads: int = Field(0, ge=0, description="0 is one per core; does not change the result")

    def with_loss(self, loss: str) -> Self:
        """The same with this loss of values, where `objective` names none."""
        return self.model_copy(update={"objective": self.objective or loss})

    def parameters(self, task: Task, *, seed: int, n_threads: int) -> dict[str, Any]:
        """LightGBM's parameters of one booster, silent and deterministic.

        Args:
            task: What it predicts.
            seed: Of its draws.
            n_threads: Threads to use.
        """
        growth = self.model_dump(
            exclude={"n_estimators", "early_stopping", "n_threads", "objective"}
        )
        return {
            **growth,
            **_objective(task, self.objective or "mse"),
            "subsample_freq": 1,
            "seed": seed,
            "num_threads": n_threads,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }

    def fit_folds(
        self,
        folds: Sequence[FoldData],
        tests: Sequence[Inputs],
        target: Target,
        *,
        seeds: Sequence[int],
    ) -> FoldFit:
        """Train a booster for each fold and seed; the arguments are those of `fit_trees`.

        Raises:
            TreesError: Folds, tests and target do not fit together.
        """
        fitted = fit_trees(folds, tests, target, self, seeds=seeds)
        valid = [replica.valid_predictions for replica in fitted.replicas]
        return FoldFit(valid, fitted.test_predictions, fitted.boosters)

    def load_models(
        self,
        folder: Path,
        owners: Sequence[Owner],  # noqa: ARG002
        source: TrainingSource,  # noqa: ARG002
    ) -> Boosters:
        """The boosters whose files are in the folder; every booster has one."""
        return Boosters.read(folder)


def _objective(task: Task, loss: str) -> dict[str, Any]:
    """LightGBM's objective, and the metric that stops it early."""
    if task.chooses_class and task.n_classes > 2:
        return {
            "objective": "multiclass",
            "metric": "multi_logloss",
            "num_class": task.n_classes,
        }
    if task.predicts_probabilities:
        return {"objective": "binary", "metric": "binary_logloss"}
    kind, _, level = loss.partition("@")
    name = LIGHTGBM_OBJECTIVES[kind]
    return {"objective": name, "metric": name} | ({"alpha": float(level)} if level else {})
