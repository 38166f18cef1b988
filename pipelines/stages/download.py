"""Stage 1: from a competition and a source to raw files whose sha256 is known.

The files are gathered in a hidden folder, the manifest is written last, and the folder is renamed
into place: a folder with a manifest is complete.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.kaggle import client
from pipelines.kaggle.credentials import exposure
from pipelines.kaggle.retry import Patience
from pipelines.kaggle.transfer import Remote
from pipelines.raw_files import file_sets, foreign_forms, manifest
from pipelines.raw_files.raw import RawFile, RawFiles
from pipelines.raw_files.sources import Source, choose_source
from pipelines.workspace import files
from pipelines.workspace.disk import FULL, room
from pipelines.workspace.layout import LOCK_FILE, Workspace

if TYPE_CHECKING:
    from pipelines.configuration.competition import Competition
    from pipelines.console import Advance, Narrator

HOLDOUT = "holdout.csv"
DIGEST_CHARACTERS = 12
UNCHANGED = "Kaggle still has the same archive: nothing was downloaded"
NOT_KAGGLES = "--refresh asks Kaggle, and these files are not Kaggle's: nothing to refresh"


class DownloadError(ValueError):
    """The raw files could not be put in place; nothing half-written was left."""

    exit_code = 3


@dataclass(frozen=True)
class _Gathered:
    """The files lie in their folder now; `remote` identifies the archive that they came from."""

    remote: Remote | None = None


@dataclass(frozen=True)
class _Plan:
    """How a source fills a folder; `key` changes when the folder would hold something else.

    `gather` gets the archive that is here already, and gives None where the source has no other.
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
        competition: Whose files.
        source: Where they come from.
        data_root: The folder of all raw files, `data/`.
        progress: Called with the bytes so far and their total while a download goes on.
        refresh: Ask Kaggle whether its archive has changed, and fetch it if it has.
        patience: How long to wait for Kaggle, and how often to try.

    Raises:
        DownloadError: A file is missing, or the disk is full or cannot be written.
        ArchiveError: An archive is damaged, unsafe or lacks a file.
        KaggleError: Kaggle refused or could not be reached.
    """
    root = data_root / competition.name
    try:
        plan = _plan(competition, source, root, progress, patience or Patience())
        folder = root / plan.folder_name
        asks = refresh and source.kind == "kaggle"
        found = _find(folder, plan, competition.name, source)
        if found is None or asks:
            root.mkdir(parents=True, exist_ok=True)
            with files.locked(root / LOCK_FILE, wait=True):
                # Another process may have done it while we waited.
                found = _find(folder, plan, competition.name, source)
                if found is None or asks:
                    return _fetch(folder, plan, competition, source, found)
        return replace(found, note=NOT_KAGGLES) if refresh and not asks else found
    except OSError as error:
        raise DownloadError(_disk_fault(error, root)) from error


def fetch(
    competition: Competition,
    narrator: Narrator,
    *,
    source: str,
    root: Path,
    refresh: bool = False,
    patience: Patience | None = None,
) -> RawFiles:
    """Choose the source and download, with progress and warnings on the console.

    Args:
        competition: Whose files.
        narrator: Writes to the console.
        source: `auto`, `kaggle`, `sample` or a path.
        root: The workspace.
        refresh: Ask Kaggle whether its archive has changed.
        patience: How long to wait for Kaggle, and how often to try.

    Raises:
        SourceError: The source does not exist or cannot be used.
        Exception: What `download` raises.
    """
    chosen = choose_source(source, competition)
    narrator.say("source", chosen.said)
    if chosen.kind == "kaggle" and (warning := exposure()) is not None:
        narrator.warn(warning)
    patience = replace(patience or Patience(), tell=lambda text: narrator.warn(f"Kaggle: {text}"))
    with narrator.stages(), narrator.stage("1 download") as line:
        start = time.perf_counter()
        raw = download(
            competition,
            chosen,
            Workspace(root).data,
            progress=line.advance,
            refresh=refresh,
            patience=patience,
        )
        line.end(status="", seconds=time.perf_counter() - start)
    if raw.note is not None:
        narrator.say("note", raw.note)
    return raw


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

    key = files.fingerprint({"page": kaggle.page, **_form(competition)})
    return _Plan("kaggle", key, kaggle.page, synthetic=False, gather=gather)


def _sample_plan(competition: Competition) -> _Plan:
    sample = competition.sample
    assert sample is not None, "choose_source gives a sample only where there is one"
    key = files.fingerprint({"sample": sample.fingerprint(), **_form(competition)})
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
            foreign_forms.pack_file_sets(competition, path, folder)
        return _Gathered()

    contents = {name: files.sha256(part) for name, part in parts.items()}
    if path.is_dir():
        contents |= {file: file_sets.digest(path, file) for file in competition.file_sets.values()}
    key = files.fingerprint(_form(competition) | contents)
    name = f"path-{key[:DIGEST_CHARACTERS]}"
    return _Plan(name, key, str(path), synthetic=False, gather=gather)


def _form(competition: Competition) -> dict[str, str]:
    """What the files in a folder of raw files depend on, apart from their source."""
    form = {"files": repr(list(competition.file_names))}
    if competition.file_sets:
        form["file sets"] = repr(competition.file_sets)
    return form | {"foreign": foreign_forms.key(competition)} if competition.other_forms else form


def _find(folder: Path, plan: _Plan, competition: str, source: Source) -> RawFiles | None:
    """The files, if the folder has a manifest of that key and no byte differs from it."""
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
    note = f"fetched again, since it had changed on the disk: {', '.join(changed)}"
    return replace(found, note=note if changed else None)


def _write_manifest(
    folder: Path, plan: _Plan, competition: Competition, gathered: _Gathered
) -> None:
    names = [*competition.file_names, *competition.file_sets]
    holdout = HOLDOUT if (folder / HOLDOUT).is_file() else None
    facts = {
        name: manifest.facts(folder / name) for name in [*names, *([holdout] if holdout else [])]
    }
    found = {name: known for name, known in facts.items() if known is not None}
    if missing := [name for name in facts if name not in found]:
        raise DownloadError(
            f"{plan.origin}: wrote no {', '.join(missing)} for {competition.name}; "
            "use another --source"
        )
    stated = manifest.Manifest(
        key=plan.key, origin=plan.origin, files=found, holdout=holdout, remote=gathered.remote
    )
    stated.write(folder)


def _publish(gathering: Path, folder: Path) -> None:
    """Rename into place; an earlier folder goes only when the new one is whole."""
    old = folder.with_name(f".{folder.name}.old")
    _remove(old)
    if folder.exists():
        folder.rename(old)
    gathering.rename(folder)
    files.sync(folder.parent)
    _remove(old)


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _disk_fault(error: OSError, root: Path) -> str:
    if error.errno in FULL:
        return (
            f"{root}: the disk is full ({error.strerror}; {room(root)}); nothing half-written was "
            "left: make room (foldwise clean shows what takes how much) and run the same command "
            "again"
        )
    place = error.filename or root
    return (
        f"{place}: {error.strerror or error}; nothing half-written was left: see that {root} can "
        "be written and the source can be read, and run the same command again"
    )
