"""Runs in a real MLflow store: SQLite and files."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from pipelines import run as runs
from pipelines import tracking
from pipelines.ensemble import load as load_blend
from pipelines.run import Request
from pipelines.summary import Summary

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
    request = Request(source="sample", root=root)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        summary = runs.run(toy, request, narrator)
    return root, summary


@pytest.fixture(scope="module")
def client(tracked):
    from mlflow import MlflowClient

    root, _ = tracked
    return MlflowClient(tracking.local_store(root))


@pytest.fixture(scope="module")
def stored(tracked, client):
    return client.get_run(tracked[1].mlflow_run_id)


def test_the_scores_are_those_of_the_summary(tracked, stored):
    _, summary = tracked
    metrics = stored.data.metrics
    assert metrics["cv"] == pytest.approx(summary.cv)
    assert metrics["cv_std"] == pytest.approx(summary.cv_std)
    assert metrics["local_score"] == pytest.approx(summary.local_score)
    for member in summary.members:
        assert metrics[f"{member.name}.cv"] == pytest.approx(member.score)
        assert metrics[f"{member.name}.weight"] == pytest.approx(member.weight)


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
    assert stored.info.run_name == summary.run
    assert stored.info.status == "FINISHED"
    (data,) = stored.inputs.dataset_inputs
    described = json.loads((tracked[0] / "runs" / "toy" / summary.run / "run.json").read_text())
    assert described["data"].startswith(data.dataset.digest)


def test_figures_submission_and_configuration_are_artifacts(tracked, client, stored, tmp_path):
    root, summary = tracked
    names = {item.path for item in client.list_artifacts(stored.info.run_id)}
    assert {"figures", "submission.csv", "run.json", "summary.json"} <= names
    figures = {item.path for item in client.list_artifacts(stored.info.run_id, "figures")}
    assert "figures/learning_curves.png" in figures
    copy = client.download_artifacts(stored.info.run_id, "submission.csv", str(tmp_path))
    assert Path(copy).read_bytes() == (root / summary.submission).read_bytes()


def test_the_same_request_writes_no_second_run(tracked, client, toy, narrator):
    root, summary = tracked
    assert runs.run(toy, Request(source="sample", root=root), narrator) == summary
    experiment = client.get_experiment_by_name("toy").experiment_id
    assert len(client.search_runs([experiment])) == 1


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_server_that_is_not_there_costs_a_warning_and_never_the_run(
    toy, tmp_path, monkeypatch, capsys
):
    from rich.console import Console

    from pipelines.console import Narrator

    address = f"http://me:secret@127.0.0.1:{closed_port()}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    summary = runs.run(toy, Request(source="sample", root=tmp_path), Narrator(Console(width=400)))
    printed = capsys.readouterr().out
    assert summary.mlflow_run_id is None
    assert Summary.read(tmp_path / "runs" / "toy" / summary.run) == summary
    assert (tmp_path / summary.submission).exists()
    (warning,) = [line for line in printed.splitlines() if line.startswith("warning")]
    assert "cannot be reached" in warning
    assert "secret" not in printed
    assert not (tmp_path / "mlflow.db").exists()


def test_a_run_that_was_not_tracked_can_be_tracked_later(toy, tmp_path, monkeypatch, narrator):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    request = {"source": "sample", "root": tmp_path}
    first = runs.run(toy, Request(track=False, **request), narrator)
    assert first.mlflow_run_id is None
    second = runs.run(toy, Request(**request), narrator)
    assert second.run == first.run
    assert second.mlflow_run_id is not None


@pytest.mark.slow
def test_the_page_opens_on_the_workspace_s_store(tracked):
    root, _ = tracked
    port = closed_port()
    command = [sys.executable, "-m", "pipelines", "mlflow", "--port", str(port)]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as page:
        try:
            assert page.stdout is not None
            assert page.stdout.readline().startswith(f"MLflow at http://127.0.0.1:{port} ")
            assert "toy" in _experiments(f"http://127.0.0.1:{port}", page)
        finally:
            page.send_signal(signal.SIGINT)
            try:
                page.wait(timeout=30)
            finally:
                page.kill()
    assert page.returncode == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def _experiments(address, page):
    """The names that the page's own interface gives, once the server is up."""
    query = urllib.request.Request(
        f"{address}/api/2.0/mlflow/experiments/search",
        data=b'{"max_results": 10}',
        headers={"Content-Type": "application/json"},
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and page.poll() is None:
        try:
            with urllib.request.urlopen(query, timeout=5) as answer:
                return answer.read().decode()
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the page did not come up")
