"""Test rows that occur in the training file, and context features of the stackers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from features.folds import Folds
from models.ensembling.goal import Goal
from models.estimators.sklearn_models import LogisticSettings
from models.metrics import METRICS
from models.tasks import Task
from pipelines.configuration.competition import SecondLevel, TrainTestOverlap
from pipelines.members.predictions import Predictions
from pipelines.stages.ensemble import EnsembleSettings, ensemble
from pipelines.stages.train_test_overlap import find_overlap, with_matching_classes

N_ROWS, ACCURACY = 400, METRICS["accuracy"]
RNG = np.random.default_rng(0)
TARGET = RNG.integers(0, 2, N_ROWS)
FOLDS = Folds(np.arange(N_ROWS)[None] % 4)
TRAIN = pd.DataFrame({"text": [f"t{row}" for row in range(N_ROWS)]})
TEST = pd.DataFrame({"text": ["t3", "new", "t8", "both", "newer"]})
KEYED = TrainTestOverlap("text", lambda table, fold: np.arange(len(table)) % 8 < 4)
GOAL = Goal(TARGET, Task("binary", 2), METRICS["accuracy"])


def member(right: np.ndarray) -> Predictions:
    predicted = np.where(right, TARGET, 1 - TARGET)
    oof = np.eye(2)[predicted] * 0.6 + 0.2
    scores = np.array([right[FOLDS.assignment[0] == fold].mean() for fold in range(4)])
    return Predictions("only", oof, np.full((len(TEST), 2), 0.5), scores)


def test_overlapping_rows_take_the_label_of_the_training_row() -> None:
    train = pd.concat([TRAIN, pd.DataFrame({"text": ["both", "both"]})], ignore_index=True)
    target = np.concatenate([TARGET, [0, 1]])
    folds = Folds(np.arange(len(target))[None] % 4)
    rows = find_overlap(KEYED, (train, TEST), target, folds)
    assert rows.test_class.tolist() == [TARGET[3], -1, TARGET[8], -1, -1]
    labelled = with_matching_classes(rows.test_class, np.full((5, 2), 0.5))
    assert labelled[[0, 2]].argmax(axis=1).tolist() == [TARGET[3], TARGET[8]]
    assert labelled.sum(axis=1) == pytest.approx(1)
    assert (labelled[[1, 3, 4]] == 0.5).all()


def test_the_score_is_that_of_new_rows_for_the_share_that_is_new() -> None:
    is_right = np.arange(N_ROWS) % 8 >= 4  # wrong on every row that is new
    settings = EnsembleSettings(ACCURACY, 2, SecondLevel(), overlap=KEYED)
    made = ensemble(settings, GOAL, FOLDS, [member(is_right)], tables=(TRAIN, TEST))
    assert made.overlap_share == pytest.approx(2 / 5)
    assert made.scores == pytest.approx(2 / 5)
    assert made.member_scores == pytest.approx(2 / 5)
    assert made.cv_new == pytest.approx(0)


def test_context_features_are_inputs_of_the_second_level() -> None:
    tells = np.where(np.arange(N_ROWS) % 5 == 0, 1 - TARGET, TARGET)
    second_level = SecondLevel(
        stackers={"lines": LogisticSettings()},
        context_features=lambda table, _: (tells if len(table) == N_ROWS else TARGET[:5])[:, None],
    )
    settings = EnsembleSettings(ACCURACY, task=Task("binary", 2), second_level=second_level)
    guesses = member(RNG.random(N_ROWS) < 0.55)
    blind = ensemble(settings, GOAL, FOLDS, [guesses])
    seeing = ensemble(settings, GOAL, FOLDS, [guesses], tables=(TRAIN, TEST))
    assert blind.cv < 0.65
    assert seeing.cv == pytest.approx(0.8, abs=0.01)
    assert seeing.test.argmax(axis=1).tolist() == TARGET[:5].tolist()


def test_overlap_needs_accuracy(toy) -> None:
    with pytest.raises(ValidationError, match="train_test_overlap needs metric='accuracy'"):
        type(toy)(**{**dict(toy), "metric": "log_loss", "train_test_overlap": KEYED})
