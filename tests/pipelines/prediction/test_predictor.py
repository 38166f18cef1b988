"""A finished run predicts its own test rows as it did when it was made, and other rows too."""

import dataclasses
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis

from features.encoders.base import EncoderBlocks
from features.encoders.neighbours import ClassNeighbours
from features.encoders.tabular import TabularEncoder
from models.architectures.mlp import MLPSettings
from models.ensembling.combiners import Weighted
from models.ensembling.stacking import EnsembleInputs, make_candidates, weighted_mean
from models.estimators.sklearn_models import EstimatorSettings, ExtraTreesSettings, LogisticSettings
from models.estimators.trees import TreesSettings
from models.metrics import METRICS
from models.training.settings import TrainSettings
from pipelines.configuration.competition import SecondLevel
from pipelines.members.estimator import EstimatorMember
from pipelines.members.network import NetworkMember
from pipelines.members.trees import TreesMember
from pipelines.prediction import new_rows
from pipelines.prediction.predictor import Predictor, PredictorError
from pipelines.runs import run as runs
from pipelines.runs.request import RunRequest
from pipelines.stages import ensemble, preprocess, train
from pipelines.stages.ensemble import EnsembleSettings
from pipelines.workspace import arrays


def numbers():
    return TabularEncoder(numeric=["size", "double"])


def near_and_far():
    return EncoderBlocks({"x": numbers(), "near": ClassNeighbours(numbers(), nearest=(1, 3))})


def with_kinds():
    return TabularEncoder(numeric=["size"], categorical=["kind"])


class Ellipses(EstimatorSettings):
    """An estimator of a competition's own file, which does not tell what it learned."""

    shrink: float

    def build(self, seed):
        return QuadraticDiscriminantAnalysis(reg_param=self.shrink)


BLOCKS = {"x_num": ("x", "near")}
MEMBERS = (
    NetworkMember(
        name="mlp",
        encoder=near_and_far,
        inputs=BLOCKS,
        model=MLPSettings(hidden=(8,)),
        train=TrainSettings(epochs=4, batch_size=32, lr=0.02, eval_batch_size=16),
        n_seeds=2,
    ),
    TreesMember(name="trees", encoder=with_kinds, trees=TreesSettings(n_estimators=6), n_seeds=11),
    EstimatorMember(
        name="forest",
        encoder=near_and_far,
        inputs={"x_num": ("x",)},
        estimator=ExtraTreesSettings(n_estimators=6),
    ),
    EstimatorMember(
        name="own", encoder=near_and_far, inputs=BLOCKS, estimator=Ellipses(shrink=0.1)
    ),
    EstimatorMember(
        name="lines", encoder=near_and_far, inputs=BLOCKS, estimator=LogisticSettings()
    ),
)
STACKERS = {
    "lines": LogisticSettings(C=0.1),
    "trees / few": TreesSettings(n_estimators=4, num_leaves=4),
    "own": Ellipses(shrink=0.5),
}


@pytest.fixture(scope="module")
def rich(toy):
    """The toy with a member of every kind, several stackers, and probabilities as its answer."""
    return toy.model_copy(
        update={
            "members": MEMBERS,
            "second_level": SecondLevel(stackers=STACKERS),
            "metric": METRICS["log_loss"],
            "form": "probabilities",
            "folds": toy.folds.model_copy(update={"n_repeats": 1}),
        }
    )


def write_probabilities(write):
    """The toy's files, with a sample submission of two columns."""

    def files(folder):
        write(folder)
        sample = pd.read_csv(folder / "sample.csv")
        sample = sample.drop(columns="win").assign(**{"0": 0.5, "1": 0.5})
        sample.to_csv(folder / "sample.csv", index=False)

    return files


@pytest.fixture(scope="module")
def made(rich, tmp_path_factory, narrator):
    """One finished run: the workspace, the competition, the run's folder."""
    sample = dataclasses.replace(rich.sample, write=write_probabilities(rich.sample.write))
    competition = rich.model_copy(update={"sample": sample})
    root = tmp_path_factory.mktemp("predictor")
    summary = runs.run(competition, RunRequest(source="sample", root=root, track=False), narrator)
    return root, competition, root / "runs" / "toy" / summary.run


@pytest.fixture
def copy(made, tmp_path):
    """A copy of the run, to be harmed."""
    folder = tmp_path / made[2].name
    shutil.copytree(made[2], folder)
    return folder


def file_of(root):
    return next((root / "data" / "toy").glob("*/test.csv"))


def submission(folder):
    return folder / "stages" / "submission" / "submission.csv"


def answers_of(folder, competition, path):
    predictor = Predictor.open(folder, competition)
    rows = new_rows.read(competition, path)
    return predictor.answers(rows, predictor.predict(rows.table))


def test_the_test_file_gives_the_bytes_of_the_submission(made, tmp_path):
    root, competition, folder = made
    answers = answers_of(folder, competition, file_of(root))
    written = answers.table().to_csv(index=False, lineterminator="\n", float_format="%.9g")
    assert written == submission(folder).read_text()


def test_every_member_says_what_it_said_in_the_run(made):
    root, competition, folder = made
    predictor = Predictor.open(folder, competition)
    rows = new_rows.read(competition, file_of(root))
    kept = ensemble.load(folder / "stages" / "ensemble")
    np.testing.assert_array_equal(predictor.predict(rows.table), kept.test)
    for place, member in enumerate(competition.members):
        alone = np.eye(len(MEMBERS))[place]
        predictor.__dict__["combiner"] = Weighted(alone)
        said = arrays.read(folder / "stages" / f"train-{member.name}" / "predictions.npz")["test"]
        np.testing.assert_array_equal(predictor.predict(rows.table), said, err_msg=member.name)


def test_rows_of_their_own_and_in_any_order_come_out_alike(made, tmp_path):
    root, competition, folder = made
    table = pd.read_csv(file_of(root)).iloc[[7, 3, 30]]
    table.drop(columns="Id").to_csv(tmp_path / "few.csv", index=False)
    few = answers_of(folder, competition, tmp_path / "few.csv")
    kept = ensemble.load(folder / "stages" / "ensemble").test[[7, 3, 30]]
    np.testing.assert_allclose(few.predictions, kept, rtol=1e-5)
    assert list(few.table().columns) == ["row", "0", "1"]
    assert list(few.table()["row"]) == ["1", "2", "3"]


@pytest.fixture(scope="module")
def tried(made):
    """Every candidate that the run tried, and the members' out-of-fold and test predictions."""
    prepared = preprocess.load(made[2] / "stages" / "preprocess")
    members = [train.load(made[2] / "stages" / f"train-{m.name}") for m in MEMBERS]
    oof, test = (np.stack([getattr(m, part) for m in members]) for part in ("oof", "test"))
    goal = EnsembleSettings.of(made[1]).goal(prepared)
    inputs = EnsembleInputs(oof, test, goal, prepared.folds.assignment)
    first = weighted_mean("blend", Weighted(np.full(len(MEMBERS), 1 / len(MEMBERS))), inputs)
    return prepared, oof, test, make_candidates(first, STACKERS, inputs)


@pytest.mark.parametrize("number", range(10))
def test_every_candidate_is_stored(made, tried, number, tmp_path):
    """The blend, stackers stored and trained again, their mean, and each of them calibrated."""
    prepared, oof, test, candidates = tried
    kept, settings = ensemble.load(made[2] / "stages" / "ensemble"), EnsembleSettings.of(made[1])
    combiner = candidates[number].combiner
    ensemble.save(dataclasses.replace(kept, combiner=combiner), tmp_path)
    source = ensemble.stacker_source(settings, prepared, lambda: oof)
    read = ensemble.load_combiner(tmp_path, settings, source)
    np.testing.assert_array_equal(read.predict(test), candidates[number].test)
    assert len(candidates) == 10


def test_nothing_is_pickled_and_what_tells_nothing_of_itself_is_not_kept(made):
    _, _, folder = made
    names = {path.name for path in folder.rglob("*") if path.is_file()}
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".joblib", ".pt"))]
    assert not list((folder / "stages" / "train-own" / "models").iterdir())
    for name in ("lines", "forest"):
        assert len(list((folder / "stages" / f"train-{name}" / "models").iterdir())) == 3
    assert len(list((folder / "stages" / "train-trees" / "models").iterdir())) == 33


def test_code_that_has_changed_is_reported_and_held_against_the_test_rows(made, copy):
    _, competition, folder = made
    assert Predictor.open(folder, competition).change() is None
    described = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps({**described, "code": "another"}))
    assert (
        "predictions of 45 of its test rows still match"
        in Predictor.open(copy, competition).change()
    )
    blended = copy / "stages" / "ensemble" / "blend.npz"
    kept = arrays.read(blended)
    arrays.write(blended, {**kept, "test": kept["test"][:, ::-1]})
    message = Predictor.open(copy, competition).change()
    assert "now differ, by up to" in message
    assert "foldwise run toy" in message


def test_the_settings_are_those_of_the_run(made):
    _, competition, folder = made
    today = competition.model_copy(
        update={"members": (MEMBERS[0].model_copy(update={"n_seeds": 5}), *MEMBERS[1:])}
    )
    assert Predictor.open(folder, today).competition.members[0].n_seeds == 2


def test_a_run_whose_member_is_gone_or_that_kept_nothing_cannot_predict(made, copy):
    _, competition, folder = made
    fewer = competition.model_copy(update={"members": MEMBERS[:2]})
    with pytest.raises(PredictorError, match=r"made by other code .*forest.*foldwise run toy"):
        Predictor.open(folder, fewer)
    (copy / "stages" / "ensemble" / "recipe.json").unlink()
    with pytest.raises(PredictorError, match="did not keep what predictions need"):
        Predictor.open(copy, competition)


def test_members_that_stand_in_another_order_today_keep_their_weights(made):
    root, competition, folder = made
    turned = competition.model_copy(update={"members": MEMBERS[::-1]})
    answers = answers_of(folder, turned, file_of(root))
    kept = ensemble.load(folder / "stages" / "ensemble").test
    np.testing.assert_array_equal(answers.predictions, kept)


def test_no_encoded_rows_are_left_behind(made):
    root, competition, folder = made
    answers_of(folder, competition, file_of(root))
    assert not list(folder.glob(".predict-*"))


def test_many_rows_pass_in_slices(made, monkeypatch):
    root, competition, folder = made
    rows, lengths = new_rows.read(competition, file_of(root)), []
    append = arrays.RowsWriter.append

    def watched(self, rows):
        lengths.append(len(rows))
        append(self, rows)

    monkeypatch.setattr(arrays.RowsWriter, "append", watched)
    monkeypatch.setattr("pipelines.prediction.encoding.SLICE", 20)
    whole = Predictor.open(folder, competition).predict(rows.table)
    assert max(lengths) == 20
    np.testing.assert_array_equal(whole, ensemble.load(folder / "stages" / "ensemble").test)
