"""Adult income: who earns more than 50,000 dollars a year? One probability column, AUC."""

from foldwise import (
    Column,
    Competition,
    FoldPlan,
    MLPSettings,
    NetworkMember,
    TabularEncoder,
    TrainSettings,
    TreesMember,
    TreesSettings,
)

NUMBERS = ["age", "education-num", "capital-gain", "capital-loss", "hours-per-week"]
TEXTS = ["workclass", "education", "marital-status", "occupation", "relationship", "race"]
TEXTS += ["gender", "native-country"]


def for_trees():
    """Numbers as they are, categories as codes."""
    return TabularEncoder(NUMBERS, TEXTS, scaling="none", min_count=5)


def for_networks():
    """Gains are 0 for nine in ten people: their ranks are more even than their size."""
    return TabularEncoder(NUMBERS, TEXTS, scaling="quantile", min_count=20)


COMPETITION = Competition(
    name="adult-income",
    title="Adult income: who earns more than 50,000 dollars?",
    files={"train": "train.csv", "test": "test.csv", "sample_submission": "sample_submission.csv"},
    id="id",
    target="income",
    classes=(0, 1),
    class_names=("less", "more"),
    metric="auc",
    columns=(
        *(Column(name=name, kind="int") for name in NUMBERS),
        *(Column(name=name, kind="text", missing=("?",)) for name in TEXTS),
    ),
    folds=FoldPlan(n_folds=5),
    members=(
        TreesMember(
            name="trees",
            encoder=for_trees,
            trees=TreesSettings(
                n_estimators=1200,
                learning_rate=0.02,
                num_leaves=12,
                subsample=0.8,
                colsample_bytree=0.4,
                reg_lambda=5.0,
            ),
            n_seeds=2,
        ),
        TreesMember(
            name="small-trees",
            encoder=for_trees,
            trees=TreesSettings(n_estimators=900, learning_rate=0.05, num_leaves=6, reg_lambda=5.0),
        ),
        NetworkMember(
            name="mlp",
            encoder=for_networks,
            model=MLPSettings(hidden=(64, 32), dropout=0.2),
            train=TrainSettings(epochs=12, batch_size=256, lr=3e-3, schedule="one_cycle"),
        ),
    ),
)
