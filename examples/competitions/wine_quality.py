"""Wine quality: which grade from 3 to 9 do tasters give? Ordered labels, quadratic kappa."""

from foldwise import (
    Column,
    Competition,
    EstimatorMember,
    ExtraTreesSettings,
    FoldPlan,
    TabularEncoder,
    TreesMember,
    TreesSettings,
)

NUMBERS = ["fixed acidity", "volatile acidity", "citric acid", "residual sugar", "chlorides"]
NUMBERS += ["free SO2", "total SO2", "density", "pH", "sulphates", "alcohol"]
DERIVED = ["free share", "acidity ratio", "body"]


def add_features(table):
    """Shares that a taster would notice."""
    return table.assign(
        **{
            "free share": table["free SO2"] / (1 + table["total SO2"]),
            "acidity ratio": table["volatile acidity"] / (1 + table["citric acid"]),
            "body": table["alcohol"] * table["density"] - table["residual sugar"] / 10,
        }
    )


def numbers():
    """All numbers as they are."""
    return TabularEncoder([*NUMBERS, *DERIVED], scaling="none")


def filled():
    """The same standardised, with missing ones filled."""
    return TabularEncoder([*NUMBERS, *DERIVED])


COMPETITION = Competition(
    name="wine-quality",
    title="Wine quality: which grade do tasters give?",
    files={"train": "train.csv", "test": "test.csv", "sample_submission": "sample_submission.csv"},
    id="id",
    target="quality",
    classes=(3, 4, 5, 6, 7, 8, 9),
    metric="qwk",
    columns=tuple(Column(name=name, kind="float", missing=True) for name in NUMBERS),
    features=add_features,
    folds=FoldPlan(n_folds=5),
    members=(
        TreesMember(
            name="trees",
            encoder=numbers,
            trees=TreesSettings(n_estimators=900, learning_rate=0.03, num_leaves=31),
            n_seeds=2,
        ),
        EstimatorMember(
            name="extra-trees",
            encoder=filled,
            estimator=ExtraTreesSettings(n_estimators=400, max_features=0.6),
            n_seeds=1,
        ),
    ),
)
