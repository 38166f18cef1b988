"""Stage 1, and the state of the disk after everything that can go wrong with it."""

from __future__ import annotations

import csv
import gzip
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipelines.configuration.competition import OtherForm
from pipelines.raw_files.archives import ArchiveError, MissingFileError
from pipelines.raw_files.sources import Source
from pipelines.stages.download import DownloadError, RawFiles, download

CONTENTS = {
    "train.csv": b"id,y\n1,0\n2,1\n",
    "test.csv": b"id\n3\n",
    "sample_submission.csv": b"id,y\n3,0\n",
}
NAMES = sorted([*CONTENTS, "manifest.json"])


@dataclass
class Sample:
    """A sample of the contents above that counts how often it is written."""

    mark: str = "v1"
    origin: str = "three rows"
    synthetic: bool = True
    n_writes: int = 0
    leaves_out: str = ""

    def fingerprint(self) -> str:
        return self.mark

    def write(self, folder: Path) -> None:
        self.n_writes += 1
        for name, content in {**CONTENTS, "holdout.csv": b"id,y\n3,1\n"}.items():
            if name != self.leaves_out:
                (folder / name).write_bytes(content)


@dataclass
class Competition:
    name: str = "toy"
    files: dict[str, str] = field(
        default_factory=lambda: {name.removesuffix(".csv"): name for name in CONTENTS}
    )
    sample: Sample = field(default_factory=Sample)
    other_forms: tuple[OtherForm, ...] = ()
    file_sets: dict[str, str] = field(default_factory=dict)

    @property
    def file_names(self):
        return tuple(self.files.values())


SAMPLE = Source("sample", None, "")


def of_path(path: Path) -> Source:
    return Source("path", path, "")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the competition's files, and one more."""
    folder = tmp_path / "given"
    folder.mkdir()
    for name, content in {**CONTENTS, "notes.txt": b"mine"}.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "toy.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in CONTENTS.items():
            zipped.writestr(name, content)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def held(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def contents(raw: RawFiles) -> dict[str, bytes]:
    return {name: file.path.read_bytes() for name, file in raw.files.items()}


def inodes(folder: Path) -> dict[str, int]:
    """Tells whether files were written anew: a rename puts other inodes in place."""
    return {path.name: path.stat().st_ino for path in folder.iterdir()}


def test_an_archive_gives_its_files_with_their_facts(archive: Path, data: Path) -> None:
    raw = download(Competition(), of_path(archive), data)
    assert contents(raw) == CONTENTS
    assert held(raw.folder) == NAMES
    assert raw.folder.parent == data / "toy"
    assert held(data / "toy") == sorted([".lock", raw.folder.name])
    assert (raw.competition, raw.source, raw.origin) == ("toy", "path", str(archive))
    assert (raw.synthetic, raw.holdout, raw.note) == (False, None, None)
    for name, file in raw.files.items():
        assert file.n_bytes == len(CONTENTS[name])
        assert file.sha256 == hashlib.sha256(CONTENTS[name]).hexdigest()


def test_a_folder_gives_the_same_data_as_the_archive(
    archive: Path, folder: Path, data: Path
) -> None:
    (folder / "train.csv").unlink()
    (folder / "train.csv.gz").write_bytes(gzip.compress(CONTENTS["train.csv"]))
    (folder / "test.csv").unlink()
    with zipfile.ZipFile(folder / "test.csv.zip", "w") as zipped:
        zipped.writestr("test.csv", CONTENTS["test.csv"])
    raw = download(Competition(), of_path(folder), data)
    assert contents(raw) == CONTENTS
    assert held(raw.folder) == NAMES
    assert raw.digest == download(Competition(), of_path(archive), data / "other").digest


def test_a_digest_tells_names_and_bytes(folder: Path, data: Path) -> None:
    first = download(Competition(), of_path(folder), data).digest
    (folder / "train.csv").write_bytes(b"id,y\n1,1\n2,1\n")
    assert download(Competition(), of_path(folder), data).digest != first


def test_a_second_run_writes_nothing(archive: Path, data: Path, tmp_path: Path) -> None:
    raw = download(Competition(), of_path(archive), data)
    before = inodes(raw.folder)
    moved = archive.rename(tmp_path / "moved.zip")
    again = download(Competition(), of_path(moved), data)
    assert again.folder == raw.folder
    assert again.files == raw.files
    assert again.origin == str(moved)
    assert inodes(raw.folder) == before


def test_a_sample_is_written_once_per_fingerprint(data: Path) -> None:
    competition = Competition()
    raw = download(competition, SAMPLE, data)
    assert raw.synthetic
    assert raw.origin == "three rows"
    assert raw.holdout == raw.folder / "holdout.csv"
    assert contents(raw) == CONTENTS
    assert download(competition, SAMPLE, data) == raw
    assert competition.sample.n_writes == 1
    competition.sample.mark = "v2"
    assert download(competition, SAMPLE, data).folder != raw.folder
    assert competition.sample.n_writes == 2


def test_a_sample_that_lacks_a_file_is_reported(data: Path) -> None:
    with pytest.raises(DownloadError, match=r"wrote no test\.csv"):
        download(Competition(sample=Sample(leaves_out="test.csv")), SAMPLE, data)
    assert held(data / "toy") == [".lock"]


@pytest.mark.parametrize("name", ["train.csv", "holdout.csv"])
def test_a_changed_file_is_fetched_anew(data: Path, name: str) -> None:
    raw = download(Competition(), SAMPLE, data)
    (raw.folder / name).write_bytes(b"id,y\n1,1\n")
    again = download(Competition(), SAMPLE, data)
    assert again.note is not None
    assert name in again.note
    assert contents(again) == CONTENTS
    assert download(Competition(), SAMPLE, data).note is None
    assert held(data / "toy") == sorted([".lock", raw.folder.name])


@pytest.mark.parametrize("manifest", [None, "", "{}", '{"key": 3}', "[1, 2]"])
def test_a_folder_without_a_whole_manifest_is_made_anew(data: Path, manifest: str | None) -> None:
    raw = download(Competition(), SAMPLE, data)
    (raw.folder / "train.csv").write_bytes(b"half a fi")
    (raw.folder / "manifest.json").unlink()
    if manifest is not None:
        (raw.folder / "manifest.json").write_text(manifest)
    assert contents(download(Competition(), SAMPLE, data)) == CONTENTS


def test_a_file_in_place_of_the_folder_is_replaced(data: Path) -> None:
    raw = download(Competition(), SAMPLE, data)
    shutil.rmtree(raw.folder)
    raw.folder.write_text("in the way")
    assert contents(download(Competition(), SAMPLE, data)) == CONTENTS
    assert held(data / "toy") == sorted([".lock", raw.folder.name])


def test_what_a_kill_left_beside_the_folder_is_swept_away(data: Path) -> None:
    raw = download(Competition(), SAMPLE, data)
    (raw.folder / "train.csv").unlink()
    for end in ("old", "gathering"):
        left = data / "toy" / f".{raw.folder.name}.{end}"
        left.mkdir()
        (left / "train.csv").write_bytes(b"half a fi")
    assert contents(download(Competition(), SAMPLE, data)) == CONTENTS
    assert held(data / "toy") == sorted([".lock", raw.folder.name])


def test_a_damaged_archive_leaves_nothing(archive: Path, data: Path) -> None:
    archive.write_bytes(archive.read_bytes()[:-30])
    with pytest.raises(ArchiveError, match="cut off or damaged"):
        download(Competition(), of_path(archive), data)
    assert held(data / "toy") == [".lock"]


def test_a_folder_that_lacks_files_is_reported(folder: Path, archive: Path, data: Path) -> None:
    (folder / "train.csv").unlink()
    (folder / "test.csv").unlink()
    archive.rename(folder / "toy.zip")
    with pytest.raises(MissingFileError) as caught:
        download(Competition(), of_path(folder), data)
    message = str(caught.value)
    assert "no file 'train.csv', 'test.csv'" in message
    assert "'notes.txt', 'sample_submission.csv', 'toy.zip'" in message
    assert f"type --source {folder / 'toy.zip'}" in message
    assert caught.value.exit_code == 3
    assert not data.exists()


@pytest.mark.parametrize("root", ["/proc/data", "blocked/data"], ids=["read-only", "a file"])
def test_a_place_that_cannot_be_written_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("blocked").write_text("in the way")
    with pytest.raises(DownloadError) as caught:
        download(Competition(), SAMPLE, Path(root))
    message = str(caught.value)
    assert root in message
    assert "can be written" in message
    assert "\n" not in message
    assert held(tmp_path) == ["blocked"]


def run_in_a_process(script: str, *arguments: Path) -> subprocess.Popen[str]:
    here = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
    start = "from pathlib import Path\nfrom test_download import *\n"
    command = [sys.executable, "-c", here + start + script, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


FULL_DISK = """
import resource
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    download(Competition(), of_path(Path(sys.argv[1])), Path(sys.argv[2]))
except DownloadError as error:
    print(error)
"""


@pytest.mark.parametrize("kind", ["folder", "archive"])
def test_a_full_disk_is_reported_and_leaves_nothing(
    kind: str, folder: Path, tmp_path: Path, data: Path
) -> None:
    (folder / "train.csv").write_bytes(os.urandom(300_000))
    given = folder
    if kind == "archive":
        given = Path(shutil.make_archive(str(tmp_path / "big"), "zip", folder))
    reported, _ = run_in_a_process(FULL_DISK, given, data).communicate()
    assert f"{data / 'toy'}: the disk is full" in reported
    assert reported.count("\n") == 1
    assert held(data / "toy") == [".lock"]


KILLED = """
import time
class Endless(Sample):
    def write(self, folder):
        (folder / "train.csv").write_bytes(b"half a fi")
        print("writing", flush=True)
        time.sleep(60)

download(Competition(sample=Endless()), SAMPLE, Path(sys.argv[1]))
"""


def test_a_killed_run_is_done_again_cleanly(data: Path) -> None:
    process = run_in_a_process(KILLED, data)
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert len(held(data / "toy")) == 2
    raw = download(Competition(), SAMPLE, data)
    assert contents(raw) == CONTENTS
    assert held(data / "toy") == sorted([".lock", raw.folder.name])


SLOW = """
import time
class Slow(Sample):
    def write(self, folder):
        print("writing", flush=True)
        time.sleep(0.3)
        super().write(folder)

download(Competition(sample=Slow()), SAMPLE, Path(sys.argv[1]))
"""


def test_two_runs_at_once_write_once(data: Path) -> None:
    outputs = [process.communicate()[0] for process in [run_in_a_process(SLOW, data) for _ in "ab"]]
    assert sorted(outputs) == ["", "writing\n"]


def test_titanics_sample_is_of_the_form_that_stage_1_expects(data: Path) -> None:
    from pipelines.raw_files.samples import titanic

    names = {"train": "train.csv", "test": "test.csv", "sample": "gender_submission.csv"}
    sample = SimpleNamespace(
        write=titanic.write,
        fingerprint=titanic.fingerprint,
        origin=titanic.ORIGIN,
        synthetic=False,
    )
    raw = download(Competition(files=names, sample=sample), SAMPLE, data)
    assert raw.holdout is not None
    with raw.holdout.open(newline="") as stream:
        assert len(list(csv.reader(stream))) == 419
