"""A disk that is full during a study: one line and its code, and the same command goes on."""

import random
import resource
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from forks import Command, Ended, typed
from full_disk import FullDisk
from toy import NAME
from verdict import faults

TUNE = ("tune", NAME, "--source", "files", "--member", "trees", "--trials", "3", "--no-track")
STORAGES = {"a journal": (), "SQLite": ("--storage", "sqlite:///studies.db")}


@dataclass(frozen=True)
class Undisturbed:
    """A study on a disk with room.

    Attributes:
        n_writes: How often it opens a file to write.
        n_bytes: Of its longest file.
        tuned: The text of its tuned.toml.
    """

    n_writes: int
    n_bytes: int
    tuned: str


def undisturbed(template: Path, folder: Path) -> dict[str, Undisturbed]:
    """A study in each kind of storage."""
    return {kept: _undisturbed(template, folder, words) for kept, words in STORAGES.items()}


def _undisturbed(template: Path, folder: Path, words: tuple[str, ...]) -> Undisturbed:
    _fresh(template, folder)
    disk = FullDisk(folder)
    ended = typed(Command((*TUNE, *words), folder, disk), folder.with_name("log"))
    assert ended.code == 0, ended.err
    longest = max(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return Undisturbed(disk.n_writes, longest, _tuned(folder))


def tried(
    rng: random.Random, template: Path, folder: Path, alone: dict[str, Undisturbed]
) -> tuple[str, Ended, list[str]]:
    """One full disk: what it refuses, how the study ended, and what is wrong."""
    _fresh(template, folder)
    kept = rng.choice(list(STORAGES))
    words, log = (*TUNE, *STORAGES[kept]), folder.with_name("log")
    what, before = _disk(rng, folder, alone[kept])
    ended = typed(Command(words, folder, before), log)
    found = list(faults(ended, folder))
    if ended.code not in (0, 3):
        found.append(f"exit code {ended.code}, expected 3: {ended.err[-300:]}")
    again = typed(Command(words, folder), log)
    found += faults(again, folder)
    if again.code:
        found.append(f"the same command then: {again.err[-500:]}")
    elif (tuned := _tuned(folder)) != alone[kept].tuned:
        found.append(f"another tuned.toml: {tuned}")
    return f"a study in {kept}, {what}", ended, found


def _fresh(template: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template, folder)


def _disk(rng: random.Random, folder: Path, alone: Undisturbed) -> tuple[str, Callable[[], None]]:
    """A disk that refuses a write of Python's, or what exceeds the length of a file."""
    if rng.random() < 0.5:
        disk = FullDisk(folder, rng.randint(1, alone.n_writes), is_lasting=rng.random() < 0.5)
        later = " and all later ones" if disk.is_lasting else ""
        return f"write {disk.at} of {alone.n_writes}{later}", disk
    longest = rng.randint(1, alone.n_bytes)
    return f"no file over {longest} bytes", lambda: _limit(longest)


def _limit(n_bytes: int) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))


def _tuned(folder: Path) -> str:
    (path,) = folder.glob("studies/**/tuned.toml")
    return path.read_text()
