"""A network of your own over scikit-learn's folds: every fold and every seed at once."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from models.cross_fit.arguments import check_lengths, seeds_of, settings_of, weights_of
from models.cross_fit.goal import MULTILABEL, Goal, goal_of
from models.cross_fit.network import as_taken, fitting_goal, made_by, parameters_of
from models.cross_fit.rows import InputForm, by_keyword, check_same_rows, label_of, numbers
from models.cross_fit.splits import Splits, held_out_rows, spans, splits_of
from models.data import FoldData, Replica, TrainingDataError, TrainingFailedError
from models.target import fit_scales
from models.training.fit import Objective, Replicas, start
from models.training.fitted import Fitted
from models.undefined_scores import undefined_scores

HALF = 0.5  # from this probability on a label of several holds


class FitWarning(UserWarning):
    """Something that a person should know of the folds before reading the scores."""


@dataclass(frozen=True)
class CrossFit:
    """Networks trained on every fold with every seed.

    Attributes:
        oof: Each row predicted by networks that never saw it, the mean over seeds and repeats:
            `(n_rows, n_classes)` probabilities, or values `(n_rows,)` or `(n_rows, n_targets)`; NaN
            for rows that no fold holds out, and nowhere else.
        held_out: `(n_rows,) bool`, the rows that some fold holds out: `oof[held_out]` has no NaN.
        scores: `(n_splits,)`, the metric on each split's held-out rows, predicted by the mean over
            seeds; NaN where the metric is undefined, as AUC is for one class alone.
        classes_: The labels, in the order of the probabilities; empty for values.
        metric: The metric's name.
        replicas: The trained networks, split by split, each with its weights and curve.
    """

    oof: np.ndarray
    held_out: np.ndarray
    scores: np.ndarray
    classes_: np.ndarray
    metric: str
    replicas: list[Replica]
    _fitted: Fitted
    _forms: tuple[InputForm, ...]

    @property
    def score(self) -> float:
        """The mean over the splits where the metric is defined."""
        return float(np.nanmean(self.scores))

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Probabilities of new rows, the mean over all networks.

        Args:
            X: As in `fit`; the columns of a table are found by their names.

        Returns:
            `(n_rows, n_classes)`, or for `loss="multilabel"` `(n_rows, n_labels)`.

        Raises:
            TrainingDataError: The rows are not such as were learned, or values were learned.
        """
        if not len(self.classes_) and not self._is_multilabel:
            raise TrainingDataError(
                "values were learned, which have no probabilities: call predict"
            )
        return self._mean(X)

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """The likeliest label of each new row, or its value: `(n_rows,)`, or a column for each.

        Args:
            X: As in `fit`; the columns of a table are found by their names.

        Raises:
            TrainingDataError: The rows are not such as were learned.
        """
        mean = self._mean(X)
        if len(self.classes_):
            return np.asarray(self.classes_[mean.argmax(axis=1)])
        if self._is_multilabel:
            return np.asarray((mean >= HALF).astype(np.int64))
        return mean if mean.shape[1] > 1 else mean[:, 0]

    @property
    def _is_multilabel(self) -> bool:
        return self._fitted.networks.loss.name == MULTILABEL

    def _mean(self, x: Any) -> np.ndarray:
        names = [form.name for form in self._forms]
        given = by_keyword(x, names)
        inputs = {form.name: form.new_rows(given[form.name]) for form in self._forms}
        check_lengths({form.label: len(inputs[form.name]) for form in self._forms})
        n_folds = max(replica.fold for replica in self.replicas) + 1
        with _codes_checked(inputs):
            return self._fitted.predict_mean([inputs] * n_folds)

    def __repr__(self) -> str:
        """The score, how many networks there are, and what was left out of it."""
        spread = f"{self.score:.4f} ± {np.nanstd(self.scores):.4f}"
        n_splits, n_networks = len(self.scores), len(self.replicas)
        text = f"{self.metric} {spread} over {n_splits} splits, {n_networks} networks"
        return f"CrossFit({'; '.join([text, *self._left_out()])})"

    def _left_out(self) -> Iterator[str]:
        if n_undefined := int(np.isnan(self.scores).sum()):
            yield f"undefined on {n_undefined} of the splits"
        if n_failed := sum(replica.fault is not None for replica in self.replicas):
            yield f"{n_failed} of the networks failed"
        if n_never := int((~self.held_out).sum()):
            yield f"{n_never} rows never held out"


def fit(
    build: Any,
    X: Any,  # noqa: N803
    y: Any,
    *,
    folds: Any = 5,
    seeds: Any = 1,
    loss: Any = "auto",
    metric: Any = "auto",
    groups: Any = None,
    sample_weight: Any = None,
    device: str = "auto",
    **settings: Any,
) -> CrossFit:
    """Train a network on every fold with every seed, all at once.

    Example:
        >>> import numpy as np
        >>> from torch import nn
        >>> import foldwise
        >>> X = np.random.default_rng(0).normal(size=(300, 2))
        >>> y = np.where(X[:, 0] > X[:, 1], "left", "right")
        >>> made = foldwise.fit(lambda: nn.Sequential(nn.Linear(2, 1)), X, y, seeds=4, epochs=20,
        ...                     lr=0.1, batch_size=32, metric="accuracy", device="cpu")
        >>> made.score > 0.9, made.predict(X[:2]).tolist() == y[:2].tolist()
        (True, True)

    Args:
        build: A class or function without arguments that makes the network, a new one each time;
            its last layer gives one number for two classes or a value, else one for each class,
            without softmax or sigmoid.
        X: A table of numbers, an array `(n_rows, ...)`, or, for a `forward` with several
            parameters, a dictionary of them. Whole numbers stay such where the network takes them,
            as an embedding does.
        y: Labels of any kind, or values `(n_rows,)` or `(n_rows, n_targets)`.
        folds: How many, a splitter of scikit-learn, pairs of training and held-out rows, or the
            folds of `foldwise.load`.
        seeds: How many, or the seeds themselves.
        loss: A name in `models.losses`; "auto" follows from y.
        metric: A name, or a `Metric`; "auto" is log_loss or rmse.
        groups: `(n_rows,)`, rows that must stay together; a number of folds keeps them so.
        sample_weight: `(n_rows,)`, how much each row counts, in training and in scores.
        device: "auto", "cpu" or "cuda".
        settings: Any of `TrainSettings`: `epochs`, `lr`, `batch_size`, ...

    Returns:
        The networks, their out-of-fold predictions and scores.

    Raises:
        TrainingDataError: An argument is not what it must be; says what to pass.
        UnknownMetricError: No metric has that name.
        DeviceError: There is no such device.
        TrainingFailedError: Every network of a split diverged.
    """
    make, network = made_by(build)
    chosen, numbers_of_seeds = settings_of(settings), seeds_of(seeds)
    goal, weights = goal_of(y, loss, metric), weights_of(sample_weight)
    inputs, forms = _inputs(network, X, {"y": y, "groups": groups, "sample_weight": sample_weight})
    goal = fitting_goal(network, inputs, goal, is_chosen=loss != "auto")
    pairs = splits_of(folds, goal.target, groups, has_classes=goal.has_classes)
    _check_metric(goal, pairs)
    _warn(goal, pairs)
    of_folds = [FoldData(inputs, train, valid) for train, valid in pairs]
    scales = (
        fit_scales(goal.target, of_folds, "none", standardise=True) if goal.loss.is_scaled else ()
    )
    objective = Objective(goal.loss, goal.metric, sample_weight=weights, scales=scales)
    replicas = Replicas(numbers_of_seeds)
    with _codes_checked(inputs):
        fitted = start(make, of_folds, goal.target, chosen, objective, replicas, device).run()
    oof, scores = _out_of_fold(fitted, pairs, goal, weights)
    held_out = held_out_rows(pairs, len(goal.target))
    return CrossFit(
        oof, held_out, scores, goal.classes, goal.metric.name, fitted.replicas, fitted, forms
    )


def _inputs(
    network: nn.Module, x: Any, columns: Mapping[str, Any]
) -> tuple[dict[str, np.ndarray], tuple[InputForm, ...]]:
    """The rows as the network takes them, and what new rows must be like.

    Args:
        network: As made.
        x: As people pass it.
        columns: Target, groups and weights, which must have the same rows; None if not given.
    """
    given = by_keyword(x, *parameters_of(network))
    arrays = {name: numbers(values, label_of(x, name)) for name, values in given.items()}
    lengths = {label_of(x, name): len(array) for name, array in arrays.items()}
    check_lengths(lengths | {name: len(v) for name, v in columns.items() if v is not None})
    check_same_rows(x, columns)
    inputs = as_taken(network, arrays)
    forms = (InputForm.of(n, label_of(x, n), given[n], array) for n, array in inputs.items())
    return inputs, tuple(forms)


def _check_metric(goal: Goal, pairs: Splits) -> None:
    """Check that the metric is defined on some split."""
    held_out = [rows for _, rows in pairs]
    found = undefined_scores(goal.metric, goal.target, goal.perfect(), held_out)
    if found is None or not found.is_everywhere:
        return
    if found.by_rows:
        raise TrainingDataError(
            f"metric {goal.metric.name!r} is undefined on the held-out rows of every split, which "
            "have one target value only; pass folds=StratifiedKFold(5, shuffle=True), or another "
            "metric"
        )
    raise TrainingDataError(
        f"metric {found.fault}, expected a number; correct its function, or pass another metric"
    )


def _warn(goal: Goal, pairs: Splits) -> None:
    """Warn of rows that are never held out, and of labels that a split cannot learn."""
    never = np.flatnonzero(~held_out_rows(pairs, len(goal.target)))
    if len(never):
        text = (
            f"{len(never):,} of {len(goal.target):,} rows are never held out (rows "
            f"{spans(never)}): oof is NaN there, oof[held_out] leaves them out"
        )
        warnings.warn(text, FitWarning, stacklevel=3)
    for at, (train, valid) in enumerate(pairs if goal.has_classes else ()):
        unseen = np.setdiff1d(goal.target[valid], goal.target[train])
        if len(unseen):
            text = (
                f"split {at} holds out label {str(goal.classes[unseen[0]])!r} and trains on no row "
                "of it; StratifiedKFold(5, shuffle=True) spreads labels that have rows enough"
            )
            warnings.warn(text, FitWarning, stacklevel=3)
            return


@contextmanager
def _codes_checked(inputs: Mapping[str, np.ndarray]) -> Iterator[None]:
    """Give an index beyond an embedding's table a line of its own."""
    try:
        yield
    except IndexError as error:
        whole = {name: array for name, array in inputs.items() if array.dtype.kind == "i"}
        found = ", ".join(f"{n} from {a.min()} to {a.max()}" for n, a in whole.items() if a.size)
        raise TrainingDataError(
            f"a whole number of X is beyond the table of an nn.Embedding ({found}): {error}; give "
            "the embedding as many rows as there are codes, which start from 0"
        ) from error


def _out_of_fold(
    fitted: Fitted, pairs: Splits, goal: Goal, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """The mean over seeds and repeats, and each split's score.

    Raises:
        TrainingFailedError: Every network of a split diverged.
    """
    n_columns = fitted.replicas[0].valid_predictions.shape[1]
    total, times = np.zeros((len(goal.target), n_columns)), np.zeros((len(goal.target), 1))
    scores = []
    for at, (_, valid) in enumerate(pairs):
        of_split = [replica for replica in fitted.replicas if replica.fold == at]
        usable = [replica.valid_predictions for replica in of_split if not replica.fault]
        if not usable:
            raise TrainingFailedError(f"no network of split {at} can be used: {of_split[0].fault}")
        mean = np.mean(usable, axis=0)
        total[valid] += mean
        times[valid] += 1
        weight = None if weights is None else weights[valid]
        scores.append(goal.metric.score(goal.target[valid], mean, weight))
    oof = np.where(times > 0, total / np.maximum(times, 1), np.nan)
    return oof if n_columns > 1 else oof[:, 0], np.array(scores)
