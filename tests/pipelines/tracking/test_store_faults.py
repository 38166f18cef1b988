"""MLflow stores in trouble: one line each, everything kept, and advice that works."""

import contextlib
import io
import shutil
import sqlite3
import subprocess
import sys
import time

import pytest
from rich.console import Console

from pipelines.console import Narrator
from pipelines.tracking import local_database, log, outbox, stores
from pipelines.tracking.record import Family, Record
from pipelines.tracking.stores import TrackingError
from pipelines.tracking.tracker import Tracker

pytestmark = [
    # mlflow's own, on every import and every new database.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(autouse=True)
def no_server(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A workspace whose store has a run with an artifact."""
    root = tmp_path_factory.mktemp("made")
    (root / "figure.png").write_bytes(b"a figure")
    family = Family(Record("first", key="toy/first", artifacts=[root / "figure.png"]), ())
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        log.log_family(family, experiment="toy", root=root)
    return root


@pytest.fixture
def workspace(made, tmp_path, monkeypatch):
    """A copy of it; the place to type commands in."""
    root = tmp_path / "workspace"
    shutil.copytree(made, root)
    monkeypatch.chdir(root)
    return root


def warnings_of(root):
    """What a run says that is logged now."""
    told = Console(file=io.StringIO(), width=1000)
    tracker = Tracker.start(root, Narrator(told))
    assert tracker.family(Family(Record("second", key="toy/second"), ()), "toy") is None
    return told.file.getvalue()


def other_version(revision):
    def change(root):
        with sqlite3.connect(root / "mlflow.db") as store:
            store.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        store.close()

    return change


def garbage(root):
    (root / "mlflow.db").write_text("garbage" * 100)


def folder(root):
    (root / "mlflow.db").unlink()
    (root / "mlflow.db").mkdir()


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (other_version("ffff47574b1f"), "a newer MLflow made it; type: pip install --upgrade"),
        (garbage, "; to begin a new one, type:"),
        (folder, "mlflow.db is a folder; to begin a new one, type:"),
    ],
    ids=["newer", "garbage", "folder"],
)
def test_what_is_told_helps_and_what_was_missed_is_sent(workspace, harm, message):
    harm(workspace)
    told = warnings_of(workspace)
    assert told.count("\n") == 1
    assert message in told
    assert "type foldwise sync" in told
    command = told.partition("to begin a new one, type: ")[2].partition(")")[0]
    subprocess.run(command, shell=True, check=True, cwd=workspace)
    done = subprocess.run(
        [sys.executable, "-m", "pipelines", "sync"], cwd=workspace, capture_output=True, text=True
    )
    assert "1 sent to sqlite:///" in done.stdout, done.stderr
    assert outbox.waiting(workspace) == []
    with contextlib.closing(sqlite3.connect("mlflow.db")) as store:
        assert store.execute("SELECT name FROM runs").fetchall() == [("second",)]


def test_a_store_of_an_older_mlflow_can_be_brought_up(workspace):
    other_version("4465047574b1")(workspace)
    told = warnings_of(workspace)
    assert f"mlflow db upgrade sqlite:///{workspace}/mlflow.db" in told
    assert "copy it first" in told


def test_a_locked_store_is_told_after_ten_seconds_and_used_once_it_is_free(workspace, monkeypatch):
    monkeypatch.setattr(local_database, "LOCK_TIMEOUT_S", 0.5)
    holder = sqlite3.connect(workspace / "mlflow.db", isolation_level=None)
    holder.execute("PRAGMA journal_mode=DELETE")
    holder.execute("BEGIN EXCLUSIVE")
    told = warnings_of(workspace)
    assert "database is locked: another program holds mlflow.db; end it, or wait for it" in told
    assert told.count("\n") == 1
    holder.execute("ROLLBACK")
    holder.close()
    assert log.experiments(workspace).keys() >= {"toy"}


MOVED = """
import sys
from pathlib import Path
from mlflow import MlflowClient
from pipelines.tracking import log, stores
from pipelines.tracking.record import Family, Record

root = Path(sys.argv[1])
family = Family(Record("second", key="toy/second", artifacts=[root / "figure.png"]), ())
log.log_family(family, experiment="toy", root=root)
client = MlflowClient(stores.local_store(root))
(toy,) = [one for one in client.search_experiments() if one.name == "toy"]
for run in client.search_runs([toy.experiment_id]):
    assert run.info.artifact_uri.startswith(root.as_uri()), run.info.artifact_uri
    path = client.download_artifacts(run.info.run_id, "figure.png")
    assert Path(path).read_bytes() == b"a figure"
    print(run.info.run_name)
"""


@pytest.mark.parametrize("how", ["moved", "copied"])
def test_a_workspace_elsewhere_keeps_its_artifacts_and_leaves_the_old_place_alone(
    made, tmp_path, how
):
    old, new = tmp_path / "old place", tmp_path / "new"
    shutil.copytree(made, old)
    local_of = [sys.executable, "-c", MOVED]
    subprocess.run([*local_of, old], check=True)
    before = sorted(old.rglob("*"))
    if how == "moved":
        old.rename(new)
    else:
        shutil.copytree(old, new)
    done = subprocess.run([*local_of, new], check=True, capture_output=True, text=True)
    assert sorted(done.stdout.split()) == ["first", "second", "second"]
    assert sorted(old.rglob("*")) == ([] if how == "moved" else before)


OPENED = """
import sys, time
from pathlib import Path
from pipelines.tracking import log
from pipelines.tracking.record import Family, Record
root, name, start = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
import mlflow, sqlalchemy
time.sleep(max(0, start - time.time()))
family = Family(Record(name, key=f"toy/{name}"), ())
log.log_family(family, experiment="toy", root=root)
"""


@pytest.mark.slow
def test_four_that_open_a_new_store_at_once_all_log_to_one_experiment(tmp_path):
    start = str(time.time() + 12)
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", OPENED, tmp_path, f"run-{n}", start],
            stderr=subprocess.PIPE,
            text=True,
        )
        for n in range(4)
    ]
    for worker in workers:
        _, told = worker.communicate(timeout=200)
        assert worker.returncode == 0, told
    from mlflow import MlflowClient

    client = MlflowClient(stores.local_store(tmp_path))
    (toy,) = [one for one in client.search_experiments() if one.name == "toy"]
    names = {run.info.run_name for run in client.search_runs([toy.experiment_id])}
    assert names == {f"run-{n}" for n in range(4)}


def test_a_database_server_that_is_not_there_is_told_at_once(tmp_path, monkeypatch):
    address = "postgresql://me:hidden-word@127.0.0.1:9/mlflow"
    with pytest.raises(TrackingError, match="cannot be reached") as caught:
        stores.reach(stores.Store(address, is_local=False))
    assert "hidden-word" not in str(caught.value)
