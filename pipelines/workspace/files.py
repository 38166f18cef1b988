"""Files written whole or not at all, their digests, and locks that end with their process."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pipelines.workspace.disk import writing
from submissions.whole_file import whole_file


class LockedError(RuntimeError):
    """Another process holds the lock."""

    exit_code = 2


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a new name beside `path` to write to; renamed to `path` if the block ends well.

    The name is unique, so that two processes that write the same file do not mix their bytes. It is
    locked while the process lives: those of processes that were killed are removed first.

    Raises:
        DiskFullError: There is no room for it.
    """
    with writing(path), whole_file(path) as temporary:
        yield temporary


def write_text(path: Path, text: str) -> Path:
    """Write the text as UTF-8, whole or not at all; give the path."""
    with whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def copy(source: Path, target: Path) -> None:
    """Copy the bytes of a file, whole or not at all; makes the target's folder."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with whole(target) as temporary:
        shutil.copyfile(source, temporary)


def link_or_copy(source: str | Path, target: str | Path) -> None:
    """A hard link where the disk can have one, else a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def sync(path: Path) -> None:
    """Wait until a file or folder is on the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    """Of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def fingerprint(value: Any) -> str:
    """A sha256 of the value's canonical JSON, in hexadecimal."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@contextlib.contextmanager
def locked(path: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold the lock file for this process; the lock ends with the process, however it ends.

    The file stays, but holds nothing: the lock is the operating system's.

    Args:
        path: The lock file; made where it is missing.
        wait: Wait for the process that holds it, rather than raise.

    Raises:
        LockedError: Another process holds it.
    """
    lock = FileLock(path)
    try:
        with writing(path):
            lock.acquire(blocking=wait)
    except Timeout as error:
        raise LockedError(f"{path} is held by another process; wait for it to end") from error
    try:
        yield
    finally:
        lock.release()
