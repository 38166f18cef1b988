"""Archives as they come, and as they should never be let in."""

from __future__ import annotations

import gzip
import io
import os
import random
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pipelines.raw_files.archives import ArchiveError, Limits, unpack

TRAIN = b"id,y\r\n1,0\r\n2,1\r\n" * 40
TEST = b"id\r\n3\r\n4\r\n" * 40


def zip_bytes(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in members.items():
            zipped.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "titanic.zip"


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "into"


def held(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def refused(archive: Path, wanted: list[str], into: Path, limits: Limits | None = None) -> str:
    """The message of the error; nothing may have been left, and nothing outside touched."""
    with pytest.raises(ArchiveError) as caught:
        unpack(archive, wanted, into, limits=limits)
    assert held(into) == []
    assert held(archive.parent) == sorted([archive.name, into.name])
    assert caught.value.exit_code == 3
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_only_wanted_files_are_written(archive: Path, into: Path) -> None:
    archive.write_bytes(zip_bytes({"train.csv": TRAIN, "test.csv": TEST, "readme.md": b"hello"}))
    files = unpack(archive, ["train.csv", "test.csv"], into)
    assert held(into) == ["test.csv", "train.csv"]
    assert files == {"train.csv": into / "train.csv", "test.csv": into / "test.csv"}
    assert files["train.csv"].read_bytes() == TRAIN


@pytest.mark.parametrize(
    "members",
    [
        {"train.tsv.zip": zip_bytes({"train.tsv": TRAIN})},
        {"train.zip": zip_bytes({"data/train.tsv": TRAIN}), "other.zip": b"PK no zip"},
        {"train.tsv.gz": gzip.compress(TRAIN)},
        {"deep/er/train.tsv": TRAIN},
        {"all.zip": zip_bytes({"train.tsv.zip": zip_bytes({"train.tsv": TRAIN})})},
        {"sub/train.tsv": b"not this one", "train.tsv": TRAIN},
    ],
    ids=["zip in zip", "zip of the stem first", "gzip", "in a folder", "two deep", "highest"],
)
def test_a_wanted_file_is_found_where_kaggle_puts_it(
    archive: Path, into: Path, members: dict[str, bytes]
) -> None:
    archive.write_bytes(zip_bytes(members))
    assert unpack(archive, ["train.tsv"], into)["train.tsv"].read_bytes() == TRAIN
    assert held(into) == ["train.tsv"]


def test_the_wanted_name_decides_whether_a_gzip_is_kept(archive: Path, into: Path) -> None:
    packed = gzip.compress(TRAIN)
    archive.write_bytes(zip_bytes({"names_train.csv.gz": packed}))
    files = unpack(archive, ["names_train.csv.gz", "names_train.csv"], into)
    assert files["names_train.csv.gz"].read_bytes() == packed
    assert files["names_train.csv"].read_bytes() == TRAIN


def test_a_lone_gzip_is_an_archive_of_one(tmp_path: Path, into: Path) -> None:
    archive = tmp_path / "diabetes.csv.gz"
    archive.write_bytes(gzip.compress(TRAIN))
    assert unpack(archive, ["diabetes.csv"], into)["diabetes.csv"].read_bytes() == TRAIN
    (into / "diabetes.csv").unlink()
    assert "it holds 'diabetes.csv'" in refused(archive, ["train.csv"], into)


@pytest.mark.parametrize(
    "name",
    [
        "../evil.csv",
        "a/../../evil.csv",
        "/etc/evil.csv",
        "C:\\evil.csv",
        "C:evil.csv",
        "..\\evil.csv",
        "\\\\server\\evil.csv",
    ],
)
def test_a_path_that_climbs_out_is_refused_whole(archive: Path, into: Path, name: str) -> None:
    archive.write_bytes(zip_bytes({"train.csv": TRAIN, name: b"evil"}))
    message = refused(archive, ["train.csv"], into)
    assert "titanic.zip" in message
    assert repr(name) in message
    assert "climbs out" in message


def test_a_climbing_path_in_an_inner_zip_is_refused(archive: Path, into: Path) -> None:
    archive.write_bytes(zip_bytes({"train.zip": zip_bytes({"../train.csv": TRAIN})}))
    assert "member 'train.zip': member '../train.csv'" in refused(archive, ["train.csv"], into)


def test_a_link_is_refused(archive: Path, into: Path) -> None:
    link = zipfile.ZipInfo("train.csv")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr(link, "/etc/passwd")
    assert "is a link" in refused(archive, ["train.csv"], into)


def test_a_bomb_is_stopped_while_it_grows(archive: Path, into: Path) -> None:
    archive.write_bytes(zip_bytes({"train.csv": bytes(8 << 20)}))
    limits = Limits(ratio=100, ratio_free_bytes=1 << 20)
    message = refused(archive, ["train.csv"], into, limits)
    assert "member 'train.csv'" in message
    assert "100 times" in message


def test_a_bomb_within_zips_is_measured_against_the_outermost(archive: Path, into: Path) -> None:
    inner = zip_bytes({"train.csv": bytes(8 << 20)})
    archive.write_bytes(zip_bytes({"train.zip": zip_bytes({"train.csv.zip": inner})}))
    limits = Limits(ratio=100, ratio_free_bytes=1 << 20)
    assert "member 'train.csv'" in refused(archive, ["train.csv"], into, limits)


def test_the_total_is_bounded_over_all_files(archive: Path, into: Path) -> None:
    noise = random.Random(0).randbytes(600_000)
    archive.write_bytes(zip_bytes({"train.csv": noise, "test.csv": noise}))
    limits = Limits(total_bytes=1_000_000)
    assert "1,000,000" in refused(archive, ["train.csv", "test.csv"], into, limits)


def test_members_are_bounded_over_all_zips(archive: Path, into: Path) -> None:
    inner = zip_bytes({f"{n}.txt": b"" for n in range(30)})
    archive.write_bytes(zip_bytes({f"{n}.zip": inner for n in range(10)}))
    message = refused(archive, ["train.csv"], into, Limits(members=100))
    assert "expected at most 100 in all zips together" in message
    assert "member '" in message  # the inner zip that was one too many


def test_a_header_that_lies_about_the_size_changes_nothing(archive: Path, into: Path) -> None:
    content = zip_bytes({"train.csv": bytes(8 << 20)})
    honest, lie = (8 << 20).to_bytes(4, "little"), (100).to_bytes(4, "little")
    assert content.count(honest) == 2
    archive.write_bytes(content.replace(honest, lie))
    assert "member 'train.csv'" in refused(archive, ["train.csv"], into)


def test_zips_are_opened_to_a_bounded_depth(archive: Path, into: Path) -> None:
    content = TRAIN
    for name in ("train.csv", "c.zip", "b.zip", "a.zip"):
        content = zip_bytes({name: content})
    archive.write_bytes(content)
    assert "no file 'train.csv'" in refused(archive, ["train.csv"], into)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_an_archive_that_is_cut_off_is_reported(archive: Path, into: Path, share: float) -> None:
    content = zip_bytes({"train.csv": TRAIN, "test.csv": TEST})
    archive.write_bytes(content[: int(len(content) * share)])
    message = refused(archive, ["train.csv", "test.csv"], into)
    assert "cut off or damaged" in message or "an empty file" in message
    assert "download the archive again" in message


def test_a_wrong_checksum_leaves_no_file_not_even_the_good_one(archive: Path, into: Path) -> None:
    noise = random.Random(1).randbytes(5_000)
    content = bytearray(zip_bytes({"test.csv": TEST, "train.csv": noise}))
    content[content.index(noise[1_000:1_100]) + 50] ^= 0xFF
    archive.write_bytes(content)
    message = refused(archive, ["test.csv", "train.csv"], into)
    assert "titanic.zip: member 'train.csv'" in message
    assert "CRC" in message


def test_every_cut_and_every_flipped_byte_is_refused_or_harmless(tmp_path: Path) -> None:
    small = b"id,y\n1,0\n"
    whole = zip_bytes({"train.csv.zip": zip_bytes({"train.csv": small}), "a.csv": small})
    broken = [whole[:n] for n in range(len(whole))]
    broken += [whole[:n] + bytes([whole[n] ^ 0xFF]) + whole[n + 1 :] for n in range(len(whole))]
    archive, into = tmp_path / "a.zip", tmp_path / "into"
    n_refused = 0
    for content in broken:
        archive.write_bytes(content)
        try:
            files = unpack(archive, ["train.csv", "a.csv"], into)
        except ArchiveError:
            n_refused += 1
            assert held(into) == []
        else:
            assert {path.read_bytes() for path in files.values()} == {small}
            shutil.rmtree(into)
    assert n_refused > len(whole)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "an empty file"),
        (b"<!DOCTYPE html><html>Sign in", "a web page"),
        (b"id,y\n1,0\n", "starts with b'id,y"),
    ],
)
def test_what_is_no_zip_is_reported_apart(
    archive: Path, into: Path, content: bytes, found: str
) -> None:
    archive.write_bytes(content)
    assert found in refused(archive, ["train.csv"], into)


def test_a_damaged_gzip_member_is_reported(archive: Path, into: Path) -> None:
    archive.write_bytes(zip_bytes({"train.csv.gz": gzip.compress(TRAIN)[:-9]}))
    assert "member 'train.csv.gz': is cut off" in refused(archive, ["train.csv"], into)


def test_an_encrypted_member_is_reported(archive: Path, into: Path) -> None:
    content = bytearray(zip_bytes({"train.csv": TRAIN}))
    content[6] |= 1  # the local header's flags
    content[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    assert "is encrypted" in refused(archive, ["train.csv"], into)


def test_a_missing_file_names_what_is_there(archive: Path, into: Path) -> None:
    archive.write_bytes(zip_bytes({"Train.csv": TRAIN, "test.csv": TEST}))
    message = refused(archive, ["train.csv", "test.csv"], into)
    assert "no file 'train.csv'" in message
    assert "it holds 'Train.csv', 'test.csv'" in message
    assert "did you mean 'Train.csv'?" in message


def test_two_files_of_one_name_are_not_chosen_between(archive: Path, into: Path) -> None:
    archive.write_bytes(zip_bytes({"a/train.csv": TRAIN, "b/train.csv": TEST}))
    message = refused(archive, ["train.csv"], into)
    assert "'a/train.csv', 'b/train.csv'" in message


def test_a_file_in_place_of_the_folder_is_the_disks_error(archive: Path, into: Path) -> None:
    archive.write_bytes(zip_bytes({"train.csv": TRAIN}))
    into.write_text("in the way")
    with pytest.raises(FileExistsError):
        unpack(archive, ["train.csv"], into)
    assert into.read_text() == "in the way"


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from pipelines.raw_files.archives import unpack

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    unpack(Path(sys.argv[1]), ["test.csv", "train.csv"], Path(sys.argv[2]))
except OSError as error:
    print(error.errno)
"""


def test_a_full_disk_leaves_nothing(archive: Path, into: Path) -> None:
    archive.write_bytes(zip_bytes({"test.csv": TEST, "train.csv": os.urandom(300_000)}))
    command = [sys.executable, "-c", FULL_DISK, str(archive), str(into)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "27"  # EFBIG
    assert held(into) == []
