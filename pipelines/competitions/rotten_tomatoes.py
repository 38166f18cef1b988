"""Rotten Tomatoes: the sentiment of a review phrase, from 0 (very bad) to 4 (very good).

The phrases are the nodes of parsed sentences from film reviews, and folds are grouped by sentence.
Three networks read words and their spelling, a bag of embeddings and a linear model count them,
and a second level also sees the predictions for the phrases around and within each phrase; it
uses only texts of the same file.

Kaggle's files hold each phrase once, and a label belongs to the phrase: 15 of 100 test phrases,
mostly short ones, also occur in the training file and take its label. The cross-validated score is
built the same way: for that share of the rows the label is known, for the rest it is the accuracy
on held-out phrases that occur in no sentence of the other folds.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from features.phrase_nesting import nest, stand_elsewhere
from foldwise import (
    BagSettings,
    Cell,
    Column,
    Competition,
    EstimatorMember,
    FileFormat,
    FoldPlan,
    Kaggle,
    MLPSettings,
    NetworkMember,
    NgramSettings,
    OfflineSample,
    Parts,
    PretrainedTextEncoder,
    Real,
    RecurrentSettings,
    Search,
    SecondLevel,
    TextEncoder,
    TrainSettings,
    TrainTestOverlap,
    TreesSettings,
)
from pipelines.raw_files.samples import rotten_tomatoes as sample

CLASS_NAMES = ("very bad", "bad", "neutral", "good", "very good")
RATINGS = np.arange(len(CLASS_NAMES), dtype=np.float64)


def as_it_is(table: pd.DataFrame) -> pd.DataFrame:
    """The table unchanged: a phrase has nothing but its words."""
    return table


def phrase_encoder() -> TextEncoder:
    """Words by number and by spelling; words that occur once in the training rows are unknown.

    One in sixteen words of a new sentence is unknown; spelling still carries information: capitals
    mark names, endings tell adverbs from nouns, "un-" and "-less" negate. The longest of Kaggle's
    phrases has 53 tokens. The width is fixed, since a fold that holds out the longest phrase would
    be narrower than the others.
    """
    return TextEncoder("Phrase", min_count=2, max_len=64, fixed_width=True, spelled=True)


def context(table: pd.DataFrame, predicted: np.ndarray) -> np.ndarray:
    """The predictions for the phrases around, within and beside each one: `(n_rows, 42)`.

    As log-probabilities and, since the classes are ordered, as expected ratings.
    """
    phrases = nest(table["Phrase"].to_list(), table["SentenceId"].to_numpy())
    logs = np.log(np.clip(predicted, 1e-4, None))
    views = (phrases.around, phrases.within, phrases.beside, phrases.whole)
    related = [logs[rows] for rows in views]
    related += [phrases.mean_around(logs), phrases.mean_within(logs)]
    rating = predicted @ RATINGS
    ratings = [rating[:, None], *(np.exp(view) @ RATINGS[:, None] for view in related)]
    sizes = [np.log1p(phrases.n_words[rows])[:, None] for rows in (slice(None), *views)]
    return np.hstack([*related, *ratings, *sizes])


def is_new(table: pd.DataFrame, fold_of_row: np.ndarray) -> np.ndarray:
    """Held-out phrases that occur in no sentence of the other folds."""
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
    # Four epochs of one cycle: peaks below 5e-4 are too low, above 1e-2 gradients are clipped.
    "train.lr": Real(low=5e-4, high=1e-2, log=True),
    # Vectors of rare words overfit first: without dropout they are memorised.
    "model.dropout": Real(low=0.1, high=0.6),
    "model.word_dropout": Real(low=0.0, high=0.3),
}


def reader(name: str, cell: Cell, spelling: Parts) -> NetworkMember:
    """A bidirectional network over the words of a phrase."""
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


def meaning_encoder() -> PretrainedTextEncoder:
    """What MiniLM, which was trained on pairs of sentences and not on sentiment, makes of them."""
    return PretrainedTextEncoder("Phrase", max_len=96)


MEANING = NetworkMember(
    name="meaning",
    encoder=meaning_encoder,
    model=MLPSettings(hidden=(384,), dropout=0.4),
    train=TrainSettings(epochs=6, batch_size=512, lr=2e-3, weight_decay=0.01, schedule="one_cycle"),
    search={
        "train.lr": Real(low=3e-4, high=1e-2, log=True),
        "model.dropout": Real(low=0.1, high=0.6),
    },
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
        # From a penalty under which only common n-grams count, to almost none.
        search={"estimator.C": Real(low=0.1, high=30.0, log=True)},
    ),
)

COMPETITION = Competition(
    name="rotten-tomatoes",
    title="Rotten Tomatoes: what is the sentiment of a review phrase, from 0 to 4?",
    kaggle=Kaggle(slug="sentiment-analysis-on-movie-reviews"),
    files={"train": "train.tsv", "test": "test.tsv", "sample_submission": "sampleSubmission.csv"},
    file_format=FileFormat(separator="\t", quoting=False),
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
    optional_members=(MEANING,),  # needs the extra `text`
    second_level=SecondLevel(
        stackers={
            "context": TreesSettings(
                n_estimators=120,
                learning_rate=0.08,
                num_leaves=15,
                min_child_samples=50,
                colsample_bytree=0.4,
                reg_lambda=10.0,
                max_bin=63,
            ),
        },
        context_features=context,
    ),
    text="Phrase",
    train_test_overlap=TrainTestOverlap(key="Phrase", is_new=is_new),
    sample=OfflineSample(
        write=sample.write,
        origin=sample.ORIGIN,
        synthetic=True,
        fingerprint=sample.fingerprint,
    ),
)
