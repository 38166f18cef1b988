"""`foldwise sync` with damaged files in the outbox: each is named, and all others are sent."""

import json

import pytest

from pipelines.commands import app
from pipelines.tracking import outbox
from pipelines.tracking.record import Family, Record

pytestmark = [
    # mlflow's own, on every import and every new database.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
DAMAGE = {
    "empty": b"",
    "cut": b'{"experiment": "toy", "fam',
    "garbage": b"\xff\xfe\x00garbage",
    "a list": b"[]",
    "no experiment": b'{"run": "1"}',
    "neither a run nor records": b'{"experiment": "toy"}',
    "a record of another form": b'{"experiment": "toy", "family": [{"name": 1}]}',
}


@pytest.fixture
def workspace(signed_out, tmp_path, monkeypatch):
    """Where two studies wait for the workspace's own store."""
    root = tmp_path / "workspace"
    for name in ("first", "last"):
        family = Family(Record(name, {"study": name}, key=f"toy/{name}"), [Record("child")])
        outbox.keep_family(root, "toy", family, is_local=True)
    monkeypatch.chdir(root)
    return root


def sent(root):
    """The names of the runs that the workspace's store has."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{root / 'mlflow.db'}")
    found = client.get_experiment_by_name("toy")
    return sorted(run.info.run_name for run in client.search_runs([found.experiment_id]))


@pytest.mark.slow
def test_what_is_damaged_is_named_and_the_others_are_sent(workspace, capsys):
    folder = workspace / "runs" / "unsent"
    for number, data in enumerate(DAMAGE.values()):
        (folder / f"damaged-{number}.json").write_bytes(data)
    runs = [workspace / "runs" / "toy" / f"2026010{n}-000000-aaaaaa" for n in range(2)]
    for run, data in zip(runs, (b"{", b""), strict=True):
        run.mkdir(parents=True)
        (run / "summary.json").write_bytes(data)
        outbox.keep_run(workspace, "toy", run.name, is_local=True)
    assert app.main(["sync"]) == 0
    printed = capsys.readouterr()
    assert "2 sent to" in printed.out
    assert sent(workspace) == ["child", "child", "first", "last"]
    lines = printed.err.splitlines()
    assert len(lines) == len(DAMAGE) + len(runs)
    for number, what in enumerate(DAMAGE):
        (line,) = [one for one in lines if f"runs/unsent/damaged-{number}.json: found " in one]
        assert "remove it and type foldwise sync --all" in line, what
    for run in runs:
        assert any(f"{run.name}/summary.json: found " in line for line in lines)
    left = [
        *(f"damaged-{n}.json" for n in range(len(DAMAGE))),
        *(f"toy-{r.name}.json" for r in runs),
    ]
    assert sorted(path.name for path in folder.glob("*.json")) == left


def test_what_is_kept_comes_back_as_it_was(workspace):
    record = Record(
        "named",
        tags={"study": "one"},
        params={"lr": "0.1"},
        metrics=[("score", 0.5, 3)],
        artifacts=[workspace / "figure.png"],
        key="toy/named",
        end_ms=7,
        status="KILLED",
    )
    outbox.keep_family(workspace, "toy", Family(record, ()))
    (kept,) = [one for one in outbox.waiting(workspace) if one.path.stem == "toy-toy-named"]
    assert kept.family == Family(record, [])
    assert "figure.png" in json.loads(kept.path.read_text())["family"][0]["artifacts"]
