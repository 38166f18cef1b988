"""Made-up rows of any competition's form, with a signal in them, as files on disk."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.encoders.base import EncoderChain
from features.encoders.tabular import TabularEncoder
from features.encoders.text_components import TextComponents
from features.fold_plan import FoldPlan
from features.tables.schema import Column
from models.estimators.sklearn_models import LogisticSettings, RidgeSettings
from models.estimators.trees import TreesSettings
from pipelines.configuration.competition import Competition, Kaggle
from pipelines.members.estimator import EstimatorMember
from pipelines.members.trees import TreesMember

N_TRAIN, N_TEST = 400, 60
WORDS = ("awful", "dull", "fine", "great", "superb")
Rows = pd.DataFrame


@dataclass(frozen=True)
class Form:
    """What a competition asks for.

    Attributes:
        slug: Kaggle's.
        metric: Its metric.
        target: The target column, or several.
        labels: The classes, in order; none for values.
        share: The share of the second of two classes; None for the median.
        sample: The sample's columns after the id, and their placeholder; None: the targets and 0.
        id: The name of the id; None where the sample has none.
        ids: Each row's id by its number.
        values: From the signal to a value.
        options: Further fields of the competition.
        change: Changes the tables (train, test) before they are written.
        texts: Whether the signal is in a text.
        features: The competition's `features`, and the numeric columns that it adds.
        columns: Further columns.
        without: Which of the usual columns a, b and c the files lack.
        texts_as_levels: Further categories.
        write_more: Writes further files, or the same ones in another form, into the folder.
    """

    slug: str
    metric: str
    target: str | tuple[str, ...]
    labels: tuple[Any, ...] = ()
    share: float | None = None
    sample: tuple[tuple[str, ...], Any] | None = None
    id: str | None = "id"
    ids: Callable[[int], Any] = int
    values: Callable[[np.ndarray], np.ndarray] = lambda signal: 10 + 2 * signal
    options: dict[str, Any] = field(default_factory=dict)
    change: Callable[[Rows, Rows], tuple[Rows, Rows]] = lambda train, test: (train, test)
    texts: bool = False
    features: Callable[[Rows], Rows] = lambda table: table
    numeric: tuple[str, ...] = ("a", "b")
    columns: tuple[Column, ...] = ()
    without: tuple[str, ...] = ()
    texts_as_levels: tuple[str, ...] = ()
    write_more: Callable[[Path], None] = lambda folder: None

    @property
    def targets(self) -> tuple[str, ...]:
        """The target columns."""
        return (self.target,) if isinstance(self.target, str) else self.target


def write(form: Form, folder: Path) -> None:
    """Write train.csv, test.csv and sample_submission.csv."""
    folder.mkdir(parents=True)
    train, test = _rows(form, N_TRAIN, 1), _rows(form, N_TEST, 100_001)
    train, test = form.change(train, test)
    names, placeholder = form.sample or (form.targets, 0)
    sample = pd.DataFrame({name: [placeholder] * len(test) for name in names})
    for name in sample.columns.intersection(test.columns).difference(form.targets):
        sample[name] = test[name].to_numpy()  # other columns of a sample are the test file's
    if form.id is not None:
        sample.insert(0, form.options.get("submission_id", form.id), test[form.id].to_numpy())
    lacking = [name for name in form.targets if name in test]
    for name, table in (
        ("train", train),
        ("test", test.drop(columns=lacking)),
        ("sample_submission", sample),
    ):
        table.to_csv(folder / f"{name}.csv", index=False, quoting=csv.QUOTE_MINIMAL)
    form.write_more(folder)


def _rows(form: Form, n: int, first: int) -> Rows:
    rng = np.random.default_rng(first)
    a, b, c = rng.normal(size=n), rng.normal(5, 2, n), rng.choice(list("xyz"), n)
    signal = a + 0.8 * (c == "x") + 0.3 * rng.normal(size=n)
    table = pd.DataFrame({"a": a.round(5), "b": b.round(5), "c": c})
    if form.id is not None:
        table.insert(0, form.id, [form.ids(first + at) for at in range(n)])
    if form.texts:
        place = np.clip(np.digitize(signal, [-0.8, 0, 0.6, 1.2]), 0, 4)
        table["text"] = [f'{WORDS[at]} "{WORDS[at]}" words,\nand more' for at in place]
        table = table.drop(columns="a")
    for name, values in _targets(form, signal, rng).items():
        table[name] = values
    return table


def _targets(form: Form, signal: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    if not form.labels:
        noise = [0.2 * rng.normal(size=len(signal)) for _ in form.targets]
        return {t: form.values(signal + e) for t, e in zip(form.targets, noise, strict=True)}
    if len(form.targets) > 1 and form.options.get("task") == "multiclass":
        place = _places(signal, len(form.labels), None)
        return {t: (place == at).astype(int) for at, t in enumerate(form.targets)}
    if len(form.targets) > 1:
        noise = [0.3 * rng.normal(size=len(signal)) for _ in form.targets]
        return {t: (signal + e > 0.3).astype(int) for t, e in zip(form.targets, noise, strict=True)}
    labels = np.array(form.labels, dtype=object)
    return {form.targets[0]: labels[_places(signal, len(labels), form.share)]}


def _places(signal: np.ndarray, n: int, share: float | None) -> np.ndarray:
    """The class of each row, by quantiles that are those of the signal's distribution."""
    shares = [1 - share] if share is not None else list(np.arange(1, n) / n)
    grid = np.random.default_rng(0).normal(size=(3, 20_000))
    many = grid[0] + 0.8 * (grid[1] > 0.43) + 0.3 * grid[2]
    return np.digitize(signal, np.quantile(many, shares))


def competition(form: Form) -> Competition:
    """The competition, with a linear member and trees."""
    numeric = tuple(n for n in form.numeric if n != "a" or not form.texts)
    known = {column.name for column in form.columns}
    plain = [Column(name=n, kind="float", missing=True) for n in ("a", "b") if n in numeric] + [
        Column(name="c", kind="text", missing=True)
    ]
    unwanted = known | set(form.without)
    columns = [column for column in plain if column.name not in unwanted]
    levels = [*(["c"] if "c" not in form.without else []), *form.texts_as_levels]
    if form.texts:
        columns.append(Column(name="text", kind="text"))

    def encoder(scaling: str) -> Any:
        names = [*numeric, *(["text_svd_*"] if form.texts else [])]
        tabular = TabularEncoder(names, levels, scaling=scaling)  # type: ignore[arg-type]
        return (
            EncoderChain([TextComponents(["text"], n_components=4), tabular])
            if form.texts
            else tabular
        )

    fields: dict[str, Any] = {
        "name": form.slug,
        "title": form.slug,
        "kaggle": Kaggle(slug=form.slug),
        "files": {
            "train": "train.csv",
            "test": "test.csv",
            "sample_submission": "sample_submission.csv",
        },
        "id": form.id,
        "target": form.target,
        "classes": form.labels,
        "metric": form.metric,
        "columns": (*columns, *form.columns),
        "features": form.features,
        "folds": FoldPlan(n_folds=4),
    } | form.options
    bare = Competition(
        **fields, members=(TreesMember(name="trees", encoder=lambda: encoder("none")),)
    )
    is_class = bare.predicts.predicts_probabilities
    linear = LogisticSettings() if is_class else RidgeSettings()
    trees = TreesSettings(n_estimators=40, num_leaves=6, min_child_samples=5)
    members = (
        EstimatorMember(
            name="linear",
            encoder=lambda: encoder("standard"),
            encoder_name="scaled",
            estimator=linear,
        ),
        TreesMember(
            name="trees", encoder=lambda: encoder("none"), encoder_name="plain", trees=trees
        ),
    )
    return Competition(**fields, members=members)
