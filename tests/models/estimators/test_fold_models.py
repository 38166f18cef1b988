"""What every kind of model fitted in folds has in common, and what importing its settings costs."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from models.data import FoldData
from models.estimators.fold_models import TrainingSource, file_name, model_files
from models.estimators.sklearn_models import (
    LogisticSettings,
    NeighboursSettings,
    RidgeSettings,
)
from models.estimators.trees import TreesSettings
from models.target import Target, fit_scales
from models.tasks import Task

THREE = Task("multiclass", 3)

KINDS = {
    "trees": TreesSettings(n_estimators=5, num_leaves=4, n_threads=1),
    "stored": LogisticSettings(),
    "trained again": NeighboursSettings(n_neighbors=5),
}
RNG = np.random.default_rng(0)
TARGET = np.arange(120) % 3
INPUTS = {"x_num": (RNG.normal(size=(120, 4)) + TARGET[:, None]).astype(np.float32)}
FOLDS = [
    FoldData(
        INPUTS, np.flatnonzero(np.arange(120) % 4 != f), np.flatnonzero(np.arange(120) % 4 == f)
    )
    for f in range(4)
]
TESTS = [{"x_num": INPUTS["x_num"][:9] + f} for f in range(4)]


@pytest.mark.parametrize("name", KINDS)
def test_models_that_are_written_and_loaded_predict_the_same_bytes(name, tmp_path):
    settings = KINDS[name]
    fitted = settings.fit_folds(FOLDS, TESTS, Target(TARGET, THREE), seeds=(0, 1))
    for file, content in fitted.models.files().items():
        (tmp_path / file).write_bytes(content)
    read = []

    def fold_data(fold):
        read.append(fold)
        return FOLDS[fold]

    owners = [(fold, seed) for fold in range(4) for seed in (0, 1)]
    loaded = settings.load_models(
        tmp_path, owners, TrainingSource(fold_data, Target(TARGET, THREE))
    )
    np.testing.assert_array_equal(loaded.predict_mean(TESTS), fitted.models.predict_mean(TESTS))
    np.testing.assert_allclose(fitted.models.predict_mean(TESTS), fitted.test_predictions)
    assert [p.shape for p in fitted.valid_predictions] == [(30, 3)] * 8
    assert read == ([f for f, _ in owners] if name == "trained again" else [])


OF_VALUES = {
    "trees": TreesSettings(n_estimators=5, num_leaves=4, n_threads=1),
    "stored": RidgeSettings(),
    "trained again": NeighboursSettings(n_neighbors=5),
}


@pytest.mark.parametrize("name", OF_VALUES)
def test_models_of_scaled_values_too(name, tmp_path):
    settings = OF_VALUES[name]
    values = np.exp(np.column_stack([TARGET, 2 - TARGET]) + INPUTS["x_num"][:, :2] / 4)
    target = Target(
        values,
        Task("regression", 0, 2),
        scales=fit_scales(values, FOLDS, "log1p", standardise=False),
    )
    fitted = settings.fit_folds(FOLDS, TESTS, target, seeds=(0,))
    for file, content in fitted.models.files().items():
        (tmp_path / file).write_bytes(content)
    owners = [(fold, 0) for fold in range(4)]
    source = TrainingSource(FOLDS.__getitem__, replace(target, scales=()))
    loaded = settings.load_models(tmp_path, owners, source)
    np.testing.assert_array_equal(loaded.predict_mean(TESTS), fitted.models.predict_mean(TESTS))
    np.testing.assert_allclose(fitted.models.predict_mean(TESTS), fitted.test_predictions)
    assert (
        np.corrcoef(fitted.valid_predictions[0][:, 0], values[FOLDS[0].valid_rows, 0])[0, 1] > 0.6
    )


def test_a_folder_that_is_not_there_means_that_every_estimator_is_trained_again(tmp_path):
    source = TrainingSource(FOLDS.__getitem__, Target(TARGET, THREE))
    loaded = NeighboursSettings().load_models(tmp_path / "absent", [(0, 0)], source)
    assert loaded.predict_mean(TESTS).shape == (9, 3)


def test_files_are_found_by_fold_and_seed(tmp_path):
    owners = [(0, 0), (0, 10), (2, 3), (1000, 0)]
    for owner in owners[::-1]:
        (tmp_path / file_name(owner, ".txt")).touch()
    for other in ("fold-000-seed-0.npz", "notes.txt", "fold-0-seed-0.txt.bak"):
        (tmp_path / other).touch()
    assert list(model_files(tmp_path, ".txt")) == owners
    assert file_name((2, 3), ".txt") == "fold-002-seed-3.txt"


SETTINGS = (
    *("models.estimators.trees", "models.estimators.sklearn_models", "models.estimators.ngrams"),
    *("models.estimators.persistence", "models.estimators.boosters"),
    *("models.ensembling.blending", "models.metrics"),
)


@pytest.mark.parametrize("module", SETTINGS)
def test_settings_import_no_heavy_library(module):
    code = (
        f"import sys, {module}; "
        "print(sorted({'torch', 'lightgbm', 'sklearn', 'scipy', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
