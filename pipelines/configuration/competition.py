"""What a competition is: one frozen object, made in one file under `pipelines/competitions/`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, model_validator

from features.folds import FoldPlan
from features.tables.schema import Column
from models.ensembling.blending import BlendSettings
from models.estimators.sklearn_models import EstimatorSettings
from models.estimators.trees import TreesSettings
from models.metrics import METRICS
from pipelines.configuration.member_settings import Encoded as Encoded
from pipelines.configuration.member_settings import Encoder as Encoder
from pipelines.configuration.member_settings import MemberSettings

Label = int | str
MetricName = Literal["accuracy", "log_loss", "auc", "macro_f1"]


class NotOnKaggleError(LookupError):
    """Something was asked of Kaggle about data that it does not have."""

    exit_code = 2


class Settings(BaseModel):
    """Frozen, and closed to keys that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Kaggle(Settings):
    """Where Kaggle keeps the data: `slug` as in the page's address."""

    slug: str
    kind: Literal["competition", "dataset"] = "competition"

    @property
    def page(self) -> str:
        """The page a person opens to accept the rules or to see the score."""
        return f"https://www.kaggle.com/{self.kind}s/{self.slug}"


@dataclass(frozen=True)
class OfflineSample:
    """Data of the competition's form for those who have no Kaggle account.

    Attributes:
        write: writes the competition's files, and `holdout.csv` (id, target) of held-back rows.
        origin: where the rows come from, in a few words.
        synthetic: made by a generator, so that scores on it mean nothing.
        fingerprint: gives a text that changes when `write` would write other bytes.
    """

    write: Callable[[Path], None]
    origin: str
    synthetic: bool
    fingerprint: Callable[[], str]


@dataclass(frozen=True)
class ForeignForm:
    """Raw files that are not the competition's own, and what turns them into those.

    Attributes:
        files: their names; `.gz`, `.zip` and the archive around them may be there or not.
        convert: from a folder that holds them, writes the competition's files into the second
            folder, and `holdout.csv` (id, target) where it holds labels of test rows back.
    """

    files: tuple[str, ...]
    convert: Callable[[Path, Path], None]


@dataclass(frozen=True)
class Known:
    """Test rows whose label stands in the training file, and a score that allows for them.

    Where a file holds each text once, a held-out row is never in the training rows, but a part of
    the test rows is: held-out rows alone would be a score far below the one that is got.

    Attributes:
        key: the column that decides the label.
        is_new: from the training table and `(n_rows,)` folds, the held-out rows `(n_rows,) bool`
            that are new to the other folds; the score is measured on them.
    """

    key: str
    is_new: Callable[[pd.DataFrame, np.ndarray], np.ndarray]


class Competition(Settings):
    """Files, id, target, metric, columns, folds and members of one competition.

    Attributes:
        name: what a person types.
        kaggle: where Kaggle keeps the data; None for what it does not have.
        files: file name by role: `train`, `test`, `sample_submission`.
        numbered: train and test have no id column; their rows are numbered from 1.
        answer: what the submission calls the target, where it is another name.
        columns: the feature columns; id and target are named apart.
        separator: of the training and test file; the sample submission has commas.
        quoting: whether a double quote at the start of a field encloses it.
        classes: the labels, in the order of the probability columns.
        class_names: what people call them, for the figures; the labels themselves if empty.
        features: row-wise features; sees the rows of one table and gives it back with more columns.
        form: what the submission holds, `labels` or `probabilities`.
        spare: members that run only when they are named.
        stackers: by name, models of the members' out-of-fold predictions, tried beside the blend.
        text: the column of texts, where rows are texts: for the figures about them.
        kin: what the rows of a table say of each other: from the table and a prediction of each
            row `(n_rows, n_classes)`, further inputs `(n_rows, d)` of the stackers.
        known: test rows that take the label of a training row.
        also: further metrics, told beside the one that decides.
        leak_beyond: a score better than this one is too good to be true.
        foreign: other forms that raw files may have, Kaggle's among them where it has no test file.
    """

    name: str
    title: str
    kaggle: Kaggle | None = None
    files: dict[Literal["train", "test", "sample_submission"], str]
    separator: str = ","
    quoting: bool = True
    id: str
    target: str
    numbered: bool = False
    answer: str | None = None
    classes: tuple[Label, ...] = Field(min_length=2)
    class_names: tuple[str, ...] = ()
    metric: MetricName
    also: tuple[MetricName, ...] = ()
    leak_beyond: float | None = None
    columns: tuple[Column, ...]
    features: Callable[[pd.DataFrame], pd.DataFrame] = Field(exclude=True)
    form: Literal["labels", "probabilities"]
    folds: FoldPlan
    members: tuple[SerializeAsAny[MemberSettings], ...] = Field(min_length=1)
    spare: tuple[SerializeAsAny[MemberSettings], ...] = Field((), exclude=True)
    blend: BlendSettings = BlendSettings()
    stackers: dict[str, TreesSettings | SerializeAsAny[EstimatorSettings]] = {}
    text: str | None = None
    kin: Callable[[pd.DataFrame, np.ndarray], np.ndarray] | None = Field(None, exclude=True)
    known: Known | None = Field(None, exclude=True)
    sample: OfflineSample | None = Field(None, exclude=True)
    foreign: tuple[ForeignForm, ...] = Field((), exclude=True)

    @model_validator(mode="after")
    def _names_are_told_apart(self) -> Competition:
        names = [member.name for member in (*self.members, *self.spare)]
        if len(set(names)) != len(names):
            raise ValueError(f"members must have names of their own, found {names}")
        if self.known is not None and (self.metric != "accuracy" or self.folds.n_repeats > 1):
            raise ValueError("known rows need the metric accuracy and folds without repeats")
        return self

    @property
    def on_kaggle(self) -> Kaggle:
        """Where Kaggle keeps the data.

        Raises:
            NotOnKaggleError: nowhere.
        """
        if self.kaggle is None:
            raise NotOnKaggleError(
                f"Kaggle does not have {self.name}; give --source a folder or zip with its files, "
                "or --source sample"
            )
        return self.kaggle

    @property
    def takes_submissions(self) -> bool:
        """Kaggle scores what is sent to it; data sets it only keeps."""
        return self.kaggle is not None and self.kaggle.kind == "competition"

    def label_name(self, label: Label) -> str:
        """What people call the class of that label."""
        names = self.class_names or tuple(map(str, self.classes))
        return names[self.classes.index(label)]

    @property
    def is_binary(self) -> bool:
        """Two classes: networks give one logit, and the second class is the positive one."""
        return len(self.classes) == 2

    @property
    def greater_is_better(self) -> bool:
        """Which way the metric points."""
        return METRICS[self.metric].greater_is_better
