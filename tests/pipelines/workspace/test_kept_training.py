"""What is kept of an unfinished training: whole, of this one only, cheap, never in the way."""

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from contextlib import contextmanager

import numpy as np
import pytest

from models.checkpoints import Snapshot
from pipelines.workspace import checkpoint_files, kept_training, provenance
from pipelines.workspace.kept_training import KeptTraining
from pipelines.workspace.layout import RunLayout
from pipelines.workspace.stage_cache import StageStore, seconds_of

LAYOUT = {"threads": 1, "replicas": [[0, 1], [0, 2]]}


def snapshot(epoch: int) -> Snapshot:
    arrays = {"w": np.full((3, 4), epoch, np.float32), "text": np.array(["a", "bc"])}
    return Snapshot({"epoch": epoch, "faults": [None, "a text"]}, arrays)


@pytest.fixture
def facts():
    return []


@pytest.fixture
def opened(tmp_path, facts):
    """A stage's place, opened as often as asked."""

    @contextmanager
    def opened(fingerprint="f"):
        kept = KeptTraining(tmp_path / "kept", facts.append)
        with kept.opened(fingerprint):
            yield kept

    return opened


def keep(opened, *epochs):
    with opened() as kept:
        for epoch in epochs:
            kept.save("network", LAYOUT, snapshot(epoch))


def epoch_of(found):
    return None if found is None else found.described["epoch"]


def loaded(opened, layout=LAYOUT, fingerprint="f"):
    with opened(fingerprint) as kept:
        return epoch_of(kept.load("network", layout))


def test_the_newest_comes_back_as_it_was(opened, facts):
    keep(opened, 1, 2, 3)
    with opened() as kept:
        found, expected = kept.load("network", LAYOUT), snapshot(3)
    assert found.described == expected.described
    assert found.arrays.keys() == expected.arrays.keys()
    for name, array in expected.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array)
        assert found.arrays[name].dtype == array.dtype
    assert facts == []


def test_two_generations_are_kept_and_nothing_else(opened, tmp_path):
    keep(opened, 1, 2, 3)
    names = {path.name for path in (tmp_path / "kept").iterdir()} - {".lock"}
    assert names == {"network.npz", "network.previous.npz"}


def harm_cut(path):
    os.truncate(path, path.stat().st_size // 2)


def harm_empty(path):
    path.write_bytes(b"")


def harm_byte(path):
    content = bytearray(path.read_bytes())
    content[random.Random(path.name).randrange(len(content))] ^= 1
    path.write_bytes(content)


def harm_longer(path):
    path.write_bytes(path.read_bytes() + b"x")


def harm_digest(path):
    path.write_bytes(path.read_bytes()[:-32])


HARMS = (harm_cut, harm_empty, harm_byte, harm_longer, harm_digest)


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_newest_one_falls_back_to_the_one_before(opened, tmp_path, facts, harm):
    keep(opened, 1, 2)
    harm(tmp_path / "kept" / "network.npz")
    assert loaded(opened) == 1
    assert facts == ["what was kept is not used: network.npz is damaged; the one before is used"]
    keep(opened, 3)  # the damaged one takes nobody's place
    harm(tmp_path / "kept" / "network.npz")
    assert loaded(opened) == 1


@pytest.mark.parametrize("harm", HARMS)
def test_two_damaged_ones_start_the_training_again(opened, tmp_path, facts, harm):
    keep(opened, 1, 2)
    for name in ("network.npz", "network.previous.npz"):
        harm(tmp_path / "kept" / name)
    assert loaded(opened) is None
    assert facts == [
        "what was kept is not used: network.npz is damaged; network.previous.npz is damaged; "
        "this part is trained again"
    ]


def test_every_byte_of_a_file_is_watched(opened, tmp_path):
    keep(opened, 1)
    path = tmp_path / "kept" / "network.npz"
    identity = {"settings, data or code": "f", **provenance.machine(), **LAYOUT}
    content = path.read_bytes()
    assert epoch_of(checkpoint_files.read(path, identity).snapshot) == 1
    for at in range(0, len(content), 7):
        path.write_bytes(content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :])
        with pytest.raises(checkpoint_files.CheckpointError, match="damaged"):
            checkpoint_files.read(path, identity)


@pytest.mark.parametrize(
    ("changed", "fact"),
    [
        ({"fingerprint": "g"}, "settings, data or code f (now g)"),
        ({"layout": LAYOUT | {"threads": 2}}, "threads 1 (now 2)"),
        ({"layout": LAYOUT | {"replicas": [[0, 1]] * 40}}, "other replicas"),
        ({"layout": {**LAYOUT, "device": "cuda"}}, "device None (now cuda)"),
    ],
    ids=["stage", "threads", "replicas", "device"],
)
def test_another_training_is_not_gone_on_with(opened, facts, changed, fact):
    keep(opened, 1, 2)
    assert loaded(opened, **changed) is None
    assert facts == [
        f"what was kept is not used: it was made with {fact}; this part is trained again"
    ]


def test_another_machine_is_not_gone_on_with(opened, facts, monkeypatch):
    keep(opened, 1)
    here = provenance.machine()
    monkeypatch.setattr(kept_training, "machine", lambda: here | {"processor": "x86_64 Another"})
    assert loaded(opened) is None
    assert "it was made with processor" in facts[0]


def test_many_models_of_another_layout_are_one_line(opened, facts):
    with opened() as kept:
        for name in "abc":
            kept.save(name, LAYOUT, snapshot(1))
    with opened("other") as kept:
        assert [kept.load(name, LAYOUT) for name in "abc"] == [None] * 3
    assert len(facts) == 1


def test_nothing_is_pickled(opened, tmp_path):
    with opened() as kept, pytest.raises(ValueError, match="pickle"):
        kept.save("network", LAYOUT, Snapshot({}, {"x": np.array([object()])}))
    assert not list(tmp_path.rglob("*.npz"))
    assert not list(tmp_path.rglob("*.writing"))


def test_json_holds_no_nan(opened):
    with opened() as kept, pytest.raises(ValueError, match="JSON"):
        kept.save("network", LAYOUT, Snapshot({"loss": float("nan")}, {}))


def test_an_npz_that_others_read(opened, tmp_path):
    keep(opened, 4)
    with zipfile.ZipFile(tmp_path / "kept" / "network.npz") as archive:
        header = json.loads(archive.read("header.npy").split(b"\n", 1)[1])
        assert archive.testzip() is None
    assert header["described"]["epoch"] == 4


def test_a_full_disk_does_not_end_the_training(opened, facts, monkeypatch):
    def refuse(path):
        raise OSError(errno.ENOSPC, "No space left on device")

    keep(opened, 1)
    with opened() as kept:
        with monkeypatch.context() as patch:
            patch.setattr(checkpoint_files, "sync", refuse)
            kept.save("network", LAYOUT, snapshot(2))
        assert not kept.is_due(1)
        kept.save("network", LAYOUT, snapshot(3))
    assert len(facts) == 1
    assert facts[0].endswith("no space left on device; it is trained on")
    assert loaded(opened) == 1


def test_a_place_that_cannot_be_made_does_not_end_the_training(tmp_path, facts):
    (tmp_path / "kept").write_text("a file")
    with (kept := KeptTraining(tmp_path / "kept", facts.append)).opened("f"):
        assert kept.load("network", LAYOUT) is None
        kept.save("network", LAYOUT, snapshot(1))
    assert len(facts) == 1


def test_a_place_that_another_process_removes_does_not_end_the_training(opened, facts, tmp_path):
    with opened() as kept:
        shutil.rmtree(tmp_path / "kept")
        kept.save("network", LAYOUT, snapshot(1))
    assert "no such file or directory" in facts[0]


def test_of_two_processes_one_keeps(tmp_path, facts, opened):
    keep(opened, 1)
    held = "import sys; from pathlib import Path; from pipelines.workspace import files\n"
    held += "with files.locked(Path(sys.argv[1])):\n    print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", held, str(tmp_path / "kept" / ".lock")]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with opened() as kept:
            assert kept.load("network", LAYOUT) is None
            kept.save("network", LAYOUT, snapshot(2))
            assert not kept.is_due(1)
        other.kill()
    assert facts == ["another process trains it too; only that one keeps how far it is"]
    assert loaded(opened) == 1


def test_it_does_nothing_unless_it_is_opened(tmp_path, facts):
    kept = KeptTraining(tmp_path / "kept", facts.append)
    kept.save("network", LAYOUT, snapshot(1))
    assert (kept.load("network", LAYOUT), kept.is_due(1)) == (None, False)
    assert not (tmp_path / "kept").exists()


def test_no_empty_folder_stays(opened, tmp_path):
    with opened():
        assert (tmp_path / "kept").is_dir()
    assert not (tmp_path / "kept").exists()


class Clock:
    def __init__(self):
        self.now = 100.0

    def perf_counter(self):
        return self.now


@pytest.mark.parametrize(
    ("epoch_s", "save_s", "n_bytes", "at_most"),
    [(0.05, 0.001, 1000, 360), (1, 1.0, 10**8, 74), (30, 6.0, 10**6, 12), (600, 1.0, 10**6, 6)],
    ids=["short epochs", "large", "a slow disk", "long epochs"],
)
def test_keeping_takes_two_per_cent_of_the_time(
    opened, monkeypatch, epoch_s, save_s, n_bytes, at_most
):
    clock = Clock()
    monkeypatch.setattr(kept_training, "time", clock)
    n_saved, last, longest = 0, clock.now, 0.0
    with opened() as kept:

        def write(*_):
            clock.now += save_s

        monkeypatch.setattr(kept, "_write", write)
        for _ in range(int(3600 / epoch_s)):
            clock.now += epoch_s
            if kept.is_due(n_bytes):
                kept.save("network", LAYOUT, snapshot(1))
                n_saved, longest, last = n_saved + 1, max(longest, clock.now - last), clock.now
    assert n_saved * save_s <= 0.021 * 3600
    assert 0.4 * at_most <= n_saved <= at_most
    assert longest <= max(10 + epoch_s, 102 * save_s + 2 * epoch_s) + save_s


STAGE = {"settings": {}, "upstream": (), "code": "c"}


def place(run):
    return RunLayout(run).unfinished("train-m")


def store_do(run, make, facts):
    kept = KeptTraining(place(run), facts.append)
    return StageStore(RunLayout(run)).do("train-m", lambda f: make(f, kept), **STAGE, kept=kept)


def stopped(folder, kept):
    kept.save("network", LAYOUT, snapshot(5))
    raise KeyboardInterrupt


def finished(folder, kept):
    (folder / "out.txt").write_text(str(epoch_of(kept.load("network", LAYOUT))))


def test_a_stopped_stage_leaves_what_it_kept_and_a_finished_one_nothing(tmp_path, facts):
    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        store_do(run, stopped, facts)
    assert [path.name for path in (run / "stages").iterdir()] == [".train-m.unfinished"]
    stage = store_do(run, finished, facts)
    assert (stage.folder / "out.txt").read_text() == "5"
    assert [path.name for path in (run / "stages").iterdir()] == ["train-m"]


def test_a_stage_found_finished_leaves_nothing_either(tmp_path, facts):
    """A kill between the last two steps of a stage."""
    run = tmp_path / "run"
    store_do(run, finished, facts)
    place(run).mkdir()
    (place(run) / "network.npz").write_bytes(b"x")
    assert store_do(run, finished, facts).status == "kept"
    assert not place(run).exists()


def test_the_seconds_of_a_stage_count_those_before_the_kill(tmp_path, facts, monkeypatch):
    run = tmp_path / "run"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(KeptTraining, "seconds", 70.0)
        store_do(run, stopped, facts)
    assert 70 <= seconds_of(store_do(run, finished, facts).folder) < 75


KILLED = """
import sys
from pathlib import Path
import numpy as np
from models.checkpoints import Snapshot
from pipelines.workspace.kept_training import KeptTraining

kept = KeptTraining(Path(sys.argv[1]), print)
with kept.opened("f"):
    found = kept.load("network", {})
    epoch = 0 if found is None else found.described["epoch"]
    print("from", epoch, flush=True)
    while True:
        epoch += 1
        kept.save("network", {}, Snapshot({"epoch": epoch}, {"w": np.full(200_000, epoch)}))
        print("kept", epoch, flush=True)
"""


def test_a_kill_at_any_moment_of_keeping_leaves_a_whole_one(tmp_path, facts):
    rng, before = random.Random(3), 0
    for _ in range(4):
        command = [sys.executable, "-c", KILLED, str(tmp_path / "kept")]
        with subprocess.Popen(command, stdout=-1, text=True) as process:
            start = process.stdout.readline()
            time.sleep(rng.uniform(0.05, 0.3))
            process.send_signal(signal.SIGKILL)
            lines = process.stdout.read().splitlines()
        first = int(start.split()[1])
        assert before <= first <= before + 1  # the last one may have been kept, but not reported
        before = max([first, *(int(line.split()[1]) for line in lines if line.startswith("kept"))])
    kept = KeptTraining(tmp_path / "kept", facts.append)
    with kept.opened("f"):
        found = kept.load("network", {})
        assert before <= found.described["epoch"] <= before + 1
        assert set(found.arrays["w"]) == {found.described["epoch"]}
        assert not list((tmp_path / "kept").glob("*.writing"))
    assert facts == []


def test_a_kill_between_the_two_renames_leaves_the_one_before(opened, tmp_path, facts):
    keep(opened, 1, 2)
    (tmp_path / "kept" / "network.npz").replace(tmp_path / "kept" / "network.previous.npz")
    assert loaded(opened) == 2
    assert facts == []
