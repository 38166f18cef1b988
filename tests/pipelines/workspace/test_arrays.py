"""Arrays that are written and read a slice at a time."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.workspace.arrays import RowsOnDisk, RowsWriter


@pytest.mark.parametrize("shape", [(7, 3), (7,), (7, 2, 2), (7, 0)])
@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_slices_give_the_bytes_of_the_whole_array(tmp_path, shape, dtype):
    rows = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    writer = RowsWriter(tmp_path / "slices.npy", len(rows))
    for start in range(0, len(rows), 3):
        writer.append(rows[start : start + 3])
    np.save(tmp_path / "whole.npy", rows)
    assert (tmp_path / "slices.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()


def test_rows_side_by_side_are_read_by_slice(tmp_path):
    left, right = np.arange(12.0).reshape(4, 3), -np.ones((4, 1))
    np.save(tmp_path / "left.npy", left)
    np.save(tmp_path / "right.npy", right)
    rows = RowsOnDisk([tmp_path / "left.npy", tmp_path / "right.npy"])
    whole = np.hstack([left, right])
    assert rows.shape == whole.shape
    np.testing.assert_array_equal(rows[1:3], whole[1:3])
    np.testing.assert_array_equal(np.asarray(rows), whole)
    assert len(rows[4:9]) == 0
