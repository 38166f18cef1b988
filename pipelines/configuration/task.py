"""What a competition predicts and how: its task, the form of its answers, the loss by default."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from models.metrics import Metric
from models.tasks import AnswerForm, Task, TaskKind

if TYPE_CHECKING:
    from pipelines.configuration.competition import Competition

ONE_COLUMN = ("labels", "top_k")  # forms whose answers stand in one column for each target
FORM_OF: dict[str, AnswerForm] = {
    "labels": "labels",
    "probabilities": "probabilities",
    "values": "values",
    "ranking": "top_k",
}


def infer_kind(
    kind: TaskKind | None, *, classes: Sequence[object], n_targets: int, metric: Metric
) -> TaskKind:
    """The kind of task where the file leaves no choice.

    Without classes the target is a number. A class for each of several target columns means that
    exactly one of them is 1, two classes that each is 0 or 1.

    Args:
        kind: As the competition's file has it; None to infer it.
        classes: The labels, in order.
        n_targets: Target columns.
        metric: The metric that decides.
    """
    if kind is not None:
        return kind
    if n_targets > 1 and metric.on != "values":
        return "multilabel"
    if not classes or (n_targets > 1 and len(classes) != n_targets):
        return "regression"
    if metric.name == "qwk" and len(classes) > 2:
        return "ordinal"
    return "binary" if len(classes) == 2 else "multiclass"


def infer_form(form: AnswerForm | None, task: Task, metric: Metric) -> AnswerForm:
    """The form of the answers: the file's, else what the metric looks at, else the usual one.

    Of a regression the values are what a file may call its labels.
    """
    if task.kind == "regression" and form == "labels":
        return "values"
    wanted = form or FORM_OF[metric.on]
    return wanted if form or wanted in task.forms else task.forms[0]


def make_task(kind: TaskKind, *, n_classes: int, n_targets: int) -> Task:
    """The task of that kind.

    Args:
        kind: The kind.
        n_classes: Labels of the competition.
        n_targets: Target columns of the files; several of a multiclass task hold one label.
    """
    if kind == "multilabel":
        return Task(kind, 2, n_targets)
    if kind == "regression":
        return Task(kind, 0, n_targets)
    return Task(kind, n_classes)


def faults_of(competition: Competition) -> list[str]:
    """Why classes, targets, task, metric and form do not go together; empty where they do."""
    task, faults = competition.predicts, []
    n_classes, n_targets = len(competition.classes), len(competition.targets)
    if task.kind == "binary" and n_classes != 2:
        faults.append(f"a binary task has two classes, found {n_classes}; list both in classes")
    if task.kind in ("multiclass", "ordinal") and n_classes < 2:
        faults.append(f"task={task.kind!r} needs classes, found {n_classes}; list the labels")
    if task.kind == "regression" and n_classes:
        faults.append("a regression has no classes; leave classes out, or set another task")
    if task.has_classes and n_targets > 1 and n_targets != n_classes:
        faults.append(
            f"found {n_targets} target columns for {n_classes} classes, expected one column, or "
            "one column of 0 and 1 for each class"
        )
    if competition.answer_form not in task.forms:
        faults.append(
            f"form={competition.answer_form!r} does not suit {_named(task)}, expected "
            f"{' or '.join(map(repr, task.forms))}"
        )
    if not faults:
        faults += [
            f"metric {metric.name} looks at {metric.on}, which {_named(task)} does not give"
            for metric in (competition.metric, *competition.extra_metrics)
            if not metric.suits(task)
        ]
    return faults


def _named(task: Task) -> str:
    article = "an" if task.kind == "ordinal" else "a"
    return f"{article} {task.kind} task"
