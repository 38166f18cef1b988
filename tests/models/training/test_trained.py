from __future__ import annotations

import numpy as np
import pytest
import torch

from models.architectures.linear import LinearSettings
from models.architectures.mlp import MLPSettings
from models.data import FoldData, InputShape
from models.losses import LOSSES
from models.metrics import METRICS
from models.training import trained
from models.training.fit import Objective, Replicas, fit
from models.training.settings import TrainSettings

SHAPE = InputShape(n_num=4, cardinalities=(3,))
SETTINGS = TrainSettings(epochs=2, batch_size=32, eval_batch_size=20)
LOSS = LOSSES["cross_entropy"]
CPU = torch.device("cpu")


def make_folds():
    rng = np.random.default_rng(0)
    target = np.arange(120) % 3
    x = (rng.normal(size=(120, 4)) + target[:, None]).astype(np.float32)
    inputs = {"x_num": x, "x_cat": rng.integers(0, 3, (120, 1))}
    rows = np.arange(120)
    return [FoldData(inputs, rows[rows % 2 != f], rows[rows % 2 == f]) for f in range(2)], target


def fit_small(model, **options):
    folds, target = make_folds()
    return fit(
        lambda: model.build(SHAPE, 3),
        folds,
        target,
        SETTINGS.model_copy(update=options),
        Objective(LOSS, METRICS["log_loss"]),
        Replicas((0, 3)),
        device="cpu",
    )


def written(folder, fitted):
    for name, content in trained.save(fitted.networks, SHAPE, 3).items():
        (folder / name).write_bytes(content)


@pytest.mark.parametrize("options", [{}, {"strategy": "sequential"}, {"max_stack": 3}], ids=str)
def test_saved_networks_predict_the_same_bytes(tmp_path, options):
    model = MLPSettings(hidden=(8,), dropout=0.1)
    fitted = fit_small(model, **options)
    written(tmp_path, fitted)
    settings = SETTINGS.model_copy(update=options)
    read = trained.load(tmp_path, model.build, settings, LOSS, CPU)
    folds, _ = make_folds()
    inputs = [{key: rows[:50] for key, rows in fold.inputs.items()} for fold in folds]
    np.testing.assert_array_equal(read.predict_mean(inputs), fitted.predict_mean(inputs))
    np.testing.assert_array_equal(read.predict(inputs), fitted.predict(inputs))
    assert read.owners == ((0, 0), (0, 3), (1, 0), (1, 3))


def test_a_replica_with_a_fault_has_no_say_later_either(tmp_path):
    model = LinearSettings()
    fitted = fit_small(model)
    files = trained.save(fitted.networks, SHAPE, 3)
    files[trained.DESCRIPTION] = files[trained.DESCRIPTION].replace(b"true", b"false", 1)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    read = trained.load(tmp_path, model.build, SETTINGS, LOSS, CPU)
    folds, _ = make_folds()
    inputs = [fold.inputs for fold in folds]
    others = fitted.predict(inputs)[1:].astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(read.predict_mean(inputs), others, rtol=1e-12)


def test_weights_of_another_network_are_refused(tmp_path):
    written(tmp_path, fit_small(MLPSettings(hidden=(8,))))
    with pytest.raises(trained.SavedNetworksError, match="weights do not fit the network"):
        trained.load(tmp_path, MLPSettings(hidden=(9,)).build, SETTINGS, LOSS, CPU)


def test_reading_draws_nothing_from_the_global_stream(tmp_path):
    model = LinearSettings()
    written(tmp_path, fit_small(model))
    before = torch.get_rng_state()
    trained.load(tmp_path, model.build, SETTINGS, LOSS, CPU)
    assert torch.equal(torch.get_rng_state(), before)
