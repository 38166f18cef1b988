"""Raw files in another form, converted to the competition's files.

A competition's page may hold one table without test rows, and a course may ship a copy in another
format. The source is tried as the competition's own files first, then as each of its other forms.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from features.tables.text_file import TableError
from pipelines.raw_files.archives import MissingFileError, unpack
from pipelines.raw_files.file_sets import pack
from pipelines.workspace.provenance import code_digest

if TYPE_CHECKING:
    from pipelines.configuration.competition import Competition, OtherForm

SUFFIXES = ("", ".gz", ".zip")
NAMES_SHOWN = 8


def unpack_any(competition: Competition, archive: Path, folder: Path) -> None:
    """Fill the folder with the competition's files from an archive of any of its forms.

    Raises:
        ArchiveError: The archive is damaged or unsafe, or holds the files of no form.
        TableError: A file does not match its form.
    """
    try:
        unpack(archive, competition.file_names, folder)
        pack_file_sets(competition, archive, folder)
    except MissingFileError as missing:
        for form in competition.other_forms:
            if _unpack_foreign(form, archive, folder):
                return
        raise MissingFileError(f"{missing}{_or_foreign(competition)}") from missing


def find_parts(competition: Competition, folder: Path) -> tuple[OtherForm | None, dict[str, Path]]:
    """The form whose files a folder holds, None for the competition's own, and where each file is.

    A file may be there itself, gzipped or zipped.

    Raises:
        MissingFileError: The folder holds the files of no form.
    """
    forms = [
        (None, competition.file_names),
        *((f, f.files) for f in competition.other_forms),
    ]
    for form, wanted in forms:
        parts = {name: part for name in wanted if (part := _part(folder, name)) is not None}
        if len(parts) == len(wanted):
            return form, parts
    raise MissingFileError(_missing(competition, folder))


def place(form: OtherForm | None, parts: Mapping[str, Path], folder: Path) -> None:
    """Fill the folder with the competition's files from what `find_parts` found."""

    def fill(empty: Path) -> None:
        for name, part in parts.items():
            if part.name == name:
                shutil.copyfile(part, empty / name)
            else:
                unpack(part, [name], empty)

    if form is None:
        fill(folder)
    else:
        _convert(form, fill, folder, given=next(iter(parts.values())).parent)


def pack_file_sets(competition: Competition, source: Path, folder: Path) -> None:
    """Put the competition's files for each row, one zip a set, from the source into the folder.

    Raises:
        MissingFileError: The source has no such file.
        ArchiveError: An archive is damaged or unsafe.
    """
    for packed, file in competition.file_sets.items():
        pack(source, file, folder / packed)


def key(competition: Competition) -> str:
    """A text that changes when the same raw files would be converted differently."""
    forms = competition.other_forms
    return json.dumps([(form.files, code_digest([], [form.convert])) for form in forms])


def _unpack_foreign(form: OtherForm, archive: Path, folder: Path) -> bool:
    """Convert the archive's files if it holds that form; whether it does."""
    try:
        _convert(form, lambda empty: unpack(archive, form.files, empty), folder, given=archive)
    except MissingFileError:
        return False
    return True


def _convert(form: OtherForm, fill: Callable[[Path], object], folder: Path, *, given: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=".foreign-", dir=folder) as foreign:
        fill(Path(foreign))
        try:
            form.convert(Path(foreign), folder)
        except TableError as error:
            # The person has the archive that they gave, not the file unpacked from it.
            step = f"correct it in {given} and run the same command again"
            faults = [replace(fault, next_step=step) for fault in error.faults]
            raise TableError(f"{', '.join(form.files)} in {given}", faults) from error


def _part(folder: Path, name: str) -> Path | None:
    candidates = (folder / f"{name}{suffix}" for suffix in SUFFIXES)
    return next((path for path in candidates if path.is_file()), None)


def _missing(competition: Competition, folder: Path) -> str:
    missing = [name for name in competition.file_names if _part(folder, name) is None]
    held = sorted(entry.name for entry in folder.iterdir())
    zips = [name for name in held if name.endswith(".zip")]
    next_step = f"type --source {folder / zips[0]}" if zips else "give --source another folder"
    return (
        f"{folder}: no file {', '.join(map(repr, missing))}{_or_foreign(competition)}; it holds "
        f"{', '.join(map(repr, held[:NAMES_SHOWN])) or 'nothing'}; {next_step}"
    )


def _or_foreign(competition: Competition) -> str:
    forms = (" and ".join(map(repr, form.files)) for form in competition.other_forms)
    return "".join(f", nor {files}" for files in forms)
