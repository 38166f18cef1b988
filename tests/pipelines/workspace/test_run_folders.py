import errno
import json
import subprocess
import sys

import pytest

from pipelines.workspace import run_folders
from pipelines.workspace.run_folders import RunFolderError


def test_a_run_is_found_again_by_what_was_asked(tmp_path):
    made = run_folders.create(tmp_path, "abcdef01", {"configuration": {"lr": 1}})
    assert run_folders.find(tmp_path, "abcdef01") == made
    assert run_folders.find(tmp_path, "other") is None
    assert json.loads((made / "run.json").read_text())["configuration"] == {"lr": 1}
    assert made.name.endswith("-abcdef")


def test_a_folder_whose_run_was_never_described_is_no_run(tmp_path):
    (tmp_path / "20260101-000000-abcdef").mkdir()
    assert run_folders.find(tmp_path, "abcdef01") is None


@pytest.mark.parametrize("fault", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
def test_a_run_that_cannot_be_described_leaves_no_folder(tmp_path, monkeypatch, fault):
    def refuse(*_):
        raise fault

    with monkeypatch.context() as patch, pytest.raises(type(fault)):
        patch.setattr(run_folders.files, "write_text", refuse)
        run_folders.create(tmp_path, "abcdef01", {})
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_died_while_it_made_a_folder_leaves_nothing(tmp_path):
    dead = tmp_path / run_folders.NEW
    dead.mkdir()
    (dead / "run.json").write_text('{"fingerprint": "abcdef01"}')
    assert run_folders.find(tmp_path, "abcdef01") is None
    made = run_folders.create(tmp_path, "abcdef01", {})
    assert list(tmp_path.iterdir()) == [made]


def test_a_named_run_goes_on_only_where_the_same_is_asked(tmp_path):
    made = run_folders.create(tmp_path, "abcdef01", {})
    assert run_folders.by_id(tmp_path, made.name, "abcdef01") == made
    with pytest.raises(RunFolderError, match="other data, settings or code"):
        run_folders.by_id(tmp_path, made.name, "changed")
    with pytest.raises(RunFolderError, match=f"no run 'nope'.*{made.name}"):
        run_folders.by_id(tmp_path, "nope", "abcdef01")


def test_two_processes_never_make_one_run_and_a_dead_one_holds_nothing(tmp_path):
    hold = (
        "import pathlib, sys\nfrom pipelines.workspace import run_folders\n"
        "with run_folders.locked(pathlib.Path(sys.argv[1])):\n"
        "    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", hold, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(RunFolderError, match="another process"), run_folders.locked(tmp_path):
            pass
        other.kill()
    with run_folders.locked(tmp_path):
        pass
