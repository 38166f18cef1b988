"""Rotten Tomatoes: how good or bad is a phrase, on five steps from very bad to very good?

The phrases are all the parts of sentences from film reviews. Folds keep the phrases of a sentence
together. Three networks read the words and what they are spelled with, a bag and a straight line
count them, and a second level sees, beside their predictions, those of the phrases around and
within each phrase: only texts of the file at hand are used for that.

Kaggle's files hold each phrase once: 15 of 100 test phrases stand, word for word, in the training
file too, mostly short ones, and a label belongs to a phrase, wherever it stands. They take the
training file's label. The cross-validated score is built the same way: for that share of the rows
the label is known, for the others it is the accuracy on held-out phrases that stand in no
sentence of the other folds.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from features.encoders.text import TextEncoder
from features.folds import FoldPlan
from features.phrase_nesting import nest, stand_elsewhere
from features.tables.schema import Column
from models.estimators.ngrams import NgramSettings
from models.estimators.trees import TreesSettings
from models.networks.bag import BagSettings
from models.networks.recurrent import Cell, RecurrentSettings
from models.networks.subwords import Parts
from models.training.fit import TrainSettings
from pipelines.configuration.competition import Competition, Kaggle, Known, OfflineSample
from pipelines.configuration.search_space import Real, Search
from pipelines.members.estimator import EstimatorMember
from pipelines.members.network import NetworkMember
from pipelines.raw_files.samples import rotten_tomatoes as sample

CLASS_NAMES = ("very bad", "bad", "neutral", "good", "very good")
RATINGS = np.arange(len(CLASS_NAMES), dtype=np.float64)


def as_it_is(table: pd.DataFrame) -> pd.DataFrame:
    """The table: all that is known of a phrase are its words."""
    return table


def phrase_encoder() -> TextEncoder:
    """Words by number and by spelling; those that stand once in a fold's training rows are unknown.

    Of the words of a new sentence one in sixteen is unknown. Capitals tell names, endings tell
    adverbs from nouns, "un-" and "-less" turn what they stand beside. The longest of Kaggle's
    phrases has 53 words and marks. One width for all folds: a longest phrase that is held out
    would make its fold narrower than the others.
    """
    return TextEncoder("Phrase", min_count=2, max_len=64, fixed_width=True, spelled=True)


def kin(table: pd.DataFrame, predicted: np.ndarray) -> np.ndarray:
    """What is predicted for the phrases around, within and beside each one: `(n_rows, 42)`.

    Each as log-probabilities and, since the classes are ordered, as an expected rating.
    """
    phrases = nest(table["Phrase"].to_list(), table["SentenceId"].to_numpy())
    logs = np.log(np.clip(predicted, 1e-4, None))
    views = (phrases.around, phrases.within, phrases.beside, phrases.whole)
    related = [logs[rows] for rows in views]
    related += [phrases.mean_around(logs), phrases.mean_within(logs)]
    rating = predicted @ RATINGS
    ratings = [rating[:, None], *(np.exp(own) @ RATINGS[:, None] for own in related)]
    sizes = [np.log1p(phrases.n_words[rows])[:, None] for rows in (slice(None), *views)]
    return np.hstack([*related, *ratings, *sizes])


def is_new(table: pd.DataFrame, fold_of_row: np.ndarray) -> np.ndarray:
    """Held-out phrases that stand in no sentence of the other folds."""
    phrases, sentences = table["Phrase"].to_list(), table["SentenceId"].to_numpy()
    return ~stand_elsewhere(phrases, sentences, fold_of_row)


READING = TrainSettings(
    epochs=4,
    batch_size=256,
    lr=3e-3,
    weight_decay=0.01,
    schedule="one_cycle",
    grad_clip=5.0,
    length_pool=50,
)
READERS: Search = {
    # Four epochs under one cycle: a peak below 5e-4 is too little, above 1e-2 gradients are cut.
    "train.lr": Real(low=5e-4, high=1e-2, log=True),
    # Vectors of rare words overfit first: without dropout they are learned by heart.
    "model.dropout": Real(low=0.1, high=0.6),
    "model.word_dropout": Real(low=0.0, high=0.3),
}


def reader(name: str, cell: Cell, spelling: Parts) -> NetworkMember:
    """A network that reads the words of a phrase from both ends."""
    return NetworkMember(
        name=name,
        encoder=phrase_encoder,
        model=RecurrentSettings(
            cell=cell,
            embedding_size=200,
            hidden=128,
            dropout=0.4,
            word_dropout=0.2,
            spelling=spelling,
        ),
        train=READING,
        search=READERS,
    )


MEMBERS = (
    reader("gru", "gru", "ends"),
    reader("gru-letters", "gru", "runs"),
    reader("lstm", "lstm", "ends"),
    NetworkMember(
        name="bag",
        encoder=phrase_encoder,
        model=BagSettings(spelling="runs"),
        train=READING.model_copy(update={"epochs": 5, "batch_size": 128, "lr": 2e-3}),
        search=READERS,
    ),
    EstimatorMember(
        name="tf-idf",
        encoder=phrase_encoder,
        inputs={"x_num": ("tokens",)},
        estimator=NgramSettings(),
        # From weights of which only the commonest runs have one to hardly any penalty.
        search={"estimator.C": Real(low=0.1, high=30.0, log=True)},
    ),
)

COMPETITION = Competition(
    name="rotten-tomatoes",
    title="Rotten Tomatoes: how good does a phrase say that a film is?",
    kaggle=Kaggle(slug="sentiment-analysis-on-movie-reviews"),
    files={"train": "train.tsv", "test": "test.tsv", "sample_submission": "sampleSubmission.csv"},
    separator="\t",
    quoting=False,
    id="PhraseId",
    target="Sentiment",
    classes=(0, 1, 2, 3, 4),
    class_names=CLASS_NAMES,
    metric="accuracy",
    columns=(
        Column(name="SentenceId", kind="int", about="which sentence the phrase is from"),
        Column(name="Phrase", kind="text", keep_empty=True, about="words and marks"),
    ),
    features=as_it_is,
    form="labels",
    folds=FoldPlan(n_folds=4, group="SentenceId"),
    members=MEMBERS,
    stackers={
        "kin": TreesSettings(
            n_estimators=120,
            learning_rate=0.08,
            num_leaves=15,
            min_child_samples=50,
            colsample_bytree=0.4,
            reg_lambda=10.0,
            max_bin=63,
        ),
    },
    text="Phrase",
    kin=kin,
    known=Known(key="Phrase", is_new=is_new),
    sample=OfflineSample(
        write=sample.write,
        origin=sample.ORIGIN,
        synthetic=True,
        fingerprint=sample.fingerprint,
    ),
)
