"""The schema of a competition: one frozen object per file under `pipelines/competitions/`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import (
    BeforeValidator,
    Field,
    InstanceOf,
    PlainSerializer,
    PrivateAttr,
    SerializeAsAny,
    StrictBool,
    model_validator,
)

from features.fold_plan import FoldPlan
from features.tables.schema import Column
from models.ensembling.blending import BlendSettings
from models.estimators.sklearn_models import EstimatorSettings
from models.estimators.trees import TreesSettings
from models.metrics import Metric, metric_named
from models.tasks import AnswerForm, Task, TaskKind
from pipelines.configuration.extra_files import ExtraFile, faults_of_extra_files
from pipelines.configuration.field_names import FORMER_STACKERS, with_present_names
from pipelines.configuration.member_settings import MemberSettings, Settings
from pipelines.configuration.task import faults_of, infer_form, infer_kind, make_task

Label = StrictBool | int | str


def _metric(value: Any) -> Any:
    return metric_named(value) if isinstance(value, str) else value


MetricField = Annotated[
    InstanceOf[Metric],
    BeforeValidator(_metric),
    PlainSerializer(lambda metric: metric.name, return_type=str),
]


class NotOnKaggleError(LookupError):
    """A Kaggle operation on a competition that has no Kaggle page."""

    exit_code = 2


class Kaggle(Settings):
    """Where Kaggle keeps the data.

    Attributes:
        slug: The last part of the page's address.
        kind: Whether the page is a competition's or a dataset's.
    """

    slug: str
    kind: Literal["competition", "dataset"] = "competition"

    @property
    def page(self) -> str:
        """The page where a person accepts the rules or sees the score."""
        return f"https://www.kaggle.com/{self.kind}s/{self.slug}"


class FileFormat(Settings):
    """How the training and test files are written; the sample submission is always plain CSV.

    Attributes:
        separator: The character between the fields of a line.
        quoting: Whether a double quote at the start of a field encloses it.
        row_numbers: Whether the files lack an id column, so that rows are numbered from 1.
        decimal: The character before the decimals of a number.
        json_records: Whether the training and test files are JSON records, a list or one a line.
    """

    separator: str = ","
    quoting: bool = True
    row_numbers: bool = False
    decimal: str = "."
    json_records: bool = False


ContextFeatures = Callable[[pd.DataFrame, np.ndarray], np.ndarray]


class SecondLevel(Settings):
    """Models of the members' out-of-fold predictions, tried beside the weighted blend.

    Attributes:
        stackers: The models' settings, by name.
        context_features: Further inputs `(n_rows, d)` of the stackers, computed from a table and
            the blended prediction `(n_rows, n_classes)` of each of its rows.
    """

    stackers: dict[str, TreesSettings | SerializeAsAny[EstimatorSettings]] = Field({})
    context_features: ContextFeatures | None = Field(None, exclude=True)

    def stacker(self, name: str) -> TreesSettings | EstimatorSettings:
        """The settings of a stacker, by its name or by the name that an older run stored.

        Raises:
            KeyError: There is no such stacker.
        """
        return self.stackers[name if name in self.stackers else FORMER_STACKERS.get(name, name)]


@dataclass(frozen=True)
class OfflineSample:
    """Data in the competition's form, for people without a Kaggle account.

    Attributes:
        write: Writes the competition's files, and `holdout.csv` (id, target) of held-back rows.
        origin: Where the rows come from, in a few words.
        synthetic: Whether a generator made the rows, so that scores on them mean nothing.
        fingerprint: Returns a text that changes when `write` would write other bytes.
    """

    write: Callable[[Path], None]
    origin: str
    synthetic: bool
    fingerprint: Callable[[], str]


@dataclass(frozen=True)
class OtherForm:
    """Raw files in another form, and the function that converts them to the competition's files.

    Attributes:
        files: Their names; `.gz`, `.zip` and an archive around them are optional.
        convert: Reads them from the first folder and writes the competition's files into the
            second, with `holdout.csv` (id, target) where it holds back labels of test rows.
    """

    files: tuple[str, ...]
    convert: Callable[[Path, Path], None]


@dataclass(frozen=True)
class TrainTestOverlap:
    """Test rows whose label stands in the training file, and a score that allows for them.

    Where a file holds each text once, no held-out row is among the training rows, but a share of
    the test rows is: a score on held-out rows alone would be far below the leaderboard's.

    Attributes:
        key: The column that decides the label.
        is_new: From the training table and folds `(n_rows,)`, which held-out rows `(n_rows,) bool`
            do not occur in the other folds; the score is measured on them.
    """

    key: str
    is_new: Callable[[pd.DataFrame, np.ndarray], np.ndarray]


def _unchanged(table: pd.DataFrame) -> pd.DataFrame:
    """No further features."""
    return table


Join = Callable[[pd.DataFrame, Mapping[str, pd.DataFrame]], pd.DataFrame]


class Competition(Settings):
    """Files, id, target, metric, columns, folds and members of one competition.

    Attributes:
        name: What a person types.
        title: One line that asks the competition's question.
        kaggle: Where Kaggle keeps the data; None if it does not.
        files: File names by role: `train`, `test`, `sample_submission`.
        file_format: How the training and test files are written.
        other_forms: Other forms that raw files may have; Kaggle's, where it has no test file.
        id: The id column; None where the files have none, and the sample submission has the test
            file's rows in their order.
        submission_id: The sample submission's name of the id, where it differs.
        target: The target column, or several.
        submission_column: The submission's name of the target, where it differs.
        task: What is predicted; by default what classes, target and metric leave no choice of.
        classes: The labels, in the order of the probability columns; none for a regression.
        class_names: Names of the classes for figures; the labels themselves if empty.
        metric: The metric that decides: a name, or a `Metric`.
        extra_metrics: Metrics that are reported beside it.
        leak_beyond: A score better than this is reported as a possible leak.
        columns: The feature columns, without id and target.
        missing: Texts that mean a missing value, in all columns.
        weight: The training column that says how much a row counts, in training and in scores.
        extra_training_files: Further files of training rows, in the training file's form.
        extra_files: Further files, by a name, whose columns each row gets by its key.
        join: Row-wise too: from a table, to which `extra_files` were joined by key, and all extra
            tables by name, to the same rows with more columns.
        features: Row-wise features: from a table to the same rows with more columns.
        form: What the submission holds; by default what the metric looks at.
        answer_columns: By label, the submission's name of its probability column, where it is not
            the label itself.
        folds: Which rows are held out when.
        members: The models of the ensemble.
        optional_members: Members that run only when they are named.
        blend: How the members' weights are found.
        second_level: Models of the members' predictions, tried beside the blend.
        train_test_overlap: Test rows that take the label of a training row.
        text: The column of texts, for figures about texts.
        sample: Data for people without a Kaggle account.
    """

    name: str
    title: str
    kaggle: Kaggle | None = None
    files: dict[Literal["train", "test", "sample_submission"], str]
    file_format: FileFormat = FileFormat()
    other_forms: tuple[OtherForm, ...] = Field((), exclude=True)
    id: str | None
    submission_id: str | None = None
    target: str | tuple[str, ...]
    submission_column: str | None = None
    task: TaskKind | None = None
    classes: tuple[Label, ...] = ()
    class_names: tuple[str, ...] = ()
    metric: MetricField
    extra_metrics: tuple[MetricField, ...] = ()
    leak_beyond: float | None = None
    columns: tuple[Column, ...]
    missing: tuple[str, ...] = ()
    weight: str | None = None
    extra_training_files: tuple[str, ...] = ()
    extra_files: dict[str, ExtraFile] = Field({})
    join: Join | None = Field(None, exclude=True)
    features: Callable[[pd.DataFrame], pd.DataFrame] = Field(_unchanged, exclude=True)
    form: AnswerForm | None = None
    answer_columns: dict[Label, str] = Field({})
    folds: FoldPlan
    members: tuple[SerializeAsAny[MemberSettings], ...] = Field(min_length=1)
    optional_members: tuple[SerializeAsAny[MemberSettings], ...] = Field((), exclude=True)
    blend: BlendSettings = BlendSettings()
    second_level: SecondLevel = SecondLevel()
    train_test_overlap: TrainTestOverlap | None = Field(None, exclude=True)
    text: str | None = None
    sample: OfflineSample | None = Field(None, exclude=True)
    _declared_members: tuple[MemberSettings, ...] = PrivateAttr(())

    @model_validator(mode="before")
    @classmethod
    def _accept_former_names(cls, data: Any) -> Any:
        return with_present_names(data) if isinstance(data, dict) else data

    @model_validator(mode="after")
    def _check_task(self) -> Competition:
        if faults := (*faults_of(self), *faults_of_extra_files(self)):
            raise ValueError("; ".join(faults))
        return self

    @model_validator(mode="after")
    def _check_names_and_overlap(self) -> Competition:
        names = [member.name for member in (*self.members, *self.optional_members)]
        if len(set(names)) != len(names):
            raise ValueError(f"every member needs a name of its own, found {names}")
        has_overlap = self.train_test_overlap is not None
        if has_overlap and (self.metric.name != "accuracy" or self.folds.n_repeats > 1):
            raise ValueError(
                "train_test_overlap needs metric='accuracy' and folds without repeats, found "
                f"{self.metric.name!r} and {self.folds.n_repeats} repeats"
            )
        self._declared_members = (*self.members, *self.optional_members)
        return self

    @property
    def declared_members(self) -> tuple[MemberSettings, ...]:
        """All members of the competition's file, also where only some of them were chosen."""
        return self._declared_members

    @property
    def file_names(self) -> tuple[str, ...]:
        """The files that a source must have; those for each row apart."""
        extra = [e.file for e in self.extra_files.values() if not e.is_for_each_row]
        return (*self.files.values(), *self.extra_training_files, *extra)

    @property
    def file_sets(self) -> dict[str, str]:
        """Of each extra file for each row, the zip that keeps it and its name with placeholders."""
        return {e.raw_name: e.file for e in self.extra_files.values() if e.is_for_each_row}

    @property
    def ids_as_keys(self) -> tuple[Column, ...]:
        """The id as a column of the rows, where it is a key of extra files and no column yet."""
        keys = [e.key_columns(self.columns) for e in self.extra_files.values()]
        as_column = {column.name: column for columns in keys for column in columns}
        is_declared = any(column.name == self.id for column in self.columns)
        return () if is_declared or self.id not in as_column else (as_column[self.id],)

    @property
    def on_kaggle(self) -> Kaggle:
        """Where Kaggle keeps the data.

        Raises:
            NotOnKaggleError: The competition has no Kaggle page.
        """
        if self.kaggle is None:
            raise NotOnKaggleError(
                f"{self.name} is not on Kaggle: its file has no kaggle=Kaggle(slug=…); for a run "
                "type --source with a folder or zip of its files, or --source sample"
            )
        return self.kaggle

    @property
    def takes_submissions(self) -> bool:
        """Whether Kaggle scores submissions; of datasets it only keeps the files."""
        return self.kaggle is not None and self.kaggle.kind == "competition"

    @property
    def label_names(self) -> tuple[str, ...]:
        """The names of the classes, in their order."""
        return self.class_names or tuple(map(str, self.classes))

    def label_name(self, label: Label) -> str:
        """The name of the class with that label."""
        return self.label_names[self.classes.index(label)]

    @property
    def targets(self) -> tuple[str, ...]:
        """The target columns of the training file."""
        return (self.target,) if isinstance(self.target, str) else self.target

    @property
    def predicts(self) -> Task:
        """The task: what is predicted, and in which arrays."""
        n_classes, n_targets = len(self.classes), len(self.targets)
        kind = infer_kind(self.task, classes=self.classes, n_targets=n_targets, metric=self.metric)
        return make_task(kind, n_classes=n_classes, n_targets=n_targets)

    @property
    def answer_form(self) -> AnswerForm:
        """What the submission holds."""
        return infer_form(self.form, self.predicts, self.metric)

    @property
    def answer_names(self) -> tuple[str, ...]:
        """The submission's names of the targets."""
        return self.targets if self.submission_column is None else (self.submission_column,)

    @property
    def column_names(self) -> tuple[str, ...]:
        """What each column of a prediction stands for: a class's name, or a target's."""
        return self.label_names if self.predicts.chooses_class else self.targets

    @property
    def greater_is_better(self) -> bool:
        """Whether a greater value of the metric is better."""
        return self.metric.greater_is_better
