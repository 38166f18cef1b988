"""The journal file of a study, locked by the kernel and valid after a kill at any moment."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.workspace.disk import writing
from pipelines.workspace.stored import DamagedFileError


class JournalFile:
    """A journal backend for Optuna: lines that are appended and read.

    Optuna's own backend takes a lock file, which outlives a killed process and makes the next one
    wait for half a minute; here the lock ends with its process. A line that a kill cut off is
    removed before the next one is written. Only the end of a trial is synchronised to disk:
    written lines survive a kill of the process in any case, and ended trials also a power cut.

    Raises:
        DamagedFileError: There is something else in its place.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():
            raise damaged(path, "no ordinary file")
        path.touch()
        self._path = path
        self._starts = [0]  # byte offsets of the lines read so far, and of the next one

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """The complete lines from that number on.

        Raises:
            DamagedFileError: A line is not as it was written.
        """
        known = min(log_number_from, len(self._starts) - 1)
        with self._path.open("rb") as file:
            file.seek(self._starts[known])
            for number, line in enumerate(file, start=known):
                if not line.endswith(b"\n"):
                    return
                if number + 1 == len(self._starts):
                    self._starts.append(self._starts[number] + len(line))
                if number >= log_number_from:
                    yield self._operation(number, line)

    def _operation(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            operation = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise damaged(self._path, f"no JSON in line {number + 1}") from error
        if not isinstance(operation, dict):
            raise damaged(self._path, f"a {type(operation).__name__} in line {number + 1}")
        return operation

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append the lines in one write.

        Raises:
            DiskFullError: There is no room for them.
        """
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        with writing(self._path), self._path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(_end_of_whole_lines(file.fileno()))
            file.truncate()
            file.write(lines.encode())
            file.flush()
            if any("state" in log for log in logs):
                os.fsync(file.fileno())


def damaged(path: Path, found: str) -> DamagedFileError:
    """The error of a journal that was not written by a study alone."""
    old = shlex.quote(f"{path}.old")
    step = f"mend it, or begin the study again: mv {shlex.quote(str(path))} {old}"
    return DamagedFileError(path, found, step)


def _end_of_whole_lines(descriptor: int) -> int:
    """Number of bytes up to the end of the last complete line."""
    size = os.fstat(descriptor).st_size
    end, block = size, 4096
    while end:
        start = max(0, end - block)
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
