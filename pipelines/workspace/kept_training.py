"""Keeps an unfinished training in its run, so that the same command goes on where it was killed."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

from models.checkpoints import Layout, Snapshot
from pipelines.workspace import checkpoint_files, files
from pipelines.workspace.checkpoint_files import CheckpointError, KeptSnapshot
from pipelines.workspace.layout import LOCK_FILE
from pipelines.workspace.provenance import machine

BYTES_PER_S = 1e8  # what a slow disk writes
SUFFIX = ".npz"


class KeptTraining:
    """The `Checkpoints` of one stage; without effect until `opened`.

    A snapshot replaces the one of the same name, which stays beside it in case the newest one is
    damaged. Nothing that is found here, and no disk that refuses, ever stops a run.

    Attributes:
        share: Of the training's time, what may be spent on keeping it.
        least_s: Seconds between two times of keeping, at least.
        seconds_before: How long earlier processes had trained what was loaded.
    """

    share: ClassVar[float] = 0.02
    least_s: ClassVar[float] = 10.0

    def __init__(self, folder: Path, tell: Callable[[str], None]) -> None:
        """Take a place on disk.

        Args:
            folder: Belongs to this stage alone; made when it is needed.
            tell: Tells the person a fact of one line.
        """
        self.seconds_before = 0.0
        self._folder, self._tell = folder, tell
        self._is_open = False
        self._identity: dict[str, Any] = {}
        self._shown: set[str] = set()
        self._started = self._last = 0.0
        self._spent = self._cost = 0.0

    @contextlib.contextmanager
    def opened(self, fingerprint: str) -> Iterator[None]:
        """Keep and find snapshots of the stage of that fingerprint.

        Where another process keeps the same stage, this one trains without.
        """
        with contextlib.ExitStack() as held:
            self._started = self._last = time.perf_counter()
            self._identity = {"settings, data or code": fingerprint, **machine()}
            try:
                self._take(held)
            except files.LockedError:
                self.tell("another process trains it too; only that one keeps how far it is")
            except OSError as error:
                self._give_up(error)
            try:
                yield
            finally:
                self._close()

    def _take(self, held: contextlib.ExitStack) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        held.enter_context(files.locked(self._folder / LOCK_FILE))
        for half in self._folder.glob("*.writing"):
            half.unlink()
        self._is_open = True

    def _close(self) -> None:
        """Leave no folder in which nothing is kept."""
        if self._is_open and not any(self._folder.glob(f"*{SUFFIX}")):
            self.remove()
        self._is_open = False

    def remove(self) -> None:
        """Remove everything that is kept; the stage is finished."""
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def seconds(self) -> float:
        """How long the training has taken, in all processes together."""
        return self.seconds_before + time.perf_counter() - self._started

    def load(self, name: str, layout: Layout) -> Snapshot | None:
        """The newest usable snapshot; those that are not are removed, and the reason is shown."""
        if not self._is_open:
            return None
        kept, faults = None, []
        for path in filter(Path.exists, self._generations(name)):
            try:
                kept = checkpoint_files.read(path, self._identity | dict(layout))
                break
            except (CheckpointError, OSError) as error:
                faults.append(str(error))
                with contextlib.suppress(OSError):
                    path.unlink()
        if faults:
            then = "this part is trained again" if kept is None else "the one before is used"
            reasons = "; ".join(dict.fromkeys(faults))
            self.tell(f"what was kept is not used: {reasons}; {then}")
        if kept is None:
            return None
        self.seconds_before = max(self.seconds_before, kept.seconds)
        return kept.snapshot

    def is_due(self, n_bytes: int) -> bool:
        """Whether keeping that much now leaves it at the share of the time."""
        now = time.perf_counter()
        cost = max(self._cost, n_bytes / BYTES_PER_S)
        is_cheap = self._spent + cost <= self.share * (now - self._started)
        return self._is_open and is_cheap and now - self._last >= self.least_s

    def save(self, name: str, layout: Layout, snapshot: Snapshot) -> None:
        """Keep the snapshot; where the disk refuses, the training goes on without."""
        if not self._is_open:
            return
        start = time.perf_counter()
        try:
            self._write(name, KeptSnapshot(snapshot, self.seconds), dict(layout))
        except OSError as error:
            self._give_up(error)
        self._last = time.perf_counter()
        self._cost = self._last - start
        self._spent += self._cost

    def _write(self, name: str, kept: KeptSnapshot, layout: dict[str, Any]) -> None:
        newest, previous = self._generations(name)
        with files.whole(newest) as temporary:
            checkpoint_files.write(temporary, kept, self._identity | layout)
            if newest.exists():
                newest.replace(previous)

    def _generations(self, name: str) -> tuple[Path, Path]:
        """The files of the newest snapshot and of the one before it."""
        return self._folder / f"{name}{SUFFIX}", self._folder / f"{name}.previous{SUFFIX}"

    def _give_up(self, error: OSError) -> None:
        self._is_open = False
        reason = (error.strerror or "refused").lower()
        self.tell(f"how far it is cannot be kept in {self._folder}: {reason}; it is trained on")

    def tell(self, text: str) -> None:
        """Tell the person a fact, once."""
        if text not in self._shown:
            self._shown.add(text)
            self._tell(text)
