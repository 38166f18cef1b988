"""Runs in a real MLflow store: SQLite and files."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.tables.text_file import TableError
from models.estimators.sklearn_models import NeighboursSettings
from pipelines import competitions
from pipelines.members.estimator import EstimatorMember
from pipelines.prediction import mlflow_model
from pipelines.prediction.predictor import PredictorError
from pipelines.runs import run as runs
from pipelines.runs.request import RunRequest
from pipelines.stages.ensemble import load as load_blend
from pipelines.tracking import stores

pytestmark = [
    # mlflow's own, on every import and every new database.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def tracked(tmp_path_factory, toy, narrator):
    """One toy run in a workspace of its own, tracked."""
    root = tmp_path_factory.mktemp("tracked")
    request = RunRequest(source="sample", root=root)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        summary = runs.run(toy, request, narrator)
    return root, summary


@pytest.fixture(scope="module")
def client(tracked):
    from mlflow import MlflowClient

    root, _ = tracked
    return MlflowClient(stores.local_store(root))


@pytest.fixture(scope="module")
def stored(tracked, client):
    return client.get_run(tracked[1].mlflow_run_id)


def test_the_scores_are_those_of_the_summary(tracked, stored):
    _, summary = tracked
    metrics = stored.data.metrics
    half = 5e-7  # six decimals are enough for a table
    assert metrics["cv"] == pytest.approx(summary.cv, abs=half)
    assert metrics["cv_std"] == pytest.approx(summary.cv_std, abs=half)
    assert metrics["local_score"] == pytest.approx(summary.local_score, abs=half)
    for member in summary.members:
        assert metrics[f"{member.name}.cv"] == pytest.approx(member.score, abs=half)
        assert metrics[f"{member.name}.weight"] == pytest.approx(member.weight, abs=half)


def test_every_fold_and_every_epoch_is_there(tracked, client, stored):
    root, summary = tracked
    history = client.get_metric_history(stored.info.run_id, "fold_score")
    scores = load_blend(root / "runs" / "toy" / summary.run / "stages" / "ensemble").scores
    assert [m.value for m in sorted(history, key=lambda m: m.step)] == pytest.approx(list(scores))
    curve = client.get_metric_history(stored.info.run_id, "mlp.valid_loss")
    assert sorted(point.step for point in curve) == list(range(1, 9))
    assert all(np.isfinite(point.value) for point in curve)


def test_settings_data_and_tags_are_readable(tracked, stored):
    _, summary = tracked
    assert stored.data.params["mlp.train.lr"] == "0.02"
    assert stored.data.params["folds.n_folds"] == "3"
    assert stored.data.tags["source"] == "synthetic"
    assert stored.data.tags["members"] == "linear, mlp, trees"
    assert stored.data.tags["mlflow.source.name"] == "foldwise run toy"
    lasted = (stored.info.end_time - stored.info.start_time) / 1000
    assert lasted == pytest.approx(summary.seconds, abs=0.01)
    assert stored.info.run_name == summary.run
    assert stored.info.status == "FINISHED"
    (data,) = stored.inputs.dataset_inputs
    described = json.loads((tracked[0] / "runs" / "toy" / summary.run / "run.json").read_text())
    assert described["data"].startswith(data.dataset.digest)


def test_figures_submission_and_configuration_are_artifacts(tracked, client, stored, tmp_path):
    root, summary = tracked
    names = {item.path for item in client.list_artifacts(stored.info.run_id)}
    wanted = {"figures", "submission.csv", "run.json", "summary.json", "report.html"}
    assert wanted <= names
    figures = {item.path for item in client.list_artifacts(stored.info.run_id, "figures")}
    assert "figures/learning_curves.png" in figures
    copy = client.download_artifacts(stored.info.run_id, "submission.csv", str(tmp_path))
    assert Path(copy).read_bytes() == (root / summary.submission).read_bytes()


def test_the_same_request_writes_no_second_run(tracked, client, toy, narrator):
    root, summary = tracked
    assert runs.run(toy, RunRequest(source="sample", root=root), narrator) == summary
    experiment = client.get_experiment_by_name("toy").experiment_id
    assert len(client.search_runs([experiment])) == 1


def test_a_run_that_was_not_tracked_can_be_tracked_later(toy, tmp_path, monkeypatch, narrator):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    request = {"source": "sample", "root": tmp_path}
    first = runs.run(toy, RunRequest(track=False, **request), narrator)
    assert first.mlflow_run_id is None
    second = runs.run(toy, RunRequest(**request), narrator)
    assert second.run == first.run
    assert second.mlflow_run_id is not None


@pytest.fixture
def model(tracked, client, toy, monkeypatch):
    """The logged model of the run, and where its files are."""
    import mlflow

    root, summary = tracked
    monkeypatch.setattr(competitions, "load_competition", {"toy": toy}.__getitem__)
    monkeypatch.setattr(mlflow.tracking.fluent, "_last_active_run_id", None, raising=False)
    mlflow.set_tracking_uri(stores.local_store(root))
    (output,) = client.get_run(summary.mlflow_run_id).outputs.model_outputs
    yield client.get_logged_model(output.model_id)
    mlflow.set_tracking_uri(None)


def rows_of(root):
    return pd.read_csv(next((root / "data" / "toy").glob("*/test.csv")))


def test_the_model_gives_the_predictions_of_the_submission(tracked, model, capfd):
    import mlflow.pyfunc

    root, summary = tracked
    for address in (f"models:/{model.model_id}", f"runs:/{summary.mlflow_run_id}/toy"):
        loaded = mlflow.pyfunc.load_model(address)
        rows = rows_of(root)
        said = loaded.predict(rows)
        assert list(said["win"]) == list(pd.read_csv(root / summary.submission)["win"])
        np.testing.assert_allclose(said["0"] + said["1"], 1)
        without_ids = loaded.predict(rows.drop(columns="Id").tail(4))
        pd.testing.assert_frame_equal(without_ids, said.tail(4), rtol=1e-5)


def test_the_model_tells_what_it_takes_and_shows_an_example(tracked, model):
    import mlflow.pyfunc

    loaded = mlflow.pyfunc.load_model(f"models:/{model.model_id}")
    assert loaded.metadata.signature.inputs.required_input_names() == ["size", "kind"]
    assert loaded.metadata.signature.inputs.optional_input_names() == []
    assert loaded.metadata.signature.outputs.input_names() == ["win", "0", "1"]
    example = loaded.input_example
    assert list(example.columns) == ["size", "kind"]
    assert len(loaded.predict(example)) == len(example) == 3
    whole = example.assign(size=[1, 0, 2])
    pd.testing.assert_frame_equal(
        loaded.predict(whole), loaded.predict(whole.astype({"size": float}))
    )
    with pytest.raises(ValueError, match=r"size.*'wide'"):
        loaded.predict(example.assign(size="wide"))
    missing = loaded.predict(example.assign(kind=None))
    assert missing["1"].between(0, 1).all()
    with pytest.raises(mlflow.exceptions.MlflowException, match="size"):
        loaded.predict(example.drop(columns="size"))
    with pytest.raises(TableError, match="at least -10"):
        loaded.predict(example.assign(size=-11.0))


def test_nothing_in_the_model_is_pickled(tracked, model):
    root, _ = tracked
    files = [p for p in (root / "mlartifacts").rglob("*") if p.is_file() and "models" in p.parts]
    assert [path for path in files if path.name == "MLmodel"]
    assert not [path for path in files if path.suffix in (".pkl", ".pickle", ".joblib", ".pt")]


def test_a_large_run_stays_where_it_is(tracked, toy, tmp_path, monkeypatch):
    root, summary = tracked
    monkeypatch.setattr(mlflow_model, "LARGEST_COPY", 1000)
    monkeypatch.setattr(competitions, "load_competition", {"toy": toy}.__getitem__)
    run = tmp_path / summary.run
    shutil.copytree(root / "runs" / "toy" / summary.run, run)
    data = tmp_path / "data"
    data.mkdir()
    mlflow_model.fill(data, run)
    assert [path.name for path in data.iterdir()] == [mlflow_model.REFERENCE]
    said = mlflow_model._load_pyfunc(str(data)).predict(rows_of(root))
    assert list(said["win"]) == list(pd.read_csv(root / summary.submission)["win"])
    run.rename(tmp_path / "moved")
    with pytest.raises(PredictorError, match="moved or deleted"):
        mlflow_model._load_pyfunc(str(data))


def test_models_that_are_trained_again_load_from_the_logged_files_alone(
    toy, tmp_path, monkeypatch, narrator
):
    member = EstimatorMember(
        name="near", encoder=toy.members[0].encoder, estimator=NeighboursSettings(n_neighbors=5)
    )
    near = toy.model_copy(update={"members": (member,)})
    request = RunRequest(source="sample", root=tmp_path, track=False)
    summary = runs.run(near, request, narrator)
    monkeypatch.setattr(competitions, "load_competition", {"toy": near}.__getitem__)
    data = tmp_path / "logged"
    data.mkdir()
    mlflow_model.fill(data, tmp_path / "runs" / "toy" / summary.run)
    predicted = mlflow_model._load_pyfunc(str(data)).predict(rows_of(tmp_path))
    assert list(predicted["win"]) == list(pd.read_csv(tmp_path / summary.submission)["win"])
