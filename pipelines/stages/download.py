"""Stage 1: from a competition and a source to raw files whose sha256 is known.

The files are gathered in a hidden folder, the manifest is written last, and the folder is renamed
into place: where a manifest stands, everything stands.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.kaggle import client
from pipelines.kaggle.retry import Patience
from pipelines.kaggle.transfer import Remote
from pipelines.raw_files import foreign_forms, manifest
from pipelines.raw_files.sources import Source

if TYPE_CHECKING:
    from pipelines.configuration.competition import Competition
    from pipelines.console import Advance

HOLDOUT = "holdout.csv"
DIGEST_CHARACTERS = 12
FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
UNCHANGED = "Kaggle still has the same archive: nothing was downloaded"
NOT_KAGGLES = "--refresh asks Kaggle, and these files are not Kaggle's: nothing to ask"


class DownloadError(ValueError):
    """The raw files could not be put in place; nothing half-written was left."""

    exit_code = 3


@dataclass(frozen=True)
class RawFile:
    """One file of a competition as it came."""

    path: Path
    sha256: str
    n_bytes: int


@dataclass(frozen=True)
class RawFiles:
    """What stage 1 gives.

    Attributes:
        competition: its name.
        source: `kaggle`, `path` or `sample`.
        synthetic: made by a generator; scores mean nothing.
        origin: one line on where the rows come from.
        files: by file name, without `holdout`.
        holdout: true labels of test rows that were held back here; None for Kaggle's own.
        note: something about this download that the person should know.
    """

    competition: str
    source: str
    synthetic: bool
    origin: str
    folder: Path
    files: Mapping[str, RawFile]
    holdout: Path | None
    note: str | None = None

    @property
    def digest(self) -> str:
        """A sha256 over the files' names and sha256s, the same wherever they lie."""
        return _digest({name: file.sha256 for name, file in self.files.items()})


@dataclass(frozen=True)
class _Gathered:
    """That the files lie in their folder now, and what Kaggle said of their archive."""

    remote: Remote | None = None


@dataclass(frozen=True)
class _Plan:
    """How a source fills a folder; `key` changes when the folder would hold something else.

    `gather` gives None where the source still holds just what it is told to be here already.
    """

    folder_name: str
    key: str
    origin: str
    synthetic: bool
    gather: Callable[[Path, Remote | None], _Gathered | None]


def download(
    competition: Competition,
    source: Source,
    data_root: Path,
    progress: Advance | None = None,
    *,
    refresh: bool = False,
    patience: Patience | None = None,
) -> RawFiles:
    """Put the competition's files into `data_root/<competition>/<source>…/`, or find them there.

    Args:
        competition: whose files.
        source: from where.
        data_root: the folder of all raw files, `data/`.
        progress: called with the bytes so far and their total while a download goes on.
        refresh: ask Kaggle whether its archive has changed, and fetch it if it has.
        patience: how long to wait for Kaggle, and how often to try.

    Raises:
        DownloadError: a missing file, or a disk that is full or cannot be written.
        ArchiveError: an archive that is damaged, unsafe or lacks a file.
        KaggleError: Kaggle refused or could not be reached.
    """
    root = data_root / competition.name
    try:
        plan = _plan(competition, source, root, progress, patience or Patience())
        folder = root / plan.folder_name
        asks = refresh and source.kind == "kaggle"
        found = _find(folder, plan, competition.name, source)
        if found is None or asks:
            with _alone_in(root):
                # Another process may have done it while we waited.
                found = _find(folder, plan, competition.name, source)
                if found is None or asks:
                    return _fetch(folder, plan, competition, source, found)
        return replace(found, note=NOT_KAGGLES) if refresh and not asks else found
    except OSError as error:
        raise DownloadError(_told_disk(error, root)) from error


def _plan(
    competition: Competition,
    source: Source,
    root: Path,
    progress: Advance | None,
    patience: Patience,
) -> _Plan:
    if source.kind == "kaggle":
        return _kaggle_plan(competition, root, progress, patience)
    if source.kind == "sample":
        return _sample_plan(competition)
    assert source.path is not None, "a path source has a path"
    return _path_plan(competition, source.path)


def _kaggle_plan(
    competition: Competition, root: Path, progress: Advance | None, patience: Patience
) -> _Plan:
    kaggle = competition.on_kaggle
    parts = root / ".kaggle.parts"

    def gather(folder: Path, unless: Remote | None) -> _Gathered | None:
        archive = folder / f"{kaggle.slug.split('/')[-1]}.zip"
        try:
            remote = client.download(
                kaggle.slug,
                kaggle.kind,
                archive,
                parts,
                unless=unless,
                progress=progress,
                patience=patience,
            )
        finally:
            _remove_if_empty(parts)
        if remote is None:
            return None
        foreign_forms.unpack_any(competition, archive, folder)
        archive.unlink()
        return _Gathered(remote)

    key = _digest({"page": kaggle.page, **_form(competition)})
    return _Plan("kaggle", key, kaggle.page, synthetic=False, gather=gather)


def _sample_plan(competition: Competition) -> _Plan:
    sample = competition.sample
    assert sample is not None, "choose_source gives a sample only where there is one"
    key = _digest({"sample": sample.fingerprint(), **_form(competition)})
    name = f"sample-{key[:DIGEST_CHARACTERS]}"

    def gather(folder: Path, _: Remote | None) -> _Gathered:
        sample.write(folder)
        return _Gathered()

    return _Plan(name, key, sample.origin, sample.synthetic, gather)


def _path_plan(competition: Competition, path: Path) -> _Plan:
    """Keyed by content, so that a changed archive is another source and a moved one is not."""
    form, parts = (
        (None, {".": path}) if path.is_file() else foreign_forms.find_parts(competition, path)
    )

    def gather(folder: Path, _: Remote | None) -> _Gathered:
        if path.is_file():
            foreign_forms.unpack_any(competition, path, folder)
        else:
            foreign_forms.place(form, parts, folder)
        return _Gathered()

    contents = {name: manifest.sha256(part) for name, part in parts.items()}
    key = _digest(_form(competition) | contents)
    name = f"path-{key[:DIGEST_CHARACTERS]}"
    return _Plan(name, key, str(path), synthetic=False, gather=gather)


def _form(competition: Competition) -> dict[str, str]:
    """What the files in a folder of raw files depend on beside their source."""
    form = {"files": repr(list(competition.files.values()))}
    return form | {"foreign": foreign_forms.key(competition)} if competition.foreign else form


def _find(folder: Path, plan: _Plan, competition: str, source: Source) -> RawFiles | None:
    """The files, if a manifest of that key stands and every byte is as it says."""
    stated = manifest.read(folder)
    if stated is None or stated.key != plan.key or manifest.changed_files(folder):
        return None
    facts = {name: facts for name, facts in stated.files.items() if name != stated.holdout}
    return RawFiles(
        competition=competition,
        source=source.kind,
        synthetic=plan.synthetic,
        origin=plan.origin,
        folder=folder,
        files={name: RawFile(folder / name, f.sha256, f.n_bytes) for name, f in facts.items()},
        holdout=folder / stated.holdout if stated.holdout else None,
    )


def _fetch(
    folder: Path, plan: _Plan, competition: Competition, source: Source, held: RawFiles | None
) -> RawFiles:
    """Fetch the files, unless the source still has just those that are `held`."""
    stated, changed = manifest.read(folder), manifest.changed_files(folder)
    unless = stated.remote if stated is not None and held is not None else None
    gathering = folder.with_name(f".{folder.name}.gathering")
    _remove(gathering)
    gathering.mkdir()
    try:
        gathered = plan.gather(gathering, unless)
        if gathered is None:
            assert held is not None, "only what is held can be unchanged"
            return replace(held, note=UNCHANGED)
        _write_manifest(gathering, plan, competition, gathered)
        _publish(gathering, folder)
    finally:
        _remove(gathering)
    found = _find(folder, plan, competition.name, source)
    if found is None:
        raise DownloadError(f"{folder}: changed while it was written; run the same command again")
    note = f"fetched anew, since it had changed on the disk: {', '.join(changed)}"
    return replace(found, note=note if changed else None)


def _write_manifest(
    folder: Path, plan: _Plan, competition: Competition, gathered: _Gathered
) -> None:
    names = list(competition.files.values())
    holdout = HOLDOUT if (folder / HOLDOUT).is_file() else None
    facts = {
        name: manifest.facts(folder / name) for name in [*names, *([holdout] if holdout else [])]
    }
    files = {name: known for name, known in facts.items() if known is not None}
    if missing := [name for name in facts if name not in files]:
        raise DownloadError(
            f"{plan.origin}: what makes the files of {competition.name} wrote no "
            f"{', '.join(missing)}; use another --source"
        )
    stated = manifest.Manifest(
        key=plan.key, origin=plan.origin, files=files, holdout=holdout, remote=gathered.remote
    )
    stated.write(folder)


def _publish(gathering: Path, folder: Path) -> None:
    """Rename into place; what stood there goes only when the new files are whole."""
    old = folder.with_name(f".{folder.name}.old")
    _remove(old)
    if folder.exists():
        folder.rename(old)
    gathering.rename(folder)
    manifest.sync(folder.parent)
    _remove(old)


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def _alone_in(root: Path) -> Iterator[None]:
    """Keep other processes of ours out; the system lets go of the lock when we are killed."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _told_disk(error: OSError, root: Path) -> str:
    if error.errno in FULL_DISK:
        return (
            f"{root}: the disk is full ({error.strerror}); nothing half-written was left: "
            "make room and run the same command again"
        )
    place = error.filename or root
    return (
        f"{place}: {error.strerror or error}; nothing half-written was left: see that {root} can "
        "be written and the source can be read, and run the same command again"
    )


def _digest(parts: Mapping[str, str]) -> str:
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
