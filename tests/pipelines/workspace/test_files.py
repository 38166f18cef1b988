"""Whole writes, digests, and locks that end with their process."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading

import pytest

from pipelines.workspace import files


def test_a_write_that_fails_leaves_what_was_there_and_nothing_else(tmp_path):
    path = files.write_text(tmp_path / "a.json", "before\n")

    def fail():
        with files.whole(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.json", "before\n")]


def test_two_writers_of_one_file_have_names_of_their_own(tmp_path):
    path = tmp_path / "a.json"
    with files.whole(path) as first, files.whole(path) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path):
    path = tmp_path / "a [1].json"
    write = (
        "import os, pathlib, signal, sys\nfrom pipelines.workspace import files\n"
        "with files.whole(pathlib.Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('half')\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", write, str(path)], check=False)
    assert len(list(tmp_path.iterdir())) == 1
    files.write_text(path, "whole")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [(path.name, "whole")]


def test_a_copy_makes_its_folder_and_keeps_the_bytes(tmp_path):
    source = tmp_path / "source"
    source.write_bytes(b"\0\r\n")
    files.copy(source, tmp_path / "deep" / "down" / "target")
    assert (tmp_path / "deep" / "down" / "target").read_bytes() == b"\0\r\n"


def test_a_digest_is_that_of_the_bytes_and_a_fingerprint_that_of_the_value(tmp_path):
    path = files.write_text(tmp_path / "a", "text")
    assert files.sha256(path) == hashlib.sha256(b"text").hexdigest()
    assert files.fingerprint({"b": 1, "a": (1, 2)}) == files.fingerprint({"a": [1, 2], "b": 1})
    assert files.fingerprint({"a": 1}) != files.fingerprint({"a": 1.5})


def held_elsewhere(path):
    hold = (
        "import pathlib, sys\nfrom pipelines.workspace import files\n"
        "with files.locked(pathlib.Path(sys.argv[1])):\n"
        "    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", hold, str(path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    return process


def test_a_lock_keeps_other_processes_out_and_a_killed_one_holds_nothing(tmp_path):
    path = tmp_path / ".lock"
    with held_elsewhere(path) as other:
        with pytest.raises(files.LockedError, match="another process"), files.locked(path):
            pass
        waited = []

        def wait():
            with files.locked(path, wait=True):
                waited.append("got it")

        waiter = threading.Thread(target=wait)
        waiter.start()
        assert not waited
        other.kill()
        waiter.join(timeout=10)
    assert waited == ["got it"]
    assert path.exists()
    with files.locked(path):
        pass
