"""Titanic: who survived? People who travelled together mostly lived or died together.

A few features keep the cross-validated score close to the leaderboard's: who a passenger is
(woman, boy or man, and the class), what became of the women and children of the same party, and
of those with the neighbouring tickets.

Folds are grouped by ticket. The offline sample is split that way; on Kaggle's rows, where some
companions of the test passengers are in the training file, the score is a little pessimistic.
"""

from __future__ import annotations

import pandas as pd

from foldwise import (
    Choice,
    Column,
    Competition,
    EncoderChain,
    FoldPlan,
    GroupStatistics,
    Kaggle,
    LinearSettings,
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
    """The table with row-wise features of each passenger, and the keys of their companions."""
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
    """The title between the comma and the first dot, with rare forms mapped to the usual one."""
    found = name.str.extract(r",\s*([^.,]*)\.", expand=False).str.strip()
    return found.map(TITLES).fillna("other").astype("str")


def ticket_prefix(ticket: pd.Series) -> pd.Series:
    """The letters before the number, without dots and slashes; missing where there are none."""
    letters = ticket.str.extract(r"^(.*\D)\s*\d*$", expand=False)
    letters = letters.str.replace(r"[^A-Za-z0-9]", "", regex=True).str.upper()
    return letters.where(letters != "")


def kind(table: pd.DataFrame) -> pd.Series:
    """Woman, boy or man, and the class: `woman 1` to `man 3`."""
    who = pd.Series("man", index=table.index, dtype="str")
    who = who.mask(table["is_woman_or_boy"], "boy").mask(table["is_woman"], "woman")
    return who + " " + table["Pclass"].astype("str")


def ticket_neighbours(table: pd.DataFrame) -> pd.Series:
    """Key of tickets that differ at most in the last character: often friends on one deck."""
    port = table["Embarked"].fillna("?")
    return table["Pclass"].astype("str") + "|" + table["Ticket"].str[:-1] + "|" + port


def party(table: pd.DataFrame) -> pd.Series:
    """Key of passengers who also share surname and fare.

    Source: Deotte, "Titanic using Name only" and "Titanic WCG+XGBoost", Kaggle notebooks, 2018.
    """
    fare = table["Fare"].round(2).astype("str").fillna("?")
    return table["surname"] + "|" + fare + "|" + ticket_neighbours(table)


def linear_encoder() -> EncoderChain:
    """For a linear model: one-hot kinds and the survival of companions."""
    return EncoderChain([*companions(), with_kinds(FATES)])


def mlp_encoder() -> EncoderChain:
    """The same with age, fare and family size, whose effects are not linear."""
    return EncoderChain(
        [*companions(), with_kinds((*FATES, "Age", "fare_per_person", "family_size"))]
    )


def with_kinds(numbers: tuple[str, ...]) -> TabularEncoder:
    """Scaled numbers and one-hot kinds of passenger."""
    return TabularEncoder(numbers, ("kind",), categories="one_hot", levels={"kind": KINDS})


def trees_encoder() -> EncoderChain:
    """Unscaled numbers; trees find the kinds themselves."""
    lifts = ("party_lift", "party_count", "neighbours_lift", "neighbours_count")
    who = ("is_woman", "is_woman_or_boy", "Pclass", "Age", "fare_per_person", "family_size")
    categories = ("title", "deck", "ticket_prefix", "Embarked")
    return EncoderChain([*companions(), TabularEncoder((*lifts, *who), categories, scaling="none")])


def companions() -> list[GroupStatistics]:
    """Survival of the other women and boys of the party, and of the neighbouring tickets."""
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
            # In 150 steps, rates below 0.005 do not converge and rates above 0.3 are unstable.
            "train.lr": Real(low=0.005, high=0.3, log=True),
            # Below 0.01 changes nothing in so few steps; above 3 underfits the kinds.
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
            # In 150 steps, rates below 0.001 do not converge and rates above 0.1 are unstable.
            "train.lr": Real(low=0.001, high=0.1, log=True),
            # Decay is per step and times lr, so only values this large matter.
            "train.weight_decay": Real(low=0.01, high=10.0, log=True),
            # There are about sixteen inputs: half of them is the most that can be dropped.
            "model.dropout": Real(low=0.05, high=0.5),
            # 800 passengers of nine kinds: wider networks memorise, narrower ones are linear.
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
            # With the rate below, from clear underfitting to clear overfitting.
            "trees.n_estimators": Whole(low=50, high=400, step=10),
            "trees.learning_rate": Real(low=0.01, high=0.2, log=True),
            # Class, sex and companions interact two or three at a time: four to eight leaves.
            "trees.num_leaves": Whole(low=2, high=16, log=True),
            # Parties have two to eight members: a leaf of five is one family.
            "trees.min_child_samples": Whole(low=5, high=60, log=True),
            "trees.subsample": Real(low=0.4, high=1.0),
            "trees.colsample_bytree": Real(low=0.3, high=1.0),
            # From almost none to a penalty that outweighs a hundred rows.
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
