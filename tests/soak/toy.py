"""A competition that a person wrote, small enough to run in a second: its file and its tables."""

from pathlib import Path

import numpy as np
import pandas as pd

N_TRAIN, N_TEST = 60, 24
KINDS = ("red", "green", "blue")
NAME = "toy"

COMPETITION = '''"""A toy."""

from foldwise import (
    Column,
    Competition,
    EstimatorMember,
    FoldPlan,
    Kaggle,
    LogisticSettings,
    MLPSettings,
    NetworkMember,
    Real,
    TabularEncoder,
    TrainSettings,
    TreesMember,
    TreesSettings,
)


def add_double(table):
    """Twice the size."""
    return table.assign(double=table["size"] * 2)


def scaled():
    """For networks and linear models."""
    return TabularEncoder(numeric=["size", "double"], categorical=["kind"])


def unscaled():
    """For trees."""
    return TabularEncoder(numeric=["size"], categorical=["kind"], scaling="none")


COMPETITION = Competition(
    name="toy",
    title="A toy",
    kaggle=Kaggle(slug="toy"),
    files={"train": "train.csv", "test": "test.csv", "sample_submission": "sample.csv"},
    id="Id",
    target="win",
    classes=(0, 1),
    metric="accuracy",
    columns=(
        Column(name="size", kind="float", minimum=-10, missing=True),
        Column(name="kind", kind="text", missing=True),
    ),
    features=add_double,
    form="labels",
    folds=FoldPlan(n_folds=2),
    members=(
        NetworkMember(
            name="mlp",
            encoder=scaled,
            model=MLPSettings(hidden=(4,), dropout=0.2),
            train=TrainSettings(epochs=6, batch_size=16, lr=0.05, patience=2),
            n_seeds=2,
            search={"train.lr": Real(low=1e-3, high=0.3, log=True)},
        ),
        TreesMember(
            name="trees",
            encoder=unscaled,
            trees=TreesSettings(n_estimators=5, n_threads=1),
            search={"trees.learning_rate": Real(low=0.01, high=0.3, log=True)},
        ),
        EstimatorMember(name="logistic", encoder=scaled, estimator=LogisticSettings()),
    ),
)
'''


def rows(n_rows: int, first_id: int) -> pd.DataFrame:
    """Rows whose target follows size and kind, with some noise."""
    rng = np.random.default_rng(first_id)
    size, kind = rng.normal(size=n_rows), rng.choice(KINDS, n_rows)
    target = size + (kind == "red") + rng.normal(scale=0.5, size=n_rows) > 0
    ids = np.arange(first_id, first_id + n_rows)
    return pd.DataFrame({"Id": ids, "win": target.astype(int), "size": size, "kind": kind})


def write(folder: Path) -> None:
    """A folder to work in: `competitions/toy.py`, and Kaggle's three files in `files/`."""
    (folder / "competitions").mkdir(parents=True)
    (folder / "competitions" / f"{NAME}.py").write_text(COMPETITION)
    files = folder / "files"
    files.mkdir()
    train, test = rows(N_TRAIN, 1), rows(N_TEST, 1001)
    train.to_csv(files / "train.csv", index=False)
    test.drop(columns="win").to_csv(files / "test.csv", index=False)
    test[["Id", "win"]].assign(win=0).to_csv(files / "sample.csv", index=False)
