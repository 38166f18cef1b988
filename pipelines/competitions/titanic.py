"""Titanic: who survived? Parties that travelled together mostly lived or died together.

Few features, so that the score told is the score got: who a passenger is (woman, boy or man, and
the class), the fate of the women and children of the party, and that of the women and children
who hold the tickets next to theirs.

Folds keep those who share a ticket together. The offline sample is dealt that way, and on Kaggle's
rows, where some companions of the test passengers are known, it makes the score told a cautious
one.
"""

from __future__ import annotations

import pandas as pd

from features.encoders.base import EncoderChain
from features.encoders.tabular import TabularEncoder
from features.encoders.target_statistics import GroupStatistics
from features.folds import FoldPlan
from features.tables.schema import Column
from models.estimators.trees import TreesSettings
from models.networks.linear import LinearSettings
from models.networks.mlp import MLPSettings
from models.training.fit import TrainSettings
from pipelines.configuration.competition import Competition, Kaggle, OfflineSample
from pipelines.configuration.search_space import Choice, Real, Whole
from pipelines.members.network import NetworkMember
from pipelines.members.trees import TreesMember
from pipelines.raw_files.samples import titanic as sample

LARGE_FAMILY = 5
KINDS = tuple(f"{who} {pclass}" for who in ("woman", "boy", "man") for pclass in (1, 2, 3))
FATES = ("party_lift", "neighbours_lift", "woman_or_boy_of_large_family")
TITLES = {
    **dict.fromkeys(("Mr", "Don", "Sir", "Jonkheer"), "Mr"),
    **dict.fromkeys(("Mrs", "Mme", "Lady", "the Countess", "Dona"), "Mrs"),
    **dict.fromkeys(("Miss", "Mlle", "Ms"), "Miss"),
    **dict.fromkeys(("Capt", "Col", "Major"), "Officer"),
    **{title: title for title in ("Master", "Dr", "Rev")},
}

COLUMNS = (
    Column(name="Pclass", kind="int", allowed=(1, 2, 3), about="class of the ticket"),
    Column(name="Name", kind="text", about="surname, title. given names"),
    Column(name="Sex", kind="text", allowed=("male", "female")),
    Column(name="Age", kind="float", missing=True, minimum=0, maximum=120, about="years"),
    Column(name="SibSp", kind="int", minimum=0, about="siblings and spouses aboard"),
    Column(name="Parch", kind="int", minimum=0, about="parents and children aboard"),
    Column(name="Ticket", kind="text", about="shared by those who booked together"),
    Column(name="Fare", kind="float", missing=True, minimum=0, about="pounds, whole ticket"),
    Column(name="Cabin", kind="text", missing=True, about="deck letter and number"),
    Column(
        name="Embarked",
        kind="text",
        missing=True,
        allowed=("C", "Q", "S"),
        about="Cherbourg, Queenstown, Southampton",
    ),
)


def add_features(table: pd.DataFrame) -> pd.DataFrame:
    """The table with features of each passenger alone, and the keys of their companions."""
    table = table.assign(
        title=title(table["Name"]),
        surname=table["Name"].str.split(",").str[0].str.strip(),
        family_size=table["SibSp"] + table["Parch"] + 1,
        deck=table["Cabin"].str.strip().str[0],
        ticket_prefix=ticket_prefix(table["Ticket"]),
    )
    table = table.assign(
        fare_per_person=table["Fare"] / table["family_size"],
        is_woman=table["Sex"] == "female",
        is_woman_or_boy=(table["Sex"] == "female") | (table["title"] == "Master"),
    )
    table["kind"] = kind(table)
    in_large_family = table["family_size"] >= LARGE_FAMILY
    table["woman_or_boy_of_large_family"] = table["is_woman_or_boy"] & in_large_family
    return table.assign(party=party(table), ticket_neighbours=ticket_neighbours(table))


def title(name: pd.Series) -> pd.Series:
    """The title between the comma and the first dot, rare forms under their usual one."""
    found = name.str.extract(r",\s*([^.,]*)\.", expand=False).str.strip()
    return found.map(TITLES).fillna("other").astype("str")


def ticket_prefix(ticket: pd.Series) -> pd.Series:
    """The letters before the number, without their dots and strokes; missing where none are."""
    letters = ticket.str.extract(r"^(.*\D)\s*\d*$", expand=False)
    letters = letters.str.replace(r"[^A-Za-z0-9]", "", regex=True).str.upper()
    return letters.where(letters != "")


def kind(table: pd.DataFrame) -> pd.Series:
    """Woman, boy or man, and the class: `woman 1` to `man 3`."""
    who = pd.Series("man", index=table.index, dtype="str")
    who = who.mask(table["is_woman_or_boy"], "boy").mask(table["is_woman"], "woman")
    return who + " " + table["Pclass"].astype("str")


def ticket_neighbours(table: pd.DataFrame) -> pd.Series:
    """Key of those whose ticket differs in the last character at most: often friends, one deck."""
    port = table["Embarked"].fillna("?")
    return table["Pclass"].astype("str") + "|" + table["Ticket"].str[:-1] + "|" + port


def party(table: pd.DataFrame) -> pd.Series:
    """Key of those who also have the surname and the fare in common.

    Source: Deotte, "Titanic using Name only" and "Titanic WCG+XGBoost", Kaggle notebooks, 2018.
    """
    fare = table["Fare"].round(2).astype("str").fillna("?")
    return table["surname"] + "|" + fare + "|" + ticket_neighbours(table)


def linear_encoder() -> EncoderChain:
    """What a straight line can use: kinds as columns of 0 and 1, and the companions' fate."""
    return EncoderChain([*companions(), with_kinds(FATES)])


def mlp_encoder() -> EncoderChain:
    """The same with age, fare and family, whose effects are no straight lines."""
    return EncoderChain(
        [*companions(), with_kinds((*FATES, "Age", "fare_per_person", "family_size"))]
    )


def with_kinds(numbers: tuple[str, ...]) -> TabularEncoder:
    """Scaled numbers, and a column of 0 and 1 for each kind of passenger."""
    return TabularEncoder(numbers, ("kind",), categories="one_hot", levels={"kind": KINDS})


def trees_encoder() -> EncoderChain:
    """Numbers as they are; trees find the kinds themselves."""
    lifts = ("party_lift", "party_count", "neighbours_lift", "neighbours_count")
    who = ("is_woman", "is_woman_or_boy", "Pclass", "Age", "fare_per_person", "family_size")
    categories = ("title", "deck", "ticket_prefix", "Embarked")
    return EncoderChain([*companions(), TabularEncoder((*lifts, *who), categories, scaling="none")])


def companions() -> list[GroupStatistics]:
    """The fate of the other women and boys of the party, and of the ticket's neighbours."""
    return [
        GroupStatistics("party", among="is_woman_or_boy", cell="kind"),
        GroupStatistics(
            "ticket_neighbours", name="neighbours", among="is_woman_or_boy", cell="kind"
        ),
    ]


MEMBERS = (
    NetworkMember(
        name="logistic",
        encoder=linear_encoder,
        model=LinearSettings(),
        train=TrainSettings(
            epochs=150, batch_size=None, lr=0.05, weight_decay=0.1, evaluate_every=10
        ),
        search={
            # 150 steps in all: slower than 0.005 they do not arrive, faster than 0.3 they jump.
            "train.lr": Real(low=0.005, high=0.3, log=True),
            # Weaker than 0.01 changes nothing in so few steps, stronger than 3 forgets the kinds.
            "train.weight_decay": Real(low=0.01, high=3.0, log=True),
        },
    ),
    NetworkMember(
        name="mlp",
        encoder=mlp_encoder,
        model=MLPSettings(hidden=(16,), dropout=0.2),
        train=TrainSettings(
            epochs=150, batch_size=None, lr=0.01, weight_decay=1.0, evaluate_every=10
        ),
        n_seeds=4,
        search={
            # 150 steps in all: slower than 0.001 they do not arrive, faster than 0.1 they jump.
            "train.lr": Real(low=0.001, high=0.1, log=True),
            # Decay is per step and times lr, so it takes numbers this large to matter.
            "train.weight_decay": Real(low=0.01, high=10.0, log=True),
            # Half of some sixteen numbers is all that can be missed.
            "model.dropout": Real(low=0.05, high=0.5),
            # 800 passengers of nine kinds: wider learns them by heart, narrower is a line.
            "model.hidden": Choice(values=((8,), (16,), (32,), (64,), (16, 8))),
        },
    ),
    TreesMember(
        name="trees",
        encoder=trees_encoder,
        trees=TreesSettings(
            n_estimators=200,
            learning_rate=0.04,
            num_leaves=4,
            subsample=0.7,
            colsample_bytree=0.6,
            reg_lambda=10.0,
        ),
        search={
            # With the rate below, from a model that has hardly begun to one that knows each row.
            "trees.n_estimators": Whole(low=50, high=400, step=10),
            "trees.learning_rate": Real(low=0.01, high=0.2, log=True),
            # Class, sex and fate interact two or three at a time: four to eight leaves hold that.
            "trees.num_leaves": Whole(low=2, high=16, log=True),
            # Parties are of two to eight: a leaf of five is one family.
            "trees.min_child_samples": Whole(low=5, high=60, log=True),
            "trees.subsample": Real(low=0.4, high=1.0),
            "trees.colsample_bytree": Real(low=0.3, high=1.0),
            # From next to nothing to a pull that takes a hundred rows to overcome.
            "trees.reg_lambda": Real(low=0.1, high=100.0, log=True),
        },
    ),
)

COMPETITION = Competition(
    name="titanic",
    title="Titanic: who survived?",
    kaggle=Kaggle(slug="titanic"),
    files={"train": "train.csv", "test": "test.csv", "sample_submission": "gender_submission.csv"},
    id="PassengerId",
    target="Survived",
    classes=(0, 1),
    class_names=("died", "survived"),
    metric="accuracy",
    columns=COLUMNS,
    features=add_features,
    form="labels",
    folds=FoldPlan(n_folds=10, n_repeats=3, group="Ticket"),
    members=MEMBERS,
    sample=OfflineSample(
        write=sample.write,
        origin=sample.ORIGIN,
        synthetic=False,
        fingerprint=sample.fingerprint,
    ),
)
