"""A disk that is full at the k-th write: one line and its code, and the same command goes on."""

import contextlib
import errno
import mmap
import os
import random
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import outcome
from forks import Command, Ended, typed
from inputs import without_figures
from toy import NAME
from verdict import faults

Alone = dict[bool, outcome.Outcome]  # by whether the run is lean
RUN = ("run", NAME, "--source", "files", "--no-track")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@dataclass
class FullDisk:
    """Writes in a folder, counted; from the k-th on, or at it alone, the disk is full.

    Attributes:
        folder: The workspace.
        at: The write that fails; 0 for none.
        is_lasting: Whether all later ones fail too.
        is_lean: Whether figures and report are left out.
    """

    folder: Path
    at: int = 0
    is_lasting: bool = True
    is_lean: bool = False
    _shared: mmap.mmap = field(default_factory=lambda: mmap.mmap(-1, 4))

    @property
    def n_writes(self) -> int:
        """So far, in this process and its forks."""
        return int.from_bytes(self._shared[:4], "little")

    def __call__(self) -> None:
        """Take effect in this process: files that are opened, and whole writes at their end."""
        if self.is_lean:
            without_figures()
        sys.addaudithook(self._hear)
        from pipelines.workspace import files

        whole = files.whole

        @contextlib.contextmanager
        def ending(path: Path) -> Iterator[Path]:
            with whole(path) as temporary:
                yield temporary
                self._count(temporary)

        files.whole = ending

    def _hear(self, event: str, arguments: tuple) -> None:
        if event == "open" and isinstance(arguments[0], str | os.PathLike):
            path, mode, flags = arguments
            is_written = flags & WRITES or (isinstance(mode, str) and set(mode) & set("wax+"))
            if is_written and self._is_inside(os.fspath(path)):
                self._count(path)
        elif event == "os.mkdir" and self._is_inside(os.fspath(arguments[0])):
            self._count(arguments[0])

    def _is_inside(self, path: str) -> bool:
        return Path(path).absolute().is_relative_to(self.folder) and not path.endswith("lock")

    def _count(self, path: object) -> None:
        self._shared[:4] = (self.n_writes + 1).to_bytes(4, "little")
        if self.at and (self.n_writes == self.at or (self.is_lasting and self.n_writes > self.at)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def counted(template: Path, folder: Path, *, is_lean: bool) -> int:
    """How often an undisturbed run writes."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template, folder)
    disk = FullDisk(folder, is_lean=is_lean)
    ended = typed(Command(RUN, folder, disk), folder.with_name("log"))
    assert ended.code == 0, ended.err
    return disk.n_writes


def tried(
    rng: random.Random, template: Path, folder: Path, alone: Alone, n_writes: dict[bool, int]
) -> tuple[str, Ended, list[str]]:
    """One full disk: which write, how the command ended, and what is wrong."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template, folder)
    is_lean = rng.random() < 0.6
    n = n_writes[is_lean]
    disk = FullDisk(folder, rng.randint(1, n), is_lasting=rng.random() < 0.5, is_lean=is_lean)
    what = f"write {disk.at} of {n}{' and all later ones' if disk.is_lasting else ''}"
    ended = typed(Command(RUN, folder, disk), folder.with_name("log"))
    found = list(faults(ended, folder))
    if ended.code not in (0, 3):
        found.append(f"exit code {ended.code}, expected 3: {ended.err[-300:]}")
    again = typed(
        Command(RUN, folder, without_figures if is_lean else None), folder.with_name("log")
    )
    found += faults(again, folder)
    if again.code:
        found.append(f"the same command then: {again.err[-500:]}")
    return what, ended, found + list(outcome.differences(folder, alone[is_lean]))
