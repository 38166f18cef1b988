"""Otto: which of nine classes is a product in, by 93 counts that nobody says the meaning of?

What tells classes apart is the company a product keeps: the distances to the nearest products of
each class are the strongest inputs, and a network that cuts each count into pieces makes the most
of them. Members are chosen on log-loss in cross-validation.
"""

from __future__ import annotations

import pandas as pd

from features.encoders.base import EncoderBlocks
from features.encoders.bins import BinPlaces
from features.encoders.counts import CountVectors, LogCounts
from features.encoders.neighbours import ClassNeighbours
from features.folds import FoldPlan
from features.tables.schema import Column
from models.estimators.sklearn_models import LogisticSettings
from models.estimators.trees import TreesSettings
from models.networks.mlp import MLPSettings
from models.networks.tabm import TabMSettings
from models.training.fit import TrainSettings
from pipelines.configuration.competition import Competition, Kaggle, OfflineSample
from pipelines.configuration.search_space import Choice, Real, Whole
from pipelines.members.network import NetworkMember
from pipelines.members.trees import TreesMember
from pipelines.raw_files.samples import otto as sample

COUNTS = tuple(f"feat_{number}" for number in range(1, 94))
CLASSES = tuple(f"Class_{number}" for number in range(1, 10))
N_BINS = 4
SPACES = {
    "near_by_size": CountVectors(COUNTS, unit_length=False),
    "near_by_mixture": CountVectors(COUNTS),
    "near_by_rarity": CountVectors(COUNTS, weighted=True),
    "near_by_share": CountVectors(COUNTS, damping="root"),
}
NUMBERS = ("logs", *SPACES)
ALL_INPUTS = {"x_num": NUMBERS, "x_bin": ("bins",)}


def as_it_is(table: pd.DataFrame) -> pd.DataFrame:
    """The table: all that is known of a product are its counts."""
    return table


def product_encoder() -> EncoderBlocks:
    """Counts, their places among bin edges, and the distances to each class in four spaces."""
    neighbours = {
        name: ClassNeighbours(space, nearest=(1, 4, 16)) for name, space in SPACES.items()
    }
    return EncoderBlocks(
        {
            "logs": LogCounts(COUNTS),
            "bins": BinPlaces(COUNTS, n_bins=N_BINS, logs=True),
            **neighbours,
        }
    )


MEMBERS = (
    NetworkMember(
        name="notes",
        encoder=product_encoder,
        inputs={"x_num": ("logs",)},
        model=MLPSettings(hidden=(128, 64), dropout=0.0),
        train=TrainSettings(epochs=10, batch_size=128, schedule="one_cycle", evaluate_every=5),
        search={
            # One cycle reaches its peak for a moment only: it bears ten times the usual 1e-3.
            "train.lr": Real(low=3e-4, high=1e-2, log=True),
            # Ten epochs hardly overfit: from none, as in the notes, to a decay that is felt.
            "train.weight_decay": Real(low=0.0, high=0.3),
            "model.dropout": Real(low=0.0, high=0.5),
            # Up to four times the width of the notes; more is the business of the larger members.
            "model.hidden": Choice(values=((128, 64), (256, 128), (512, 256), (256, 256, 128))),
        },
    ),
    NetworkMember(
        name="tabm",
        encoder=product_encoder,
        inputs=ALL_INPUTS,
        model=TabMSettings(k=8, hidden=(256, 256, 256), dropout=0.2, n_bins=N_BINS),
        train=TrainSettings(
            epochs=12,
            batch_size=256,
            lr=5e-3,
            weight_decay=0.01,
            schedule="one_cycle",
            evaluate_every=4,
            strategy="sequential",  # three times as fast as a stack: its products fill a core
        ),
        search={
            # The paper's own space for AdamW, without the end that needs hundreds of epochs.
            # Source: Gorishniy et al., "TabM", 2025, appendix on hyperparameters.
            "train.lr": Real(low=1e-3, high=1e-2, log=True),
            "train.weight_decay": Real(low=1e-3, high=0.1, log=True),
            "model.dropout": Real(low=0.0, high=0.5),
        },
    ),
    NetworkMember(
        name="mlp",
        encoder=product_encoder,
        inputs=ALL_INPUTS,
        # A little more input dropout would be better alone (0.452 for 0.454), but this one is less
        # like TabM: in the blend it is worth twice as much.
        model=MLPSettings(hidden=(512, 512), dropout=0.5, input_dropout=0.1, n_bins=N_BINS),
        train=TrainSettings(
            epochs=25,
            batch_size=256,
            lr=2e-3,
            weight_decay=0.01,
            schedule="one_cycle",
            evaluate_every=5,
        ),
        search={
            # One cycle at batches of 256: below 3e-4 25 epochs are too few, above 1e-2 too rough.
            "train.lr": Real(low=3e-4, high=1e-2, log=True),
            "train.weight_decay": Real(low=1e-3, high=0.3, log=True),
            # 512 numbers over 93 noisy counts: without dropout the network learns rows by heart.
            "model.dropout": Real(low=0.2, high=0.7),
            "model.input_dropout": Real(low=0.05, high=0.5),
        },
    ),
    TreesMember(
        name="trees",
        encoder=product_encoder,
        inputs={"x_num": NUMBERS},
        trees=TreesSettings(
            n_estimators=190,
            learning_rate=0.06,
            num_leaves=31,
            min_child_samples=40,
            colsample_bytree=0.15,
            subsample=0.8,
            reg_lambda=5.0,
            max_bin=127,
        ),
        search={
            # 190 rounds: the rate decides how far they go.
            "trees.learning_rate": Real(low=0.03, high=0.15, log=True),
            "trees.num_leaves": Whole(low=15, high=63, log=True),
            # 60,000 rows in nine classes: leaves of ten are noise, of 200 miss the small classes.
            "trees.min_child_samples": Whole(low=10, high=200, log=True),
            # Many of the 160 columns tell the same distance: few per tree make trees differ.
            "trees.colsample_bytree": Real(low=0.08, high=0.5, log=True),
            "trees.subsample": Real(low=0.5, high=1.0),
            "trees.reg_lambda": Real(low=0.5, high=50.0, log=True),
        },
    ),
)

COMPETITION = Competition(
    name="otto",
    title="Otto: which class is a product in?",
    kaggle=Kaggle(slug="otto-group-product-classification-challenge"),
    files={"train": "train.csv", "test": "test.csv", "sample_submission": "sampleSubmission.csv"},
    id="id",
    target="target",
    classes=CLASSES,
    metric="log_loss",
    columns=tuple(Column(name=name, kind="int", minimum=0) for name in COUNTS),
    features=as_it_is,
    form="probabilities",
    folds=FoldPlan(n_folds=10),
    members=MEMBERS,
    stackers={"stacked lines": LogisticSettings(C=0.01)},
    sample=OfflineSample(
        write=sample.write,
        origin=sample.ORIGIN,
        synthetic=True,
        fingerprint=sample.fingerprint,
    ),
)
