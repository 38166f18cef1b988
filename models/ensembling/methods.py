"""The methods of blending, each fitted on some rows' out-of-fold predictions."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from models.ensembling.fitted_methods import Fitted, ModelOfMembers, Stairs, WeightedMembers
from models.ensembling.goal import Goal
from models.ensembling.gradient_weights import gradient_weights
from models.ensembling.hill_climbing import ClimbSettings, climb
from models.ensembling.member_inputs import model_inputs, ranks
from models.ensembling.ridge_weights import fit_ridge
from models.estimators.fitting import fit_one, predict
from models.estimators.fold_models import FoldModelSettings
from models.estimators.sklearn_models import EstimatorSettings, LogisticSettings
from models.estimators.trees import TreesSettings
from models.fold_data import FoldData
from models.target import Target

RANK_METRICS = ("auc", "gini", "average_precision")
EQUAL = "equal weights"


class Method(Protocol):
    """One way to combine members.

    Attributes:
        name: Shown in reports.
    """

    @property
    def name(self) -> str:
        """Shown in reports."""
        ...

    def fit(self, oof: np.ndarray, goal: Goal, fold_of_row: np.ndarray) -> Fitted:
        """Learn from rows.

        Args:
            oof: `(n_members, n_rows, n_columns)` out-of-fold predictions.
            goal: These rows' target.
            fold_of_row: `(n_rows,)`, their folds, for methods that need held-out rows of their own.
        """
        ...


@dataclass(frozen=True)
class EqualWeights:
    """The mean of all members, or of their ranks; nothing is learned."""

    name: str = EQUAL
    of_ranks: bool = False

    def fit(self, oof: np.ndarray, goal: Goal, fold_of_row: np.ndarray) -> Fitted:  # noqa: ARG002
        """Equal weights."""
        weights = np.full(len(oof), 1 / len(oof))
        return WeightedMembers(weights, goal.task, self.of_ranks)


@dataclass(frozen=True)
class HillClimbing:
    """Weights that climb the metric, of the predictions or of their ranks."""

    name: str = "hill climbing"
    of_ranks: bool = False
    settings: ClimbSettings = field(default_factory=ClimbSettings)

    def fit(self, oof: np.ndarray, goal: Goal, fold_of_row: np.ndarray) -> Fitted:  # noqa: ARG002
        """The mean of several climbs."""
        members = ranks(oof, goal.task) if self.of_ranks else oof
        weights = climb(members, goal, self.settings)
        return WeightedMembers(weights, goal.task, self.of_ranks)


@dataclass(frozen=True)
class GradientWeights:
    """Weights by the gradient of the metric's loss."""

    name: str = "gradient"
    negative: bool = False

    def fit(self, oof: np.ndarray, goal: Goal, fold_of_row: np.ndarray) -> Fitted:  # noqa: ARG002
        """The weights with the least loss."""
        return WeightedMembers(gradient_weights(oof, goal, negative=self.negative), goal.task)


@dataclass(frozen=True)
class Ridge:
    """Linear regression of the target on the members' predictions, with an L2 penalty."""

    name: str = "ridge"

    def fit(self, oof: np.ndarray, goal: Goal, fold_of_row: np.ndarray) -> Fitted:  # noqa: ARG002
        """Solved in closed form."""
        return fit_ridge(oof, goal)


@dataclass(frozen=True)
class Stacking:
    """A model trained on the members' predictions.

    Source: Wolpert, "Stacked Generalization", Neural Networks, 1992.
    """

    name: str
    settings: EstimatorSettings | FoldModelSettings

    def fit(self, oof: np.ndarray, goal: Goal, fold_of_row: np.ndarray) -> Fitted:  # noqa: ARG002
        """Train it on all the rows."""
        inputs = {"x_num": model_inputs(oof, goal.task)}
        data = FoldData(inputs, np.arange(len(goal.target)), np.arange(1))
        target = Target(goal.target, goal.task, goal.weight)
        return ModelOfMembers(self._model(data, target), goal.task)

    def _model(self, data: FoldData, target: Target) -> Callable[[np.ndarray], np.ndarray]:
        settings = self.settings
        if isinstance(settings, EstimatorSettings):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a network that has not converged is as good
                fitted = fit_one(settings, 0, data, target, 0)
            return lambda x: predict(fitted, x, target.task)
        one_row = {"x_num": data.inputs["x_num"][:1]}
        models = settings.fit_folds([data], [one_row], target, seeds=(0,)).models
        return lambda x: models.predict_mean([{"x_num": x}])


@dataclass(frozen=True)
class Levels:
    """A method on top of others: it combines what they predict for rows that they never saw.

    Attributes:
        below: The methods of the level below.
        top: Learns from their nested predictions.
        name: Shown in reports.
    """

    below: tuple[Method, ...]
    top: Method
    name: str = "2 levels"

    def fit(self, oof: np.ndarray, goal: Goal, fold_of_row: np.ndarray) -> Fitted:
        """Fit the level below in folds within these rows, then the top on what it predicts."""
        n_rows, n_columns = oof.shape[1:]
        predicted = np.empty((len(self.below), n_rows, n_columns))
        for fold in np.unique(fold_of_row):
            held_out = fold_of_row == fold
            others = ~held_out
            for at, method in enumerate(self.below):
                fitted = method.fit(oof[:, others], goal.at(others), fold_of_row[others])
                predicted[at, held_out] = fitted.predict(oof[:, held_out])
        top = self.top.fit(predicted, goal, fold_of_row)
        below = tuple(method.fit(oof, goal, fold_of_row) for method in self.below)
        return Stairs(below, top)


class SmallNetwork(EstimatorSettings):
    """A network of one hidden layer on standardised inputs, trained for a fixed time."""

    hidden: int = 16
    alpha: float = 1e-2
    max_iter: int = 30

    def build(self, seed: int) -> Any:
        """Of classes."""
        from sklearn.neural_network import MLPClassifier

        return self._scaled(MLPClassifier, seed)

    def build_for(self, task: Any, seed: int) -> Any:
        """Of classes or of values."""
        if task.has_classes or task.predicts_probabilities:
            return self.build(seed)
        from sklearn.neural_network import MLPRegressor

        return self._scaled(MLPRegressor, seed)

    def _scaled(self, kind: Any, seed: int) -> Any:
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        network = kind(
            hidden_layer_sizes=(self.hidden,),
            alpha=self.alpha,
            max_iter=self.max_iter,
            random_state=seed,
        )
        return make_pipeline(StandardScaler(), network)


BOOSTED = TreesSettings(n_estimators=60, learning_rate=0.05, num_leaves=7, min_child_samples=50)


def methods_for(goal: Goal, *, negative: bool = False) -> dict[str, tuple[Method, ...]]:
    """By the name that people type, the methods that suit the goal, the simplest first."""
    settings = ClimbSettings(negative=negative)
    known: dict[str, tuple[Method, ...]] = {
        "equal": (EqualWeights(),),
        "ranks": (
            EqualWeights("equal ranks", of_ranks=True),
            HillClimbing("hill climbing on ranks", of_ranks=True, settings=settings),
        ),
        "gradient": (GradientWeights(negative=negative),),
        "hill": (HillClimbing(settings=settings),),
        "ridge": (Ridge(),),
        "logistic": (Stacking("logistic", LogisticSettings(C=0.1)),),
        "lightgbm": (Stacking("lightgbm", BOOSTED),),
        "mlp": (Stacking("mlp", SmallNetwork()),),
    }
    task = goal.task
    if goal.metric.name not in RANK_METRICS or task.kind not in ("binary", "multilabel"):
        del known["ranks"]
    if task.kind in ("regression", "ordinal"):
        del known["logistic"]
    if goal.weight is not None or task.kind == "ordinal":
        del known["mlp"]
    return known


def with_levels(methods: Sequence[Method], n_levels: int) -> list[Method]:
    """The methods on `n_levels` levels: below each one stand all methods that learn.

    Args:
        methods: Of one level.
        n_levels: 1 adds nothing.
    """
    below = tuple(methods)
    added: list[Method] = []
    for level in range(2, n_levels + 1):
        top = replace(GradientWeights(), name="gradient")
        levels: Method = Levels(below, top, f"{level} levels")
        added.append(levels)
        below = (*below, levels)
    return added
