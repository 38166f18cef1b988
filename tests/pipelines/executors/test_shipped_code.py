"""What travels to a cluster: source code alone, and a competition's own file."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines import competitions
from pipelines.executors import shipped_code
from tests.pipelines.executors import own_competition

RECEIVE = """
import json, pickle, sys
from pathlib import Path
from pipelines.executors.shipped_code import OwnModule, load_own
assert Path(sys.modules["pipelines"].__file__).is_relative_to(Path.cwd())
load_own([OwnModule(*pair) for pair in json.loads(sys.argv[1])], Path.cwd())
load_own([OwnModule(*pair) for pair in json.loads(sys.argv[1])], Path.cwd())
metric = pickle.load(sys.stdin.buffer)
print(metric.name, metric.function(1, 0.5, None))
"""


def test_tables_data_and_runs_stay_at_home(tmp_path: Path) -> None:
    table = shipped_code.ROOT / "submissions" / "made_by_a_test.csv"
    table.write_bytes(b"0" * 5_000_000)
    try:
        shipped_code.pack(tmp_path)
    finally:
        table.unlink()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".py"}
    assert sum(path.stat().st_size for path in files) < 3_000_000
    assert (tmp_path / "pipelines" / "stages" / "train.py").is_file()
    assert (tmp_path / "submissions" / "build.py").is_file()


def test_an_own_competition_is_read_where_it_arrives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its metric stands in a file beside it."""
    import json

    own_competition.write(tmp_path / "home")
    monkeypatch.chdir(tmp_path / "home")
    competition = competitions.load_competition("own")
    folder = tmp_path / "there"
    home = str(tmp_path)
    own = [m for m in shipped_code.pack(folder) if home in str(sys.modules[m.name].__file__)]
    assert [module.name.startswith("competition_own_") for module in own] == [True]
    received = subprocess.run(
        [sys.executable, "-c", RECEIVE, json.dumps([[m.name, m.path] for m in own])],
        cwd=folder,
        env={"PATH": ""},
        input=pickle.dumps(competition.metric),
        capture_output=True,
        check=False,
    )
    assert received.stdout.decode().split() == ["closeness", "0.5"], received.stderr.decode()
