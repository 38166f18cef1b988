"""Diabetes: who of 768 Pima women fell ill within five years? The course's first table.

The table writes 0 where glucose, pressure, skin, insulin or weight was not measured. Those become
missing, and each fold fills them with the medians of its own training rows: filled by class, or
with medians of all rows, they tell the answer. Honest models reach an AUC of 0.83 to 0.84 here.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from features.encoders.tabular import TabularEncoder
from features.folds import FoldPlan
from models.estimators.sklearn_models import LogisticSettings
from models.estimators.trees import TreesSettings
from models.networks.mlp import MLPSettings
from models.training.fit import TrainSettings
from pipelines.configuration.competition import Competition, ForeignForm, Kaggle, OfflineSample
from pipelines.configuration.search_space import Real, Whole
from pipelines.members.estimator import EstimatorMember
from pipelines.members.network import NetworkMember
from pipelines.members.trees import TreesMember
from pipelines.raw_files.conversions import diabetes as conversion
from pipelines.raw_files.samples import diabetes as sample

MEASURED = ("Glucose", "BloodPressure", "SkinThickness", "Insulin", "BMI")
NOTES_NET = MLPSettings(hidden=(6, 4), dropout=0.0, activation="sigmoid")


def zeros_are_missing(table: pd.DataFrame) -> pd.DataFrame:
    """The table with missing values in place of the zeros that nobody alive has."""
    measured = {name: table[name].astype("float64").replace(0, np.nan) for name in MEASURED}
    return table.assign(**measured)


def scaled() -> TabularEncoder:
    """Mean 0, deviation 1, the fold's median where nothing was measured."""
    return TabularEncoder(conversion.NAMES)


def unscaled() -> TabularEncoder:
    """As it is; trees send what is missing down a branch of its own."""
    return TabularEncoder(conversion.NAMES, scaling="none")


MEMBERS = (
    NetworkMember(  # the course's first version: every step sees all rows
        name="notes",
        encoder=scaled,
        model=NOTES_NET,
        train=TrainSettings(
            epochs=300,
            batch_size=None,
            optimizer="sgd",
            lr=1.0,
            weight_decay=3e-3,  # without it, 0.02 less AUC: 89 weights for 550 rows
            evaluate_every=10,
        ),
        search={
            # Sigmoids in full batches: slower than 0.1 is not there after 300 steps, 3 swings.
            "train.lr": Real(low=0.1, high=3.0, log=True),
            # From none that is felt to one that leaves a straight line.
            "train.weight_decay": Real(low=1e-4, high=3e-2, log=True),
        },
    ),
    NetworkMember(  # its second version: mini-batches
        name="notes-batches",
        encoder=scaled,
        model=NOTES_NET,
        train=TrainSettings(
            epochs=40,
            batch_size=32,
            optimizer="sgd",
            lr=0.1,
            weight_decay=3e-3,
            schedule="one_cycle",
            evaluate_every=5,
        ),
        search={
            # Fifteen steps an epoch: a tenth of the rate of full batches, and as wide a range.
            "train.lr": Real(low=0.01, high=1.0, log=True),
            "train.weight_decay": Real(low=1e-4, high=3e-2, log=True),
        },
    ),
    EstimatorMember(
        name="logistic",
        encoder=scaled,
        estimator=LogisticSettings(),
        # Eight columns for 550 rows: the penalty can do little, whichever way.
        search={"estimator.C": Real(low=1e-3, high=100.0, log=True)},
    ),
    TreesMember(
        name="trees",
        encoder=unscaled,
        trees=TreesSettings(
            n_estimators=100,
            learning_rate=0.05,
            num_leaves=4,
            min_child_samples=20,
            subsample=0.7,
            colsample_bytree=0.5,
            reg_lambda=5.0,
        ),
        search={
            "trees.n_estimators": Whole(low=40, high=300, step=10),
            "trees.learning_rate": Real(low=0.01, high=0.2, log=True),
            # Glucose with one or two others: more leaves only learn these 550 patients.
            "trees.num_leaves": Whole(low=2, high=12, log=True),
            "trees.min_child_samples": Whole(low=5, high=60, log=True),
            "trees.subsample": Real(low=0.4, high=1.0),
            "trees.colsample_bytree": Real(low=0.2, high=1.0),
            "trees.reg_lambda": Real(low=0.1, high=100.0, log=True),
        },
    ),
)

COMPETITION = Competition(
    name="diabetes",
    title="Diabetes: who falls ill within five years?",
    kaggle=Kaggle(slug="uciml/pima-indians-diabetes-database", kind="dataset"),
    files={"train": "train.csv", "test": "test.csv", "sample_submission": "sample_submission.csv"},
    foreign=tuple(ForeignForm((name,), conversion.convert) for name in conversion.FILES),
    id=conversion.ID,
    target=conversion.TARGET,
    classes=(0, 1),
    class_names=("healthy", "diabetes"),
    metric="auc",
    also=("accuracy",),
    leak_beyond=0.87,
    columns=conversion.COLUMNS,
    features=zeros_are_missing,
    form="probabilities",
    folds=FoldPlan(n_folds=10, n_repeats=5),
    members=MEMBERS,
    sample=OfflineSample(
        write=sample.write,
        origin=sample.ORIGIN,
        synthetic=False,
        fingerprint=sample.fingerprint,
    ),
)
