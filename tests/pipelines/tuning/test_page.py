"""The page that ends a study, at several widths."""

from pathlib import Path

import pytest

from pipelines.tuning import page
from pipelines.tuning.results import Scored, Tuning
from pipelines.tuning.study import Study, Trial
from tests.screens import WIDTHS, check_whole

VALUES = {
    "model.hidden": [256, 128],
    "train.lr": 0.0123456,
    "train.weight_decay": 0.0001,
    "model.dropout": 0.25,
    "train.epochs": 120,
}


def make_tuning():
    trials = tuple(
        Trial(n, "complete", 0.8 + n / 100, VALUES, ((100, 0.8),), 1.0) for n in range(3)
    )
    study = Study("spaceship-titanic-gradient-boosting-3f2a", True, trials, failed=trials[:2])
    scored = Scored(0.81234, 0.05, 10)
    return Tuning(
        competition="spaceship-titanic",
        member="gradient-boosting",
        metric="balanced_accuracy",
        source="sample",
        synthetic=True,
        study=study,
        defaults=VALUES,
        folder=Path("studies/spaceship-titanic/gradient-boosting"),
        seconds=1234.5,
        default=scored,
        tuned=scored,
    )


@pytest.mark.parametrize("width", WIDTHS)
def test_no_id_and_no_word_is_broken(width):
    tuning = make_tuning()
    lines = check_whole(lambda console: page.show(tuning, console), width)
    assert [line for line in lines if tuning.study.name in line]
    assert any("file's defaults" in line for line in lines)
