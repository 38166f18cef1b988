"""A kind of member that only this file knows: it runs, predicts, is explained and is tuned."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import Field

from models.metrics import METRICS
from pipelines.configuration.search_space import Real
from pipelines.members.member import Member
from pipelines.members.predictions import HeldOut
from pipelines.members.trials import split_by_split
from pipelines.prediction.predictor import Predictor
from pipelines.report.fold_models import panel
from pipelines.runs import run as runs
from pipelines.stages import ensemble
from pipelines.tuning import tune as tuning
from pipelines.tuning.optimise import StudyOptions
from pipelines.workspace.layout import RunLayout

FILE = "thresholds.json"


@dataclass(frozen=True)
class Step:
    """A step from one probability to another where the first column exceeds a mean."""

    fold: int
    threshold: float
    height: float

    def predict(self, inputs) -> np.ndarray:
        positive = np.where(np.asarray(inputs["x_num"])[:, 0] > self.threshold, 1, -1) * self.height
        return np.column_stack([0.5 - positive, 0.5 + positive])


@dataclass(frozen=True)
class Steps:
    """The steps of all splits."""

    steps: Sequence[Step]

    def predict_mean(self, inputs_per_split, /):
        return np.mean([step.predict(inputs_per_split[step.fold]) for step in self.steps], axis=0)

    def of_split(self, split, /):
        return self.steps[split].predict


@dataclass(frozen=True)
class Tried:
    fold: int
    valid_predictions: np.ndarray


class StepMember(Member):
    """A step at the mean of the first column."""

    height: float = Field(0.3, gt=0, lt=0.5)
    n_seeds: int = 1

    def _fit(self, dataset):
        for fold, view in enumerate(dataset.views):
            x = view.train["x_num"][view.split.train_rows, 0]
            yield Step(fold, float(x.mean()), self.height)

    def _held_out(self, dataset):
        for step, view in zip(self._fit(dataset), dataset.views, strict=True):
            yield step.fold, step.predict(view.train)[view.split.valid_rows]

    def fit(self, problem, dataset, *, device="auto", progress=None):
        steps = Steps(list(self._fit(dataset)))
        held_out = HeldOut.of(list(self._held_out(dataset)), dataset)
        test = steps.predict_mean([view.test for view in dataset.views])
        models = {FILE: json.dumps([step.threshold for step in steps.steps]).encode()}
        return replace(held_out.predictions(self.name, problem, test), models=models)

    def load(self, folder: Path, context):
        thresholds = json.loads((folder / FILE).read_text())
        return Steps([Step(fold, at, self.height) for fold, at in enumerate(thresholds)])

    def trial(self, variants, data, report):
        def train(trial, on_replica):
            for held_out in variants[trial]._held_out(data.dataset):
                on_replica(Tried(*held_out))

        return split_by_split(len(variants), data, report, train)

    def predicts_fast(self, n_columns):
        return True


@pytest.fixture(scope="module")
def stepped(toy):
    step = StepMember(
        name="step",
        encoder=toy.members[0].encoder,
        search={"height": Real(low=0.01, high=0.49)},
    )
    members = (toy.members[0], step)
    return toy.model_copy(update={"members": members, "metric": METRICS["log_loss"]})


@pytest.fixture(scope="module")
def folder(stepped, narrator, tmp_path_factory):
    root = tmp_path_factory.mktemp("new-kind")
    summary = runs.run(stepped, runs.RunRequest(source="sample", root=root, track=False), narrator)
    return root / "runs" / "toy" / summary.run


def test_a_run_has_it_beside_the_others(stepped, folder):
    configured = json.loads((folder / "run.json").read_text())["configuration"]["members"]
    assert configured[1] == {
        "name": "step",
        "inputs": {},
        "target_transform": None,
        "height": 0.3,
        "n_seeds": 1,
    }
    assert ensemble.load(folder / "stages" / "ensemble").members == ("linear", "step")


def test_it_predicts_new_rows_as_the_run_did(stepped, folder):
    predictor = Predictor.open(folder, stepped)
    rows = predictor.prepared.test[["size", "kind"]]
    expected = ensemble.load(folder / "stages" / "ensemble").test
    np.testing.assert_allclose(predictor.predict(rows), expected, atol=1e-6)


def test_it_is_explained_where_it_counts(stepped, folder):
    prepared = Predictor.open(folder, stepped).prepared
    blend = replace(ensemble.load(folder / "stages" / "ensemble"), weights=np.array([0.0, 1.0]))
    found = panel(stepped, prepared, blend, RunLayout(folder))
    assert found.name == "step"
    split = next(iter(prepared.folds.splits()))
    predict = found.fold(prepared, split, 0, RunLayout(folder))
    assert set(predict(prepared.train)[:, 1].round(6)) == {0.2, 0.8}


def test_it_is_tuned_fold_by_fold(stepped, narrator, tmp_path):
    options = StudyOptions(n_trials=6)
    request = tuning.TuneRequest(study=options, source="sample", root=tmp_path, track=False)
    (made,) = tuning.tune(stepped, request, narrator)
    assert made.member == "step"
    assert [step for step, _ in made.study.trials[0].curve] == [0, 1, 2]
    assert made.tuned.mean <= made.default.mean + 0.05
