"""Disks that refuse: full, a quota that is used up, or a place that cannot be written."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from pipelines.sizes import shown

FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your quota of the disk is used up",
    errno.EFBIG: "it is larger than a file may be (ulimit -f)",
}
REFUSALS = (*FULL, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR)
BAD_NAMES = (errno.ENAMETOOLONG, errno.ELOOP, errno.EILSEQ)


class DiskFullError(OSError):
    """A file that was not written, because there is no room; nothing half-written is left."""

    exit_code = 3

    def __init__(self, path: Path, number: int) -> None:
        super().__init__(number, os.strerror(number), str(path))
        self._line = (
            f"{path}: not written: {FULL[number]} ({room(path)}); finished stages are kept and "
            "nothing is half-written: free some room (foldwise clean shows what takes how much), "
            "then type the same command again to continue"
        )

    def __str__(self) -> str:
        """What, where, how much room there is, and what to type next."""
        return self._line


def is_disk_fault(error: BaseException) -> bool:
    """Whether the disk refused: full, not to be written, or a folder where a file should be."""
    return isinstance(error, OSError) and (error.errno in REFUSALS or _fills(error) is not None)


def is_name_fault(error: BaseException) -> bool:
    """Whether no file can have that name: it is too long, or a link that leads to itself."""
    return isinstance(error, OSError) and error.errno in BAD_NAMES


def refusal(error: OSError) -> str:
    """What could not be written, and why."""
    # Of a rename the second name is the one that was to be written.
    place = error.filename2 or error.filename
    what = f"cannot write {place}" if place else "cannot write"
    left = f" ({room(Path(os.fsdecode(place or 'x')))})" if error.errno in FULL else ""
    return f"{what}: {(error.strerror or 'refused').lower()}{left}"


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Name the file or folder that is written, where the disk is full.

    Raises:
        DiskFullError: There is no room for it.
    """
    try:
        yield
    except OSError as error:
        number = _fills(error)
        if number is None or isinstance(error, DiskFullError):
            raise
        raise DiskFullError(path, number) from error


def room(path: Path) -> str:
    """How much is free where that file would be."""
    folder = next(parent for parent in path.absolute().parents if parent.is_dir())
    return f"{shown(shutil.disk_usage(folder).free)} free in {_short(folder)}"


def _short(folder: Path) -> Path:
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


def _fills(error: OSError) -> int | None:
    """Which lack of room the error is; None for another."""
    if error.errno in FULL:
        return error.errno
    # numpy's own words, without a number, where an array does not fit on the disk
    return errno.ENOSPC if error.errno is None and " written" in str(error) else None
