"""Keeps finished stages, and reuses one wherever the same stage would be made again.

A stage's folder is written under a temporary name and renamed when it is whole. Its manifest
holds the fingerprint of what went in: settings, upstream content, code. Upstream counts by its
content: a stage that was made again with the same bytes changes nothing downstream. A later run
of the competition links the folder of an earlier one where the fingerprints agree. Where two
processes need the same stage, one makes it, and the other waits and takes it.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from pipelines.workspace import stored
from pipelines.workspace.disk import writing
from pipelines.workspace.files import fingerprint, link_or_copy, locked, sha256
from pipelines.workspace.kept_training import KeptTraining
from pipelines.workspace.layout import RunLayout, is_stage
from pipelines.workspace.summary import Summary

MANIFEST = "manifest.json"
MAKE_AGAIN = "remove its folder: the next run makes it again"
Status = Literal["made", "kept", "reused"]


@dataclass(frozen=True)
class Stage:
    """A finished stage.

    Attributes:
        name: Of the stage, and of its folder.
        folder: What it wrote.
        content: A sha256 over the files in the folder.
        seconds: How long it took when it was made.
        status: `made` now, `kept` in this run's folder, or `reused` from an earlier run.
    """

    name: str
    folder: Path
    content: str
    seconds: float
    status: Status


class StageStore:
    """The stages of one run, which may reuse those of the competition's other runs."""

    def __init__(self, run: RunLayout) -> None:
        self.run = run

    def do(
        self,
        name: str,
        make: Callable[[Path], None],
        *,
        settings: Mapping[str, Any],
        upstream: Sequence[str],
        code: str,
        kept: KeptTraining | None = None,
    ) -> Stage:
        """Give the stage of that fingerprint: kept, linked from an earlier run, or made.

        Args:
            name: Of the stage, and of its folder.
            make: Writes the stage's files into the empty folder that it is given.
            settings: The part of the configuration that the stage depends on.
            upstream: Content of the stages that it takes its input from.
            code: A digest of the code that the stage depends on.
            kept: Where `make` keeps how far it is; removed when the stage is finished.
        """
        key = {"stage": name, "settings": settings, "upstream": upstream, "code": code}
        wanted = fingerprint(key)
        stage = self._kept(name, wanted)
        if stage is None:
            with _alone(self.run.stages / name):
                stage = (
                    self._kept(name, wanted)
                    or self._reused(name, wanted)
                    or self._made(name, make, wanted, kept)
                )
        if kept is not None:
            kept.remove()
        return stage

    def _kept(self, name: str, wanted: str) -> Stage | None:
        """The stage of this run."""
        folder = self.run.stages / name
        return _stage(name, folder, "kept") if _is_finished(folder, wanted) else None

    def _reused(self, name: str, wanted: str) -> Stage | None:
        """The stage of an earlier run, linked into this one."""
        folder = self.run.stages / name
        for earlier in (run.stages / name for run in self.run.elsewhere(name, MANIFEST)):
            if _is_finished(earlier, wanted):
                with contextlib.suppress(_ReplacedError):
                    _replace(folder, partial(_link, earlier, wanted=wanted))
                    return _stage(name, folder, "reused")
        return None

    def _made(
        self, name: str, make: Callable[[Path], None], wanted: str, kept: KeptTraining | None
    ) -> Stage:
        folder = self.run.stages / name
        with kept.opened(wanted) if kept else contextlib.nullcontext():
            _replace(folder, lambda empty: _make(empty, make, wanted, kept))
        return _stage(name, folder, "made")


class Manifest(BaseModel):
    """What a finished stage was made of, and the files that it wrote.

    Attributes:
        fingerprint: Of what went in.
        seconds: How long it took.
        sizes: In bytes, by file.
        times: Of the last change, in nanoseconds, by file; absent in stages of older versions.
        digests: The sha256 of each file; absent there too.
        content: A sha256 over all of them.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    fingerprint: str
    seconds: float
    sizes: dict[str, int]
    times: dict[str, int] = {}
    digests: dict[str, str] = {}
    content: str


def seconds_of(folder: Path) -> float:
    """How long a finished stage took when it was made.

    Raises:
        DamagedFileError: Its manifest holds something else.
    """
    return stored.read(Manifest, folder / MANIFEST, MAKE_AGAIN).seconds


def content_of(folder: Path) -> str:
    """The sha256 over the files of a finished stage.

    Raises:
        DamagedFileError: Its manifest holds something else.
    """
    return stored.read(Manifest, folder / MANIFEST, MAKE_AGAIN).content


def check(run: RunLayout, *, stage: str | None = None) -> None:
    """Check that no file of a finished run's stages, or of one of them, has changed.

    Raises:
        DamagedFileError: One has, or is gone; names the first.
    """
    for name in [stage] if stage else _stages_of(run):
        folder = run.stages / name
        if not folder.is_dir():
            raise stored.DamagedFileError(folder, "no such folder", _again(run))
        manifest = stored.read(Manifest, folder / MANIFEST, _again(run))
        if changed := _changed(folder, manifest):
            path = folder / changed[0]
            found = "other bytes" if path.is_file() else "no such file"
            raise stored.DamagedFileError(path, found, _again(run))


def _stages_of(run: RunLayout) -> list[str]:
    """The stages that the run's summary names."""
    summary = Summary.read(run.folder)
    timed = summary.stage_seconds if summary else ()
    return [name for name in timed if is_stage(name)]


def _again(run: RunLayout) -> str:
    return f"type the command that made the run, foldwise run {run.competition}, again"


def _make(
    empty: Path, make: Callable[[Path], None], wanted: str, kept: KeptTraining | None
) -> None:
    start = time.perf_counter()
    make(empty)
    before = kept.seconds_before if kept else 0.0
    _write_manifest(empty, wanted, before + time.perf_counter() - start)


def _write_manifest(folder: Path, wanted: str, seconds: float) -> None:
    files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    digests = {name: sha256(path) for name, path in files.items()}
    manifest = {
        "fingerprint": wanted,
        "seconds": round(seconds, 3),
        "sizes": {name: path.stat().st_size for name, path in files.items()},
        "times": {name: path.stat().st_mtime_ns for name, path in files.items()},
        "digests": digests,
        "content": fingerprint(digests),
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")


def is_whole(folder: Path) -> bool:
    """Whether the folder holds a finished stage, just as it was written."""
    return _whole(folder) is not None


def _whole(folder: Path) -> Manifest | None:
    """The manifest of a finished stage whose files are just as they were written."""
    try:
        manifest = stored.read(Manifest, folder / MANIFEST, MAKE_AGAIN)
    except stored.DamagedFileError:
        return None
    return None if _changed(folder, manifest) else manifest


def _is_finished(folder: Path, wanted: str) -> bool:
    """Whether the folder holds the stage of that fingerprint, whole."""
    manifest = _whole(folder)
    return manifest is not None and manifest.fingerprint == wanted


def _changed(folder: Path, manifest: Manifest) -> list[str]:
    """The files that differ from the manifest or are gone.

    One of the same size and time is taken as it is; of a copy with another time the bytes decide.
    """
    return [name for name in manifest.sizes if not _is_same(folder / name, name, manifest)]


def _is_same(path: Path, name: str, manifest: Manifest) -> bool:
    if not path.is_file():
        return False
    status = path.stat()
    if status.st_size != manifest.sizes[name]:
        return False
    if name not in manifest.digests or status.st_mtime_ns == manifest.times.get(name):
        return True
    return sha256(path) == manifest.digests[name]


def _stage(name: str, folder: Path, status: Status) -> Stage:
    manifest = stored.read(Manifest, folder / MANIFEST, MAKE_AGAIN)
    return Stage(name, folder, manifest.content, manifest.seconds, status)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the stage's lock, which no process keeps from its end on."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = folder.with_name(f".{folder.name}.lock")
    with locked(lock, wait=True):
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def _replace(folder: Path, write: Callable[[Path], None]) -> None:
    """Fill a temporary folder beside `folder`, then rename it into place; or leave nothing."""
    temporary = folder.with_name(f".{folder.name}.writing")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with writing(folder):
            temporary.mkdir(parents=True)
            write(temporary)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    if folder.is_dir():
        shutil.rmtree(folder, ignore_errors=True)
    else:
        folder.unlink(missing_ok=True)
    temporary.rename(folder)


class _ReplacedError(RuntimeError):
    """Another process removed or replaced the stage while it was linked."""


def _link(source: Path, target: Path, wanted: str) -> None:
    """Hard links where the disk can, else copies; stage files are never written in place."""
    try:
        for path in sorted(source.rglob("*")):
            linked = target / path.relative_to(source)
            if path.is_dir():
                linked.mkdir()
            else:
                link_or_copy(path, linked)
    except FileNotFoundError as error:
        if source.is_dir() and is_whole(source):
            raise
        raise _ReplacedError from error
    if not _is_finished(target, wanted):
        raise _ReplacedError
