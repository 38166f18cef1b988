"""A disk without room: what was written is named, with how much room there is and what to do."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from pipelines.workspace import arrays, files
from pipelines.workspace.disk import DiskFullError, is_disk_fault, writing
from pipelines.workspace.layout import RunLayout
from pipelines.workspace.stage_cache import StageStore

FULL = Path("/dev/full")  # whatever is written there finds no room

pytestmark = pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")


def fill(_=None):
    FULL.write_bytes(b"text")


def told(error):
    """The line of a full disk."""
    text = str(error)
    assert "not written: the disk is full (" in text
    assert " free in " in text
    assert "type the same command again to continue" in text
    assert isinstance(error, OSError)
    assert (error.errno, error.exit_code) == (errno.ENOSPC, 3)
    return text


def test_the_file_that_was_to_be_written_is_named(tmp_path):
    with pytest.raises(DiskFullError) as caught, files.whole(tmp_path / "x.json") as temporary:
        temporary.unlink()
        temporary.symlink_to(FULL)
        temporary.write_text("text")
    assert told(caught.value).startswith(f"{tmp_path / 'x.json'}: ")
    assert list(tmp_path.iterdir()) == []


def test_the_innermost_place_is_named(tmp_path):
    with pytest.raises(DiskFullError) as caught, writing(tmp_path / "all"), writing(tmp_path / "x"):
        fill()
    assert told(caught.value).startswith(f"{tmp_path / 'x'}: ")


def test_a_stage_leaves_nothing_and_is_made_once_there_is_room(tmp_path):
    store = StageStore(RunLayout(tmp_path / "runs" / "toy" / "1"))
    stage = {"settings": {}, "upstream": [], "code": ""}
    with pytest.raises(DiskFullError) as caught:
        store.do("preprocess", fill, **stage)
    assert f"{store.run.stages / 'preprocess'}: " in told(caught.value)
    assert list(store.run.stages.iterdir()) == []
    made = store.do("preprocess", lambda folder: (folder / "x").write_text("x"), **stage)
    assert made.status == "made"


def test_rows_are_written_without_a_mapping_which_a_full_disk_would_kill(tmp_path):
    (tmp_path / "rows.npy").symlink_to(FULL)
    with pytest.raises(DiskFullError) as caught:
        arrays.RowsWriter(tmp_path / "rows.npy", 4).append(np.ones((4, 2)))
    told(caught.value)


@pytest.mark.parametrize("number", [errno.EDQUOT, errno.EFBIG])
def test_other_lacks_of_room_say_which(tmp_path, number):
    words = "quota" if number == errno.EDQUOT else "ulimit"
    with pytest.raises(DiskFullError, match=words), writing(tmp_path / "x"):
        raise OSError(number, os.strerror(number))


def test_another_fault_stays_as_it_is(tmp_path):
    with pytest.raises(FileNotFoundError), writing(tmp_path / "x"):
        (tmp_path / "none" / "x").write_text("x")


def test_what_a_disk_refuses_is_known():
    assert is_disk_fault(OSError(errno.EACCES, "denied"))
    assert is_disk_fault(OSError("5 requested and 0 written"))
    assert not is_disk_fault(OSError(errno.ECONNRESET, "reset"))
    assert not is_disk_fault(ValueError("0 written"))
