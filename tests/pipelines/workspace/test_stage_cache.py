import json
from pathlib import Path

import pytest

from pipelines.workspace.layout import RunLayout
from pipelines.workspace.stage_cache import StageStore

CODE = "digest of the code"


class Counter:
    """Makes a stage and counts how often it was asked to."""

    def __init__(self, text: str = "made") -> None:
        self.text = text
        self.calls = 0

    def __call__(self, folder: Path) -> None:
        self.calls += 1
        (folder / "out.txt").write_text(self.text)


def do(run: Path, make, *, settings=None, upstream=(), code=CODE):
    store = StageStore(RunLayout(run))
    return store.do("s", make, settings=settings or {}, upstream=upstream, code=code)


def test_a_stage_is_made_once_in_a_run(tmp_path):
    make = Counter()
    first = do(tmp_path / "run", make)
    second = do(tmp_path / "run", make)
    assert (first.status, second.status, make.calls) == ("made", "kept", 1)
    assert first.content == second.content


def test_a_later_run_links_the_stage_of_an_earlier_one(tmp_path):
    make = Counter()
    first = do(tmp_path / "run-1", make)
    second = do(tmp_path / "run-2", make)
    assert (second.status, make.calls) == ("reused", 1)
    assert (second.folder / "out.txt").samefile(first.folder / "out.txt")


@pytest.mark.parametrize(
    "changed",
    [
        {"settings": {"lr": 2}},
        {"upstream": ["other"]},
        {"code": "digest of other code"},
    ],
    ids=["settings", "upstream", "code"],
)
def test_whatever_goes_in_and_changes_makes_the_stage_anew(tmp_path, changed):
    make = Counter()
    do(tmp_path / "run", make)
    assert do(tmp_path / "run", make, **changed).status == "made"
    assert make.calls == 2


def test_the_content_tells_what_came_out_and_not_what_went_in(tmp_path):
    first = do(tmp_path / "run", Counter("same"), settings={"a": 1})
    second = do(tmp_path / "run", Counter("same"), settings={"a": 2})
    third = do(tmp_path / "run", Counter("other"), settings={"a": 3})
    assert first.content == second.content != third.content


def test_a_stage_that_fails_leaves_nothing_and_keeps_what_was_there(tmp_path):
    def fail(folder: Path) -> None:
        (folder / "half.txt").write_text("half")
        raise KeyboardInterrupt

    kept = do(tmp_path / "run", Counter())
    with pytest.raises(KeyboardInterrupt):
        do(tmp_path / "run", fail, settings={"lr": 2})
    assert [path.name for path in kept.folder.parent.iterdir()] == ["s"]
    assert (kept.folder / "out.txt").read_text() == "made"


def test_what_a_killed_process_left_half_written_is_swept_away(tmp_path):
    half = tmp_path / "run" / "stages" / ".s.writing"
    half.mkdir(parents=True)
    (half / "old.txt").write_text("half")
    stage = do(tmp_path / "run", Counter())
    assert sorted(path.name for path in stage.folder.iterdir()) == ["manifest.json", "out.txt"]


@pytest.mark.parametrize(
    "harm",
    [
        lambda folder: (folder / "manifest.json").unlink(),
        lambda folder: (folder / "manifest.json").write_text("{"),
        lambda folder: (folder / "out.txt").unlink(),
        lambda folder: (folder / "out.txt").write_text("cut"),
    ],
    ids=["no manifest", "torn manifest", "file gone", "file cut"],
)
def test_a_harmed_stage_is_made_anew(tmp_path, harm):
    make = Counter()
    harm(do(tmp_path / "run", make).folder)
    again = do(tmp_path / "run", make)
    assert (again.status, make.calls) == ("made", 2)
    assert (again.folder / "out.txt").read_text() == "made"


def test_the_manifest_tells_the_fingerprint_and_the_seconds(tmp_path):
    stage = do(tmp_path / "run", Counter())
    manifest = json.loads((stage.folder / "manifest.json").read_text())
    assert manifest["sizes"] == {"out.txt": 4}
    assert manifest["seconds"] == stage.seconds >= 0
    assert len(manifest["fingerprint"]) == 64
