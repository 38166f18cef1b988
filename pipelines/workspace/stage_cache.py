"""Keeps what a stage made, and knows when it need not be made again.

A stage's folder is written under a temporary name and renamed when whole, its manifest inside;
the manifest holds the fingerprint of what went in: settings, upstream content, code.
Upstream counts by its content, so a stage that was made anew with the same bytes changes nothing
below it. A later run of the competition links the folder of an earlier one where both agree.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pipelines.configuration.assignments import fingerprint
from pipelines.workspace.provenance import code_digest

MANIFEST = "manifest.json"
Status = Literal["made", "kept", "reused"]


@dataclass(frozen=True)
class Stage:
    """A finished stage.

    Attributes:
        folder: what it wrote.
        content: a sha256 over the files that came out.
        seconds: how long it took when it was made.
        status: `made` now, `kept` in this run's folder, or `reused` from an earlier run.
    """

    name: str
    folder: Path
    content: str
    seconds: float
    status: Status


class StageStore:
    """The stages of one run, with those of the competition's other runs in view."""

    def __init__(self, run_folder: Path) -> None:
        self._root = run_folder / "stages"
        self._runs = run_folder.parent

    def do(
        self,
        name: str,
        make: Callable[[Path], None],
        *,
        settings: Mapping[str, Any],
        upstream: Sequence[str],
        code: Sequence[str],
    ) -> Stage:
        """Give the stage of that fingerprint: kept, linked from an earlier run, or made.

        Args:
            name: of the stage, and of its folder.
            make: writes the stage's files into the empty folder that it is given.
            settings: the part of the configuration that the stage depends on.
            upstream: content of the stages that it takes its input from.
            code: names of the modules and packages whose source it depends on.
        """
        key = {"stage": name, "settings": settings, "upstream": upstream, "code": code_digest(code)}
        wanted = fingerprint(key)
        folder = self._root / name
        if _is_finished(folder, wanted):
            return _stage(name, folder, "kept")
        for earlier in self._earlier(name):
            if _is_finished(earlier, wanted):
                _replace(folder, partial(_link, earlier))
                return _stage(name, folder, "reused")
        _replace(folder, lambda empty: _make(empty, make, wanted))
        return _stage(name, folder, "made")

    def _earlier(self, name: str) -> Iterator[Path]:
        """Folders of that stage in the competition's other runs, newest first."""
        for manifest in sorted(self._runs.glob(f"*/stages/{name}/{MANIFEST}"), reverse=True):
            if manifest.parent.parent != self._root:
                yield manifest.parent


def seconds_of(folder: Path) -> float:
    """How long a finished stage took when it was made."""
    return float(json.loads((folder / MANIFEST).read_text())["seconds"])


def _make(empty: Path, make: Callable[[Path], None], wanted: str) -> None:
    start = time.perf_counter()
    make(empty)
    _write_manifest(empty, wanted, time.perf_counter() - start)


def _write_manifest(folder: Path, wanted: str, seconds: float) -> None:
    files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    manifest = {
        "fingerprint": wanted,
        "seconds": round(seconds, 3),
        "sizes": {name: path.stat().st_size for name, path in files.items()},
        "content": fingerprint({name: _sha256(path) for name, path in files.items()}),
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
    shutil.copytree(source, target, copy_function=_link_or_copy, dirs_exist_ok=True)


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
