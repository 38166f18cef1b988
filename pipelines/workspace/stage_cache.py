"""Keeps finished stages, and reuses one wherever the same stage would be made again.

A stage's folder is written under a temporary name and renamed when it is whole. Its manifest
holds the fingerprint of what went in: settings, upstream content, code. Upstream counts by its
content: a stage that was made again with the same bytes changes nothing downstream. A later run
of the competition links the folder of an earlier one where the fingerprints agree.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pipelines.workspace.files import fingerprint, link_or_copy, sha256
from pipelines.workspace.kept_training import KeptTraining
from pipelines.workspace.layout import RunLayout

MANIFEST = "manifest.json"
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
        stage = self._found(name, wanted)
        if stage is None:
            stage = self._made(name, make, wanted, kept)
        if kept is not None:
            kept.remove()
        return stage

    def _found(self, name: str, wanted: str) -> Stage | None:
        """The stage of this run, else of an earlier one."""
        folder = self.run.stages / name
        if _is_finished(folder, wanted):
            return _stage(name, folder, "kept")
        for earlier in (run.stages / name for run in self.run.elsewhere(name, MANIFEST)):
            if _is_finished(earlier, wanted):
                _replace(folder, partial(_link, earlier))
                return _stage(name, folder, "reused")
        return None

    def _made(
        self, name: str, make: Callable[[Path], None], wanted: str, kept: KeptTraining | None
    ) -> Stage:
        folder = self.run.stages / name
        with kept.opened(wanted) if kept else contextlib.nullcontext():
            _replace(folder, lambda empty: _make(empty, make, wanted, kept))
        return _stage(name, folder, "made")


def seconds_of(folder: Path) -> float:
    """How long a finished stage took when it was made."""
    return float(json.loads((folder / MANIFEST).read_text())["seconds"])


def _make(
    empty: Path, make: Callable[[Path], None], wanted: str, kept: KeptTraining | None
) -> None:
    start = time.perf_counter()
    make(empty)
    before = kept.seconds_before if kept else 0.0
    _write_manifest(empty, wanted, before + time.perf_counter() - start)


def _write_manifest(folder: Path, wanted: str, seconds: float) -> None:
    files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    manifest = {
        "fingerprint": wanted,
        "seconds": round(seconds, 3),
        "sizes": {name: path.stat().st_size for name, path in files.items()},
        "content": fingerprint({name: sha256(path) for name, path in files.items()}),
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")


def _is_finished(folder: Path, wanted: str) -> bool:
    """Whether the folder holds the stage of that fingerprint, whole."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        return False
    whole = all(_size(folder / file) == size for file, size in manifest["sizes"].items())
    return whole and manifest["fingerprint"] == wanted


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1


def _stage(name: str, folder: Path, status: Status) -> Stage:
    manifest = json.loads((folder / MANIFEST).read_text())
    return Stage(name, folder, manifest["content"], float(manifest["seconds"]), status)


def _replace(folder: Path, write: Callable[[Path], None]) -> None:
    """Fill a temporary folder beside `folder`, then rename it into place; or leave nothing."""
    temporary = folder.with_name(f".{folder.name}.writing")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        write(temporary)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)


def _link(source: Path, target: Path) -> None:
    """Hard links where the disk can, else copies; stage files are never written in place."""
    shutil.copytree(source, target, copy_function=link_or_copy, dirs_exist_ok=True)
