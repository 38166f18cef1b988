"""A run written to MLflow from a process of its own: the same run, and what becomes of failures."""

import shutil

import pytest

from pipelines.runs import mlflow_process, mlflow_record
from pipelines.runs import run as runs
from pipelines.runs.mlflow_process import MLflowProcess
from pipelines.runs.request import RunRequest
from pipelines.stages.run_contents import RunContents
from pipelines.tracking.log import experiments
from pipelines.tracking.opening import opened
from pipelines.tracking.stores import Store, TrackingError, local
from pipelines.tracking.tracker import Tracker
from pipelines.workspace.layout import RunLayout


@pytest.fixture(scope="module")
def made(toy, narrator, tmp_path_factory):
    """A workspace with a run that is not logged, and the run's summary."""
    root = tmp_path_factory.mktemp("made")
    return root, runs.run(toy, RunRequest(source="sample", track=False, root=root), narrator)


@pytest.fixture
def root(made, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copytree(made[0], tmp_path, dirs_exist_ok=True)
    return tmp_path


def stored(root, run_id):
    with opened(local(root), root) as client:
        run = client.get_run(run_id)
    tags = {k: v for k, v in run.data.tags.items() if k != "mlflow.log-model.history"}
    return run.info.run_name, run.info.status, run.data.metrics, run.data.params, set(tags)


def layout_of(root, summary):
    return RunLayout(root / "runs" / "toy" / summary.run)


def test_the_process_writes_what_the_command_would(root, made):
    summary, layout = made[1], layout_of(root, made[1])
    process = MLflowProcess()
    run_id = process.log(layout.folder, root, local(root))
    process.end()
    assert run_id is not None
    found = stored(root, run_id)
    assert found[:2] == (summary.run, "FINISHED")
    again = mlflow_record.log_run(summary, RunContents(layout), root=root)
    assert again == run_id
    assert stored(root, run_id) == found
    assert set(experiments(root)) >= {"toy"}


def test_a_process_that_has_ended_leaves_the_run_to_the_command(root, made, narrator):
    summary, layout = made[1], layout_of(root, made[1])
    process = MLflowProcess()
    process.end()
    assert process.log(layout.folder, root, local(root)) is None
    tracker = Tracker.start(root, narrator)
    tracked = mlflow_record.track(tracker, summary, RunContents(layout), lambda: None)
    assert stored(root, tracked.mlflow_run_id)[0] == summary.run


def test_a_store_that_does_not_take_the_run_is_the_same_error_as_here(root, made):
    process = MLflowProcess()
    closed = Store("http://127.0.0.1:9", is_local=False)
    with pytest.raises(TrackingError, match=r"127\.0\.0\.1:9"):
        process.log(layout_of(root, made[1]).folder, root, closed)
    process.end()


def test_it_is_started_for_a_run_that_is_to_be_made_alone(root, made, narrator):
    layout, tracker = layout_of(root, made[1]), Tracker.start(root, narrator)
    with mlflow_process.loading(tracker, layout) as process:
        assert process is None  # it is finished
    layout.summary_file.unlink()
    with mlflow_process.loading(None, layout) as process:
        assert process is None
    with mlflow_process.loading(tracker, layout) as process:
        assert process is not None
    assert process.log(layout.folder, root, local(root)) is None  # it ended with the block
