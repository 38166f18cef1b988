"""A competition of a person's own folder, with its own metric and a file beside it; and its rows.

`write` puts the files that a person would have from Kaggle into a folder.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

N_TRAIN, N_TEST = 120, 30

FILE = '''"""Seven members on a few rows."""

from closeness import closeness
from foldwise import (
    Column,
    Competition,
    EstimatorMember,
    ExtraTreesSettings,
    FoldPlan,
    Metric,
    MLPSettings,
    NetworkMember,
    RecurrentSettings,
    TabMSettings,
    TabularEncoder,
    TextEncoder,
    TrainSettings,
    TreesMember,
    TreesSettings,
    Whole,
)

QUICK = TrainSettings(epochs=3, batch_size=32, lr=0.02)


def numbers():
    return TabularEncoder(numeric=["size"], categorical=["kind"])


def letters():
    return TextEncoder("kind", unit="char", max_len=6)


def network(name, model, encoder=numbers, n_seeds=2, **train):
    train = QUICK.model_copy(update=train)
    return NetworkMember(name=name, encoder=encoder, model=model, train=train, n_seeds=n_seeds)


COMPETITION = Competition(
    name="own",
    title="A few rows",
    files={"train": "train.csv", "test": "test.csv", "sample_submission": "sample.csv"},
    id="Id",
    target="win",
    classes=(0, 1),
    metric=Metric("closeness", closeness, True, on="probabilities"),
    columns=(Column(name="size", kind="float"), Column(name="kind", kind="text")),
    form="probabilities",
    folds=FoldPlan(n_folds=3),
    members=(
        network("mlp", MLPSettings(hidden=(8,), dropout=0.2), max_stack=2),
        network("stops", MLPSettings(hidden=(8,)), epochs=8, patience=1, lr=0.5, max_stack=4),
        network("tabm", TabMSettings(hidden=(8,), k=2), max_stack=3, n_seeds=1),
        network("gru", RecurrentSettings(embedding_size=3, hidden=4), letters, 1),
        TreesMember(
            name="trees",
            encoder=numbers,
            trees=TreesSettings(n_estimators=5, n_threads=1),
            n_seeds=2,
            search={"trees.num_leaves": Whole(low=2, high=16)},
        ),
        EstimatorMember(
            name="forest", encoder=numbers, estimator=ExtraTreesSettings(n_estimators=5)
        ),
    ),
)
'''
BESIDE = '''"""How near probabilities are to the labels."""

import numpy as np


def closeness(target, prediction, weight):
    return float(1 - np.mean(np.abs(target - prediction)))
'''


def write(home: Path) -> None:
    """The competition's file, the one beside it, and the rows."""
    rng = np.random.default_rng(3)
    n_rows = N_TRAIN + N_TEST
    size, kind = rng.normal(size=n_rows), rng.choice(["red", "green", "blue"], n_rows)
    win = (size + (kind == "red") + rng.normal(scale=0.5, size=n_rows) > 0).astype(int)
    rows = pd.DataFrame({"Id": np.arange(n_rows), "size": size, "kind": kind, "win": win})
    folder, files = home / "competitions", home / "files"
    for made in (folder, files):
        made.mkdir(parents=True)
    (folder / "own.py").write_text(FILE)
    (folder / "closeness.py").write_text(BESIDE)
    rows[:N_TRAIN].to_csv(files / "train.csv", index=False)
    rows[N_TRAIN:].drop(columns="win").to_csv(files / "test.csv", index=False)
    rows[N_TRAIN:][["Id", "win"]].assign(win=0).to_csv(files / "sample.csv", index=False)
