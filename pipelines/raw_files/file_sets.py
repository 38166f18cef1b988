"""A file for each row of a table: found in a folder or an archive, and kept in one zip."""

from __future__ import annotations

import hashlib
import io
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from features.tables.row_files import pattern_of
from pipelines.raw_files.archives import (
    Budget,
    Limits,
    MissingFileError,
    copy_bounded,
    open_member,
    reading,
    safe_members,
)

FIRST_DAY = (1980, 1, 1, 0, 0, 0)  # the same files give the same bytes
DEPTH = Limits().depth
Content = Callable[[], bytes]


def pack(source: Path, file: str, target: Path) -> None:
    """Write all files of that name, from a folder or an archive, into one uncompressed zip.

    Raises:
        MissingFileError: There is none.
        ArchiveError: An archive is damaged or unsafe, or unpacks beyond the limits.
    """
    pattern = pattern_of(file)
    written: set[str] = set()
    with zipfile.ZipFile(target, "w") as packed:
        for path, data in _members(source):
            found = pattern.search(path)
            if found is not None and found[1] not in written:
                written.add(found[1])
                packed.writestr(zipfile.ZipInfo(found[1], FIRST_DAY), data())
    if not written:
        target.unlink()
        raise MissingFileError(
            f"{source}: no file like {file!r}; give --source a folder or archive that holds them"
        )


def paths(source: Path) -> list[str]:
    """The paths of all files in a folder or archive, those in zips within it included.

    Raises:
        ArchiveError: An archive is damaged or unsafe, or unpacks beyond the limits.
    """
    return [path for path, _ in _members(source)]


def digest(source: Path, file: str) -> str:
    """A sha256 over the names and bytes of all files of that name in a folder."""
    pattern, total = pattern_of(file), hashlib.sha256()
    for path, data in _members(source):
        if pattern.search(path) is not None:
            content = data()
            total.update(f"{path}\0{len(content)}\0".encode() + content)
    return total.hexdigest()


def _members(source: Path) -> Iterator[tuple[str, Content]]:
    """Paths of all files in a folder or archive, zips within it included, and how to read them."""
    if source.is_file():
        with source.open("rb") as stream:
            yield from _in_zip(stream, source.name, Budget(source, Limits()), folder="", depth=1)
        return
    for path in sorted(part for part in source.rglob("*") if part.is_file()):
        name = path.relative_to(source).as_posix()
        yield name, path.read_bytes
        if path.suffix.lower() == ".zip":
            with path.open("rb") as stream:
                budget = Budget(path, Limits())
                yield from _in_zip(stream, name, budget, folder=path.stem, depth=1)


def _in_zip(
    stream: IO[bytes], where: str, budget: Budget, *, folder: str, depth: int
) -> Iterator[tuple[str, Content]]:
    """The same of an open zip; its members count as files of a folder of its name."""
    with reading(where):
        zipped = zipfile.ZipFile(stream)
    with zipped:
        budget.count(len(zipped.infolist()), where)
        for member in safe_members(zipped, where):
            place = f"{where}: member {member.filename!r}"
            yield f"{folder}/{member.filename}", partial(_read, zipped, member, place, budget)
            if depth < DEPTH and member.filename.lower().endswith(".zip"):
                stem = PurePosixPath(member.filename).stem
                with tempfile.TemporaryFile() as inner, open_member(zipped, member, place) as raw:
                    copy_bounded(raw, inner, budget, place)
                    inner.seek(0)
                    yield from _in_zip(inner, place, budget, folder=stem, depth=depth + 1)


def _read(zipped: zipfile.ZipFile, member: zipfile.ZipInfo, where: str, budget: Budget) -> bytes:
    content = io.BytesIO()
    with open_member(zipped, member, where) as raw:
        copy_bounded(raw, content, budget, where)
    return content.getvalue()
