"""Digit Recognizer: which of ten digits did somebody write by hand, on 28 by 28 pixels?

The course climbs from linear layers over convolutions to Inception and residual blocks; its four
networks are here as they were. What carries the score is a small network that sees every picture
moved, turned and bent a little anew in each epoch, and in several views when it predicts.
"""

from __future__ import annotations

import pandas as pd

from features.encoders.images import ImageEncoder
from features.folds import FoldPlan
from features.tables.schema import Column
from models.networks.convnet import SmallConvNetSettings
from models.networks.course_convnets import (
    ConvNetSettings,
    InceptionNetSettings,
    PixelMLPSettings,
    ResidualNetSettings,
)
from models.training.augmentation import WarpSettings
from models.training.settings import Strategy, TrainSettings
from pipelines.configuration.competition import Competition, ForeignForm, Kaggle, OfflineSample
from pipelines.configuration.search_space import Real, Search
from pipelines.members.network import NetworkMember
from pipelines.raw_files.conversions import mnist
from pipelines.raw_files.samples import digits as sample

PIXELS = sample.PIXELS
MEAN, DEVIATION = 0.1307, 0.3081  # of MNIST's training pixels, as shares of 255


def as_it_is(table: pd.DataFrame) -> pd.DataFrame:
    """The table: all that is known of a digit are its pixels."""
    return table


def pixels_encoder() -> ImageEncoder:
    """Pictures of mean 0 and deviation 1."""
    return ImageEncoder(PIXELS, height=28, width=28, mean=MEAN, deviation=DEVIATION)


def course_training(epochs: int, *, strategy: Strategy = "auto") -> TrainSettings:
    """How all of the course's networks are trained: the best weights of each replica are kept."""
    return TrainSettings(
        epochs=epochs,
        batch_size=64,
        lr=2e-3,
        schedule="one_cycle",
        patience=epochs,
        monitor="metric",
        eval_batch_size=256,
        strategy=strategy,
    )


# One cycle over six epochs: the course's own rate for plain SGD, 0.01, is already rough for AdamW.
COURSE_SEARCH: Search = {"train.lr": Real(low=3e-4, high=1e-2, log=True)}

MLP = NetworkMember(
    name="mlp",
    encoder=pixels_encoder,
    model=PixelMLPSettings(),
    train=course_training(6, strategy="sequential"),  # its products fill a core
    search=COURSE_SEARCH,
)
CONVNET = NetworkMember(
    name="convnet",
    encoder=pixels_encoder,
    model=ConvNetSettings(),
    train=course_training(6),
    search=COURSE_SEARCH,
)
INCEPTION = NetworkMember(
    name="inception",
    encoder=pixels_encoder,
    model=InceptionNetSettings(),
    train=course_training(6),
    search=COURSE_SEARCH,
)
RESIDUAL = NetworkMember(
    name="residual",
    encoder=pixels_encoder,
    model=ResidualNetSettings(),
    train=course_training(6),
    search=COURSE_SEARCH,
)
MODERN = NetworkMember(
    name="modern",
    encoder=pixels_encoder,
    model=SmallConvNetSettings(),
    # No label smoothing: the blend goes by log-loss, in which it fell behind the course's ConvNet.
    train=TrainSettings(
        epochs=12,
        batch_size=128,
        lr=3e-3,
        weight_decay=0.05,
        schedule="one_cycle",
        patience=12,
        monitor="metric",
        evaluate_every=3,
        eval_batch_size=256,
        augment=WarpSettings(rotate=10.0, elastic=0.6),
        n_views=5,
    ),
    search={
        "train.lr": Real(low=1e-3, high=1e-2, log=True),
        "model.dropout": Real(low=0.0, high=0.5),
        # A 6 that is turned by 30 degrees is no 9 yet, but such people are rare.
        "train.augment.rotate": Real(low=0.0, high=25.0),
        "train.augment.elastic": Real(low=0.0, high=1.2),
        "train.augment.shift": Real(low=0.0, high=3.0),
    },
)

COMPETITION = Competition(
    name="digit-recognizer",
    title="Digit Recognizer: which digit is it?",
    kaggle=Kaggle(slug="digit-recognizer"),
    files={"train": "train.csv", "test": "test.csv", "sample_submission": "sample_submission.csv"},
    id="ImageId",
    target="label",
    numbered=True,
    answer="Label",
    classes=tuple(range(10)),
    metric="accuracy",
    columns=tuple(Column(name=name, kind="byte") for name in PIXELS),
    features=as_it_is,
    form="labels",
    folds=FoldPlan(n_folds=4),
    members=(MLP, CONVNET, MODERN),
    spare=(INCEPTION, RESIDUAL),  # half of a run's time, for what MODERN knows better
    foreign=(ForeignForm(files=mnist.FILES, convert=mnist.convert),),
    sample=OfflineSample(
        write=sample.write,
        origin=sample.ORIGIN,
        synthetic=False,
        fingerprint=sample.fingerprint,
    ),
)
