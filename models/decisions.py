"""From predictions to answers: the rule that a metric rewards, chosen on out-of-fold rows.

The likeliest class is the best answer for accuracy alone. F1, MCC and balanced accuracy want
another threshold or class priors, kappa other borders between the labels, and values a range.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from models.confusion import FROM_CONFUSION
from models.decision_search import search_borders, search_factors, search_threshold
from models.metrics import HALF, Metric
from models.tasks import Task

Rule = Literal["plain", "factors", "borders", "thresholds", "range"]
LIKELIEST = ("accuracy", "micro_f1")  # metrics that the likeliest class serves best
MOST_ROWS = 100_000  # rows that a rule is chosen on; more change nothing


@dataclass(frozen=True)
class Decision:
    """A rule from predictions to answers.

    Attributes:
        rule: `plain`: the likeliest class, the nearest label, the value itself; `factors`: the
            class of the largest product of probability and factor; `borders` between neighbouring
            labels; `thresholds`: from which probability on each of several labels holds; `range`:
            the smallest and the largest value of each target.
        numbers: The rule's.
    """

    rule: Rule = "plain"
    numbers: tuple[float, ...] = ()

    def apply(self, prediction: np.ndarray, task: Task) -> np.ndarray:
        """The answers: positions of labels `(n,)` or `(n, n_targets)`, or values.

        Args:
            prediction: `(n, n_columns)`.
            task: What it predicts.
        """
        numbers, answers = np.array(self.numbers), prediction
        if self.rule == "range":
            answers = np.clip(prediction, *numbers.reshape(2, -1))
        elif self.rule == "borders":
            answers = np.searchsorted(numbers, prediction[:, 0], side="right")
        elif task.chooses_class:
            weighted = prediction * numbers if self.rule == "factors" else prediction
            answers = weighted.argmax(axis=1)
        elif task.kind == "multilabel":
            limit = numbers if self.rule == "thresholds" else HALF
            answers = (prediction >= limit).astype(np.int64)
        elif task.kind == "ordinal":
            nearest = np.rint(prediction[:, 0]).astype(np.int64)
            answers = np.clip(nearest, 0, task.n_classes - 1)
        return answers

    def describe(self, names: Sequence[str]) -> str:
        """The rule on one line for people; empty for the plain one.

        Args:
            names: Of the classes or targets.
        """
        shown = [f"{number:.4g}" for number in self.numbers]
        if self.rule == "factors" and len(shown) == 2:
            threshold = self.numbers[0] / sum(self.numbers)
            return f"{names[1]} from a probability of {threshold:.3f} on"
        if self.rule == "factors":
            pairs = (f"{name} {number}" for name, number in zip(names, shown, strict=True))
            return f"probabilities times {', '.join(pairs)}"
        if self.rule == "borders":
            return f"borders between the labels at {', '.join(shown)} (from 0)"
        if self.rule == "thresholds":
            pairs = (f"{name} {number}" for name, number in zip(names, shown, strict=True))
            return f"labels from a probability of {', '.join(pairs)} on"
        if self.rule == "range":
            half = len(shown) // 2
            ends = zip(shown[:half], shown[half:], strict=True)
            return f"values kept within {', '.join(f'{low} to {high}' for low, high in ends)}"
        return ""

    def to_dict(self) -> dict[str, Any]:
        """The rule as JSON values."""
        return {"rule": self.rule, "numbers": list(self.numbers)}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any] | None) -> Decision:
        """What `to_dict` gave; the plain rule for None."""
        return cls() if stored is None else cls(stored["rule"], tuple(stored["numbers"]))


@dataclass(frozen=True)
class NestedDecision:
    """Scores in which a row's target has no influence on its own answer.

    Attributes:
        scores: `(n_repeats * n_folds,)`, each fold decided by the rule of the other folds.
        plain_scores: The same without a rule.
        decision: The rule that was chosen on all rows.
    """

    scores: np.ndarray
    plain_scores: np.ndarray
    decision: Decision = field(default_factory=Decision)


def score_with(
    decision: Decision,
    metric: Metric,
    task: Task,
    target: np.ndarray,
    prediction: np.ndarray,
    weight: np.ndarray | None = None,
) -> float:
    """The metric of the decided predictions."""
    if decision.rule == "plain":
        return metric.score(target, prediction, weight)
    answers = decision.apply(prediction, task)
    if decision.rule == "range":
        return metric.score(target, answers, weight)
    return metric.score_answers(target, answers, weight)


def nested_decision(
    metric: Metric,
    task: Task,
    target: np.ndarray,
    prediction: np.ndarray,
    assignment: np.ndarray,
    weight: np.ndarray | None = None,
) -> NestedDecision:
    """Score each fold by the rule that was chosen on the other folds' rows.

    Args:
        metric: The metric.
        task: What is predicted.
        target: In the task's form.
        prediction: `(n_rows, n_columns)`; rows that no fold holds out are not looked at.
        assignment: `(n_repeats, n_rows)`, the fold that holds each row out, -1 for none.
        weight: `(n_rows,)` or None.
    """

    def of(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        return target[rows], prediction[rows], None if weight is None else weight[rows]

    scores, plain = [], []
    for folds in assignment:
        for fold in range(int(assignment.max()) + 1):
            rows, others = folds == fold, (folds != fold) & (folds >= 0)
            rule = choose_decision(metric, task, *of(others)) if others.any() else Decision()
            plain.append(metric.score(*of(rows)))
            scores.append(
                plain[-1] if rule.rule == "plain" else score_with(rule, metric, task, *of(rows))
            )
    held_out = np.asarray((assignment >= 0).any(axis=0))
    decision = choose_decision(metric, task, *of(held_out))
    return NestedDecision(np.array(scores), np.array(plain), decision)


def choose_decision(
    metric: Metric,
    task: Task,
    target: np.ndarray,
    prediction: np.ndarray,
    weight: np.ndarray | None = None,
) -> Decision:
    """The rule that does best on these rows; the plain one where none gains.

    Args:
        metric: The metric.
        task: What is predicted.
        target: In the task's form.
        prediction: `(n_rows, n_columns)` out-of-fold predictions.
        weight: `(n_rows,)` or None.
    """
    if metric.on == "values":
        return _range(task, target)
    if metric.on != "labels" or (task.kind != "ordinal" and metric.name in LIKELIEST):
        return Decision()
    step = -(-len(target) // MOST_ROWS)
    some = slice(None, None, step)
    rows = target[some], prediction[some], None if weight is None else weight[some]
    rule = _search(metric, task, *rows)
    better = score_with(rule, metric, task, *rows)
    return rule if metric.is_better(better, metric.score(*rows)) else Decision()


def _search(
    metric: Metric,
    task: Task,
    target: np.ndarray,
    prediction: np.ndarray,
    weight: np.ndarray | None,
) -> Decision:
    """The best rule of the kind that suits the task."""
    score = FROM_CONFUSION.get(metric.name)
    if score is None:  # a metric of a person's own
        return Decision()
    sign = 1 if metric.greater_is_better else -1
    if task.kind == "ordinal":
        borders = search_borders(
            lambda m: sign * score(m), target, prediction[:, 0], task.n_classes, weight
        )
        return Decision("borders", tuple(borders))
    if task.kind == "multilabel":
        thresholds = [
            search_threshold(lambda m: sign * score(m), t.astype(np.int64), p, weight)
            for t, p in zip(target.T, prediction.T, strict=True)
        ]
        return Decision("thresholds", tuple(thresholds))
    if task.kind == "binary":
        threshold = search_threshold(lambda m: sign * score(m), target, prediction[:, 1], weight)
        return Decision("factors", (threshold, 1 - threshold))
    factors = search_factors(lambda m: sign * score(m), target, prediction, weight)
    return Decision("factors", tuple(factors))


def _range(task: Task, target: np.ndarray) -> Decision:
    """The range of the target; of labels that of their positions."""
    if task.kind == "ordinal":
        return Decision("range", (0.0, float(task.n_classes - 1)))
    columns = target.reshape(len(target), -1)
    return Decision("range", (*map(float, columns.min(axis=0)), *map(float, columns.max(axis=0))))
