"""Spaceship Titanic: who was transported to another dimension? Yes or no, scored by accuracy.

The id `0013_01` names a passenger's group, so folds keep groups together. Who sleeps in a cabin
spends nothing: a gap in one column is often answered by another.

There is no package with the real rows; the offline sample is made up, so that its scores say
nothing about Kaggle's.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from foldwise import (
    Column,
    Competition,
    FoldPlan,
    Kaggle,
    MLPSettings,
    NetworkMember,
    OfflineSample,
    Real,
    TabularEncoder,
    TrainSettings,
    TreesMember,
    TreesSettings,
    Whole,
)
from pipelines.raw_files.samples import spaceship_titanic as sample

SPENDING = ("RoomService", "FoodCourt", "ShoppingMall", "Spa", "VRDeck")
LEVELS = {
    "HomePlanet": ("Earth", "Europa", "Mars"),
    "Destination": ("55 Cancri e", "PSO J318.5-22", "TRAPPIST-1e"),
    "deck": ("A", "B", "C", "D", "E", "F", "G", "T"),
    "side": ("P", "S"),
}

COLUMNS = (
    Column(name="PassengerId", kind="text", about="group and number within it"),
    Column(name="HomePlanet", kind="text", missing=True, allowed=LEVELS["HomePlanet"]),
    Column(name="CryoSleep", kind="bool", missing=True, about="asleep for the whole voyage"),
    Column(name="Cabin", kind="text", missing=True, about="deck/number/side"),
    Column(name="Destination", kind="text", missing=True, allowed=LEVELS["Destination"]),
    Column(name="Age", kind="float", missing=True, minimum=0, maximum=120, about="years"),
    Column(name="VIP", kind="bool", missing=True),
    *(Column(name=name, kind="float", missing=True, minimum=0) for name in SPENDING),
    Column(name="Name", kind="text", missing=True, about="given name and surname"),
)

WHO = ("asleep", "Age", "is_child", "is_vip", "number_in_group", "cabin_number")
LOGS = tuple(f"log_{name}" for name in SPENDING)
TOTALS = ("log_spent", "log_luxury", "log_necessity", "spends_nothing", "kinds_of_spending")


def add_features(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the group, the cabin's parts, and what was spent on what."""
    cabin = table["Cabin"].str.split("/", expand=True).reindex(columns=range(3))
    spent = table[list(SPENDING)]
    total = spent.sum(axis=1)
    return table.assign(
        group=table["PassengerId"].str.split("_").str[0],
        number_in_group=table["PassengerId"].str.split("_").str[1].astype("float64"),
        deck=cabin[0],
        cabin_number=pd.to_numeric(cabin[1]),
        side=cabin[2],
        asleep=asleep(table["CryoSleep"], total),
        is_child=(table["Age"] < 13).astype("float64").where(table["Age"].notna()),
        is_vip=table["VIP"].astype("float64"),
        **{f"log_{name}": np.log1p(table[name]) for name in SPENDING},
        log_spent=np.log1p(total),
        log_luxury=np.log1p(spent[["RoomService", "Spa", "VRDeck"]].sum(axis=1)),
        log_necessity=np.log1p(spent[["FoodCourt", "ShoppingMall"]].sum(axis=1)),
        spends_nothing=(total == 0).astype("float64"),
        kinds_of_spending=(spent > 0).sum(axis=1).astype("float64"),
    )


def asleep(known: pd.Series, total: pd.Series) -> pd.Series:
    """1 for sleepers; where it is unknown, nobody who spent anything slept."""
    values = known.astype("float64")
    return values.mask(values.isna() & (total > 0), 0.0)


def network_encoder() -> TabularEncoder:
    """Scaled numbers and one-hot levels."""
    numbers = (*WHO, *LOGS, *TOTALS)
    return TabularEncoder(numbers, tuple(LEVELS), categories="one_hot", levels=LEVELS)


def trees_encoder() -> TabularEncoder:
    """Numbers as they are, levels as codes."""
    return TabularEncoder((*WHO, *SPENDING, *TOTALS), tuple(LEVELS), scaling="none")


COMPETITION = Competition(
    name="spaceship-titanic",
    title="Spaceship Titanic: who was transported?",
    kaggle=Kaggle(slug="spaceship-titanic"),
    sample=OfflineSample(
        write=sample.write,
        origin=sample.ORIGIN,
        synthetic=True,
        fingerprint=sample.fingerprint,
    ),
    files={"train": "train.csv", "test": "test.csv", "sample_submission": "sample_submission.csv"},
    id="PassengerId",
    target="Transported",
    classes=(False, True),
    class_names=("stayed", "transported"),
    metric="accuracy",
    columns=COLUMNS,
    features=add_features,
    folds=FoldPlan(n_folds=10, group="group"),
    members=(
        NetworkMember(
            name="mlp",
            encoder=network_encoder,
            model=MLPSettings(hidden=(64, 32), dropout=0.3),
            train=TrainSettings(
                epochs=20, batch_size=128, lr=3e-3, weight_decay=0.1, schedule="one_cycle"
            ),
            n_seeds=3,
            search={
                "train.lr": Real(low=3e-4, high=1e-2, log=True),
                "train.weight_decay": Real(low=1e-3, high=1.0, log=True),
                "model.dropout": Real(low=0.0, high=0.6),
            },
        ),
        TreesMember(
            name="trees",
            encoder=trees_encoder,
            trees=TreesSettings(
                n_estimators=500,
                learning_rate=0.03,
                num_leaves=12,
                min_child_samples=20,
                subsample=0.7,
                colsample_bytree=0.5,
                reg_lambda=5.0,
            ),
            n_seeds=2,
            search={
                "trees.n_estimators": Whole(low=100, high=1000, step=50),
                "trees.num_leaves": Whole(low=4, high=32, log=True),
                "trees.colsample_bytree": Real(low=0.3, high=1.0),
            },
        ),
    ),
)
