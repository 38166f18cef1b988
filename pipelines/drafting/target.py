"""What is predicted: the labels or values of the target, and the metric they are scored by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.tables.schema import FLOAT, USUAL_MARKS
from models.metrics import Metric, metric_named
from models.tasks import AnswerForm, Task, TaskKind
from pipelines.configuration.task import infer_form, infer_kind, make_task
from pipelines.drafting.answers import Answers, plain
from pipelines.drafting.columns import INT
from pipelines.drafting.files import Tables

Label = bool | int | str
GRADES = range(3, 11)  # so many whole numbers are grades as likely as classes
MOST_CLASSES = 1000
SKEWED = 1.0
TRUTHS = {"true": True, "false": False}


class MetricError(ValueError):
    """A metric that cannot be found, or does not suit the target."""

    exit_code = 2


@dataclass(frozen=True)
class Suggestion:
    """A metric that the files speak for, and what in them does."""

    metric: str
    reason: str


@dataclass(frozen=True)
class TargetFacts:
    """What the target columns hold, all of them together.

    Attributes:
        names: The columns.
        levels: The distinct texts, numbers in their order.
        is_number: Whether all are numbers.
        is_whole: Whether all are whole numbers.
        values: `(n_rows, n_targets) float64` of numbers; empty of others.
        placeholders: The distinct answers of the sample submission.
    """

    names: tuple[str, ...]
    levels: tuple[str, ...]
    is_number: bool
    is_whole: bool
    values: np.ndarray
    placeholders: tuple[str, ...]

    @property
    def is_of_zeros_and_ones(self) -> bool:
        """Whether nothing else stands in the columns."""
        return set(self.levels) <= {"0", "1"}

    @property
    def has_one_of_each_row(self) -> bool:
        """Whether exactly one of several columns is 1 in each row."""
        is_one = self.is_of_zeros_and_ones and len(self.names) > 1
        return is_one and bool((self.values.sum(axis=1) == 1).all())

    @property
    def is_skewed(self) -> bool:
        """Whether all values are positive and a few are far greater than most."""
        if not self.is_number or not len(self.values) or self.values.min() <= 0:
            return False
        return bool(pd.DataFrame(self.values).skew().mean() > SKEWED)

    @property
    def labels(self) -> tuple[Label, ...]:
        """The levels as the labels of a competition."""
        if {level.lower() for level in self.levels} == set(TRUTHS):
            return (False, True)
        # A whole number like 1e3 is a label as it is written.
        are_whole = all(INT.fullmatch(level) for level in self.levels)
        return tuple(int(level) if are_whole else level for level in self.levels)


@dataclass(frozen=True)
class TargetGuess:
    """What is predicted, and in which form.

    Attributes:
        names: The target columns.
        classes: The labels in order; none for values.
        metric: Its name.
        task: What is predicted.
        is_task_given: Whether the file must name the task.
        form: What the submission holds, where the file must say it.
        transform: Whether values are learned as logarithms though the metric takes none.
        reason: Why this metric; empty where a person chose it.
    """

    names: tuple[str, ...]
    classes: tuple[Label, ...]
    metric: str
    task: Task
    is_task_given: bool = False
    form: AnswerForm | None = None
    transform: bool = False
    reason: str = ""

    @property
    def n_means(self) -> int:
        """Means of the target that `TargetMeans` adds for a column."""
        if self.task.kind == "binary" or not self.task.has_classes:
            return self.task.n_targets
        return self.task.n_classes


def look_at_target(tables: Tables, answers: Answers) -> TargetFacts:
    """Facts of the target columns; rows without a target do not count."""
    columns = tables.train[list(answers.targets)].map(plain)
    is_there = ~columns.isin(["", *USUAL_MARKS[:7]]).any(axis=1)
    columns = columns[is_there]
    distinct = pd.unique(columns.to_numpy().ravel())
    is_number = bool(len(distinct)) and all(FLOAT.fullmatch(text) for text in distinct)
    values = columns.to_numpy(np.float64) if is_number else np.empty((0, 0))
    key: Callable[[str], float | str] = float if is_number else str
    asked = tables.sample[list(answers.columns)].to_numpy().ravel()
    return TargetFacts(
        answers.targets,
        tuple(sorted(distinct, key=key)),
        is_number=is_number,
        is_whole=is_number and all(float(text).is_integer() for text in distinct),
        values=values,
        placeholders=tuple(map(plain, pd.unique(asked))),
    )


def suggest(facts: TargetFacts, answers: Answers) -> list[Suggestion]:
    """The metric that the files speak for; two where they speak for both."""
    if answers.label_columns:
        return [Suggestion("log_loss", "the sample has a column for each label")]
    if len(facts.names) > 1:
        return [_of_several(facts)]
    if any(" " in text for text in facts.placeholders) and _are_rankings(facts):
        k = max(len(text.split()) for text in facts.placeholders)
        return [Suggestion(f"map@{k}", f"the sample holds {k} labels in a row")]
    if len(facts.levels) == 2:
        return _of_two(facts)
    if not facts.is_number:
        return [Suggestion("accuracy", "the sample holds labels")]
    if facts.is_whole and len(facts.levels) in GRADES and _are_whole(facts.placeholders):
        return [
            Suggestion("qwk", "the labels may be ordered grades"),
            Suggestion("accuracy", "the sample holds labels"),
        ]
    return [_of_values(facts, "rmse")]


def _of_several(facts: TargetFacts) -> Suggestion:
    if facts.has_one_of_each_row:
        return Suggestion("log_loss", "exactly one of the target columns is 1 in each row")
    if facts.is_of_zeros_and_ones:
        return Suggestion("auc", "each of several target columns is 0 or 1")
    return _of_values(facts, "mcrmse")


def _of_values(facts: TargetFacts, usual: str) -> Suggestion:
    if facts.is_skewed:
        return Suggestion("rmsle", "the target is positive and skewed")
    return Suggestion(usual, "the target is a number")


def _of_two(facts: TargetFacts) -> list[Suggestion]:
    labels, held = set(facts.levels), set(facts.placeholders)
    accuracy = Suggestion("accuracy", "the sample holds labels")
    if any(FLOAT.fullmatch(text) and not float(text).is_integer() for text in held):
        return [Suggestion("auc", "the sample holds a fraction for one of two classes")]
    if held <= labels and (len(held) == 2 or not facts.is_number):
        return [accuracy]
    return [Suggestion("auc", "the answer may be a probability"), accuracy]


def _are_rankings(facts: TargetFacts) -> bool:
    labels = set(facts.levels)
    return all(set(text.split()) <= labels for text in facts.placeholders)


def _are_whole(texts: Sequence[str]) -> bool:
    return all(FLOAT.fullmatch(text) and float(text).is_integer() for text in texts)


def choose(
    suggested: Sequence[Suggestion],
    facts: TargetFacts,
    typed: str | None,
    ask: Callable[[Sequence[Suggestion]], str] | None,
) -> Suggestion:
    """The metric that decides: as typed, as answered, or the only one suggested.

    Args:
        suggested: What the files speak for.
        facts: Of the target, for the message.
        typed: A metric's name; None where none was typed.
        ask: Asks the person; None where nobody answers.

    Raises:
        MetricError: Two are as likely and nobody chose.
    """
    if typed is not None:
        return Suggestion(typed, "")
    if ask is not None:
        answered = ask(suggested)
        return Suggestion(answered, "")
    if len(suggested) == 1:
        return suggested[0]
    shown = ", ".join(facts.levels[:5]) + (", …" if len(facts.levels) > 5 else "")
    likely = " and ".join(f"{one.metric} ({one.reason})" for one in suggested)
    raise MetricError(
        f"which metric? The target {facts.names[0]!r} holds {shown} and the sample "
        f"{', '.join(facts.placeholders[:3])}, so {likely} are as likely; type "
        + " or ".join(f"--metric {one.metric}" for one in suggested)
    )


def guess(facts: TargetFacts, answers: Answers, chosen: Suggestion) -> TargetGuess:
    """What is predicted, by the metric.

    Raises:
        UnknownMetricError: No metric has that name.
        MetricError: The metric does not suit the target.
    """
    metric = metric_named(chosen.metric)
    classes = _classes(facts, answers, metric)
    given: TaskKind | None = None
    if facts.has_one_of_each_row and metric.on != "values":
        given = "multiclass"
    n_targets = len(facts.names)
    kind = infer_kind(given, classes=classes, n_targets=n_targets, metric=metric)
    task = make_task(kind, n_classes=len(classes), n_targets=n_targets)
    if not metric.suits(task) or (kind == "regression" and not facts.is_number):
        raise _unsuited(metric, facts)
    return TargetGuess(
        facts.names,
        classes,
        chosen.metric,
        task,
        is_task_given=given is not None,
        form=_form(facts, answers, metric, task),
        transform=kind == "regression" and metric.name in ("rmse", "mae") and facts.is_skewed,
        reason=chosen.reason,
    )


def _classes(facts: TargetFacts, answers: Answers, metric: Metric) -> tuple[Label, ...]:
    if metric.on == "values":
        return ()
    if len(facts.names) > 1:
        return facts.names if facts.has_one_of_each_row else (0, 1)
    if len(facts.levels) > MOST_CLASSES or (facts.is_number and not facts.is_whole):
        raise _unsuited(metric, facts)
    if answers.label_columns:
        of_text = {str(label): label for label in facts.labels}
        return tuple(of_text[label] for label, _ in answers.label_columns)
    return facts.labels


def _form(facts: TargetFacts, answers: Answers, metric: Metric, task: Task) -> AnswerForm | None:
    """What the sample holds, where it is not what the metric looks at."""
    usual = infer_form(None, task, metric)
    if answers.label_columns and usual != "probabilities":
        return "probabilities"
    is_label = set(facts.placeholders) <= set(facts.levels) and not facts.is_number
    if usual == "probabilities" and is_label and len(facts.names) == 1:
        return None if answers.label_columns else "labels"
    return None


def _unsuited(metric: Metric, facts: TargetFacts) -> MetricError:
    held = f"{len(facts.levels):,} {'numbers' if facts.is_number else 'texts'}"
    names = ", ".join(map(repr, facts.names[:3]))
    usual = "rmse" if facts.is_number else "accuracy"
    return MetricError(
        f"--metric {metric.name} looks at {metric.on}, which do not suit the target {names} of "
        f"{held}; type another one, such as --metric {usual}, or another --target"
    )
