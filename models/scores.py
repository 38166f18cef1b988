"""The functions of the metrics: one model, one target column, numpy arrays, optional weights.

Each takes target, prediction and weights `(n,)` or None, as `Metric.function` says, and gives NaN
where the score is undefined. scikit-learn's own function where it has one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from models.row_losses import row_losses, symmetric_percentage

Weights = np.ndarray | None


def accuracy(target: np.ndarray, labels: np.ndarray, weight: Weights = None) -> float:
    """The share of right labels."""
    return _mean(target == labels, weight)


def balanced_accuracy(target: np.ndarray, labels: np.ndarray, weight: Weights = None) -> float:
    """The mean share of right labels over the classes that occur."""
    right = target == labels
    classes = np.unique(target)
    of_class = [_mean(right[target == c], _at(weight, target == c)) for c in classes]
    return float(np.mean(of_class))


def log_loss(target: np.ndarray, probabilities: np.ndarray, weight: Weights = None) -> float:
    """The mean of -log of the true class's probability, clipped at float64's epsilon."""
    return _mean(_row_log_losses(target, probabilities), weight)


def balanced_log_loss(
    target: np.ndarray, probabilities: np.ndarray, weight: Weights = None
) -> float:
    """The mean over classes of each class's mean log-loss."""
    losses = _row_log_losses(target, probabilities)
    classes = np.unique(target)
    of_class = [_mean(losses[target == c], _at(weight, target == c)) for c in classes]
    return float(np.mean(of_class))


def auc(target: np.ndarray, probability: np.ndarray, weight: Weights = None) -> float:
    """Area under the ROC curve of the second class; NaN for one class alone."""
    from sklearn.metrics import roc_auc_score

    if len(np.unique(target)) < 2:
        return np.nan
    return float(roc_auc_score(target, probability, sample_weight=weight))


def auc_ovr(target: np.ndarray, probabilities: np.ndarray, weight: Weights = None) -> float:
    """The mean over classes of the AUC of each against the rest, where it is defined."""
    if probabilities.ndim == 1:
        return auc(target, probabilities, weight)
    of_class = [auc(target == c, p, weight) for c, p in enumerate(probabilities.T)]
    return float(np.nanmean(of_class)) if not np.isnan(of_class).all() else np.nan


def gini(target: np.ndarray, probability: np.ndarray, weight: Weights = None) -> float:
    """2 AUC - 1."""
    return 2 * auc(target, probability, weight) - 1


def average_precision(target: np.ndarray, probability: np.ndarray, weight: Weights = None) -> float:
    """Area under the precision-recall curve; NaN without a row of the second class."""
    from sklearn.metrics import average_precision_score

    if not target.any():
        return np.nan
    return float(average_precision_score(target, probability, sample_weight=weight))


def f1(target: np.ndarray, labels: np.ndarray, weight: Weights = None) -> float:
    """F1 of the second class; 0 where neither target nor labels have it."""
    return _f1(target, labels, weight, labels=[1], average="micro")


def macro_f1(target: np.ndarray, labels: np.ndarray, weight: Weights = None) -> float:
    """The mean F1 over the classes that occur in the target or the labels."""
    return _f1(target, labels, weight, average="macro")


def micro_f1(target: np.ndarray, labels: np.ndarray, weight: Weights = None) -> float:
    """F1 over all classes together, which for one label a row is the accuracy."""
    return _f1(target, labels, weight, average="micro")


def weighted_f1(target: np.ndarray, labels: np.ndarray, weight: Weights = None) -> float:
    """The mean F1 over classes, weighted by their rows."""
    return _f1(target, labels, weight, average="weighted")


# Of several labels: how the F1 of each is averaged, by the metric's name.
F1_AVERAGES = {"f1": "macro", "macro_f1": "macro", "micro_f1": "micro", "weighted_f1": "weighted"}


def f1_of_columns(
    target: np.ndarray, labels: np.ndarray, weight: Weights = None, *, average: str
) -> float:
    """F1 of several labels that do not exclude each other: two `(n, n_targets)` of 0 and 1."""
    return _f1(target.astype(int), labels.astype(int), weight, average=average)


def mcc(target: np.ndarray, labels: np.ndarray, weight: Weights = None) -> float:
    """Matthews' correlation; 0 where target or labels are constant."""
    from sklearn.metrics import matthews_corrcoef

    return float(matthews_corrcoef(target, labels, sample_weight=weight))


def qwk(target: np.ndarray, labels: np.ndarray, weight: Weights = None) -> float:
    """Cohen's kappa with quadratic weights; NaN where both are one constant."""
    from sklearn.metrics import cohen_kappa_score

    if len(np.unique(np.concatenate([target, labels]))) < 2:
        return np.nan
    positions = np.arange(max(target.max(), labels.max()) + 1)
    return float(
        cohen_kappa_score(
            target, labels, labels=positions, weights="quadratic", sample_weight=weight
        )
    )


def brier(target: np.ndarray, probabilities: np.ndarray, weight: Weights = None) -> float:
    """Mean squared error of the probability; over three classes or more of their sum."""
    if probabilities.ndim == 1:
        return _mean((probabilities - target) ** 2, weight)
    truth = np.eye(probabilities.shape[1])[target]
    return _mean(((probabilities - truth) ** 2).sum(axis=1), weight)


def mean_reciprocal_rank(target: np.ndarray, ranking: np.ndarray, weight: Weights = None) -> float:
    """MAP@k of one right label a row: the mean of 1 / its place, 0 where it is not listed."""
    places = np.arange(1, ranking.shape[1] + 1)
    return _mean(((ranking == target[:, None]) / places).sum(axis=1), weight)


def rmse(target: np.ndarray, values: np.ndarray, weight: Weights = None) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(_mean((values - target) ** 2, weight)))


def rmsle(target: np.ndarray, values: np.ndarray, weight: Weights = None) -> float:
    """Root of the mean squared error of log(1 + x); predictions below 0 count as 0."""
    losses = row_losses("squared_log")(target[:, None], values[:, None])
    return float(np.sqrt(_mean(losses, weight)))


def mae(target: np.ndarray, values: np.ndarray, weight: Weights = None) -> float:
    """Mean absolute error."""
    return _mean(np.abs(values - target), weight)


def medae(target: np.ndarray, values: np.ndarray, weight: Weights = None) -> float:
    """Median absolute error."""
    from sklearn.metrics import median_absolute_error

    return float(median_absolute_error(target, values, sample_weight=weight))


def mape(target: np.ndarray, values: np.ndarray, weight: Weights = None) -> float:
    """Mean absolute error relative to the target, as a share."""
    losses = row_losses("absolute_percentage")(target[:, None], values[:, None])
    return _mean(losses, weight)


def smape(target: np.ndarray, values: np.ndarray, weight: Weights = None) -> float:
    """Symmetric mean absolute percentage error, 0 to 200; 0 against 0 is 0."""
    return _mean(symmetric_percentage(target, values), weight)


def r2(target: np.ndarray, values: np.ndarray, weight: Weights = None) -> float:
    """The share of the variance that is explained; NaN for a constant target."""
    from sklearn.metrics import r2_score

    if len(target) < 2 or np.ptp(target) == 0:
        return np.nan
    return float(r2_score(target, values, sample_weight=weight))


def pearson(target: np.ndarray, values: np.ndarray, weight: Weights = None) -> float:
    """Pearson's correlation; NaN for a constant target, 0 for constant values."""
    if len(target) < 2 or np.ptp(target) == 0:
        return np.nan
    if np.ptp(values) == 0:
        return 0.0
    covariance = np.cov(target, values, aweights=weight)
    return float(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]))


def spearman(target: np.ndarray, values: np.ndarray, weight: Weights = None) -> float:
    """Pearson's correlation of the ranks, where ties share their mean rank."""
    from scipy.stats import rankdata

    return pearson(rankdata(target), rankdata(values), weight)


def pinball(
    target: np.ndarray, values: np.ndarray, weight: Weights = None, *, level: float = 0.5
) -> float:
    """The loss that a quantile minimises."""
    return _mean(row_losses("pinball", level)(target[:, None], values[:, None]), weight)


def _mean(losses: np.ndarray, weight: Weights) -> float:
    return float(np.average(losses, weights=weight)) if len(losses) else np.nan


def _at(weight: Weights, rows: np.ndarray) -> Weights:
    return None if weight is None else weight[rows]


def _row_log_losses(target: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    columns = probabilities.astype(np.float64)
    if columns.ndim == 1:
        columns = np.column_stack([1 - columns, columns])
    epsilon = np.finfo(np.float64).eps
    clipped = np.clip(columns, epsilon, 1 - epsilon)
    shares = clipped / clipped.sum(axis=1, keepdims=True)
    losses: np.ndarray = -np.log(shares[np.arange(len(target)), target])
    return losses


def _f1(target: np.ndarray, given: np.ndarray, weight: Weights, /, **how: Any) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(target, given, sample_weight=weight, zero_division=0.0, **how))
