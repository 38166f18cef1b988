"""Unpacks the wanted files from an archive of Kaggle's: a zip, zips within it, gzipped members.

An archive is never trusted: names are checked before anything is written, bytes are counted as
they are unpacked, and the files appear under their names only when all of them are whole.
"""

from __future__ import annotations

import difflib
import errno
import gzip
import lzma
import os
import re
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

CHUNK_BYTES = 1 << 20
NAMES_SHOWN = 8
AGAIN = "download the archive again and run the same command"
# What zipfile, gzip and the decompressors raise on damaged bytes.
DAMAGE = (
    zipfile.BadZipFile,
    NotImplementedError,
    EOFError,
    ValueError,
    lzma.LZMAError,
    struct.error,
    zlib.error,
)


class ArchiveError(ValueError):
    """An archive that is damaged, unsafe, or lacks a wanted file; nothing of it is kept."""

    exit_code = 3


class MissingFileError(ArchiveError):
    """An undamaged archive, or a folder, that lacks a wanted file."""


@dataclass(frozen=True)
class Limits:
    """How large an archive may unpack; a table of numbers seldom compresses more than fiftyfold.

    Attributes:
        total_bytes: Most bytes that are ever written, zips within the zip included.
        ratio: Most bytes written per byte of the archive.
        ratio_free_bytes: The ratio is not checked below this size.
        depth: How deep zips may be nested.
        members: Most members that are looked at, those of zips within the zip included.
    """

    total_bytes: int = 16 << 30
    ratio: int = 200
    ratio_free_bytes: int = 64 << 20
    depth: int = 3
    members: int = 2_000_000


def unpack(
    archive: Path, wanted: Collection[str], into: Path, *, limits: Limits | None = None
) -> dict[str, Path]:
    """Write the wanted files of `archive`, and nothing else, into the folder `into`.

    Args:
        archive: A zip, or one gzipped file.
        wanted: File names without folders; found as a member `name` or `name.gz`, or as a file of
            that name in a zip within the zip.
        into: Created where it is missing; on any error it holds no more than before.
        limits: Beyond these the archive counts as a zip bomb.

    Raises:
        MissingFileError: The archive lacks a wanted file.
        ArchiveError: The archive is damaged, unsafe, or unpacks beyond the limits.
        OSError: The archive cannot be read or the folder cannot be written.
    """
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=into) as temporary:
        search = _Search(archive, wanted, Path(temporary), limits or Limits())
        search.run()
        for name in dict.fromkeys(wanted):
            (search.folder / name).replace(into / name)
    return {name: into / name for name in wanted}


class Budget:
    """How many bytes may still be unpacked from an archive, and how many members looked at."""

    def __init__(self, archive: Path, limits: Limits) -> None:
        self._archive = archive
        self._limits = limits
        self._spent = 0
        self._n_members = 0
        self._bound = min(
            limits.total_bytes,
            max(limits.ratio_free_bytes, limits.ratio * archive.stat().st_size),
        )

    def spend(self, n_bytes: int, where: str) -> None:
        """Count bytes that are unpacked now.

        Raises:
            ArchiveError: They are more than the limits allow.
        """
        self._spent += n_bytes
        if self._spent > self._bound:
            raise ArchiveError(
                f"{where}: unpacks to more than {self._bound:,} bytes, expected at most "
                f"{self._limits.ratio} times the archive's "
                f"{self._archive.stat().st_size:,} bytes and {self._limits.total_bytes:,} in all; "
                "if you trust it, unpack it yourself and give --source the folder"
            )

    def count(self, n_members: int, where: str) -> None:
        """Count the members of a zip that is opened now.

        Raises:
            ArchiveError: They are more than the limits allow.
        """
        self._n_members += n_members
        if self._n_members > self._limits.members:
            raise ArchiveError(
                f"{where}: found {self._n_members:,} members so far, expected at most "
                f"{self._limits.members:,} in all zips together; if you trust it, unpack it "
                "yourself and give --source the folder"
            )


class _Search:
    """One unpacking: what is still missing and what was seen."""

    def __init__(
        self, archive: Path, wanted: Collection[str], folder: Path, limits: Limits
    ) -> None:
        self.archive = archive
        self.missing = list(dict.fromkeys(wanted))
        self.folder = folder
        self.limits = limits
        self.seen: list[str] = []
        self.budget = Budget(archive, limits)

    def run(self) -> None:
        with self.archive.open("rb") as stream:
            start = stream.read(512)
            stream.seek(0)
            if start.startswith(b"\x1f\x8b"):
                self._take_lone_gzip(stream)
            elif start.startswith(b"PK"):
                self._search_zip(stream, self.archive.name, depth=1)
            else:
                raise ArchiveError(
                    f"{self.archive}: found {_looks_like(start)}, expected a zip; {AGAIN}"
                )
        if self.missing:
            raise MissingFileError(self._missing_message())

    def _take_lone_gzip(self, stream: IO[bytes]) -> None:
        name = self.archive.name.removesuffix(".gz")
        self.seen.append(name)
        if name in self.missing:
            self._write(_gunzip(stream), name, where=self.archive.name)
            self.missing.remove(name)

    def _search_zip(self, stream: IO[bytes], where: str, *, depth: int) -> None:
        with reading(where):
            zipped = zipfile.ZipFile(stream)
        with zipped:
            self.budget.count(len(zipped.infolist()), where)
            members = safe_members(zipped, where)
            self.seen += [member.filename for member in members]
            for name in list(self.missing):
                self._take(zipped, members, name, where)
            if depth < self.limits.depth:
                self._search_inner_zips(zipped, members, where, depth=depth)

    def _take(
        self, zipped: zipfile.ZipFile, members: Sequence[zipfile.ZipInfo], name: str, where: str
    ) -> None:
        for member_name in (name, f"{name}.gz"):
            member = _find(members, member_name, where)
            if member is None:
                continue
            place = f"{where}: member {member.filename!r}"
            with open_member(zipped, member, place) as raw:
                self._write(raw if member_name == name else _gunzip(raw), name, where=place)
            self.missing.remove(name)
            return

    def _search_inner_zips(
        self, zipped: zipfile.ZipFile, members: Sequence[zipfile.ZipInfo], where: str, *, depth: int
    ) -> None:
        inner_zips = [member for member in members if member.filename.lower().endswith(".zip")]
        for member in sorted(inner_zips, key=self._is_unlikely):
            if not self.missing:
                return
            place = f"{where}: member {member.filename!r}"
            inner = f".{depth}.zip"
            with open_member(zipped, member, place) as raw:
                self._write(raw, inner, where=place)
            with (self.folder / inner).open("rb") as stream:
                self._search_zip(stream, place, depth=depth + 1)
            (self.folder / inner).unlink()

    def _is_unlikely(self, member: zipfile.ZipInfo) -> bool:
        """Sort key: `train.tsv.zip` and `train.zip` come first when `train.tsv` is missing."""
        stem = _basename(member.filename)[: -len(".zip")]
        return not any(stem in (name, name.split(".")[0]) for name in self.missing)

    def _write(self, source: IO[bytes], name: str, *, where: str) -> None:
        with (self.folder / name).open("wb") as target:
            copy_bounded(source, target, self.budget, where)
            target.flush()
            os.fsync(target.fileno())

    def _missing_message(self) -> str:
        names = [_basename(name) for name in self.seen]
        near = [difflib.get_close_matches(name, names, n=1) for name in self.missing]
        hints = ", ".join(f"{match[0]!r}" for match in near if match)
        return (
            f"{self.archive}: no file {_listed(self.missing)}; it holds "
            f"{_listed(self.seen) if self.seen else 'nothing'}; "
            + (f"did you mean {hints}? " if hints else "")
            + "give --source the archive of this competition"
        )


def copy_bounded(source: IO[bytes], target: IO[bytes], budget: Budget, where: str) -> None:
    """Copy what a member unpacks to.

    Raises:
        ArchiveError: It is damaged, or more than the budget allows.
    """
    for chunk in _chunks(source, where):
        budget.spend(len(chunk), where)
        target.write(chunk)


def open_member(
    zipped: zipfile.ZipFile, member: zipfile.ZipInfo, where: str
) -> AbstractContextManager[IO[bytes]]:
    """The bytes that a member unpacks to.

    Raises:
        ArchiveError: It is encrypted or damaged.
    """
    if member.flag_bits & 0x1:
        raise ArchiveError(
            f"{where}: is encrypted, expected a plain member; unpack the archive yourself and "
            "give --source the folder"
        )
    with reading(where):
        return zipped.open(member)


def _gunzip(stream: IO[bytes]) -> IO[bytes]:
    return cast(IO[bytes], gzip.GzipFile(fileobj=stream))


def _chunks(source: IO[bytes], where: str) -> Iterator[bytes]:
    while True:
        with reading(where):
            chunk = source.read(CHUNK_BYTES)
        if not chunk:
            return
        yield chunk


@contextmanager
def reading(where: str) -> Iterator[None]:
    """Distinguish damage in the archive's bytes from a failing disk."""
    try:
        yield
    except OSError as error:
        # Damaged data raises OSError too: bz2 and gzip without an errno, and EINVAL where a
        # damaged header makes the reader seek before the start of the file.
        if error.errno not in (None, errno.EINVAL):
            raise
        raise _damaged(where, error) from error
    except DAMAGE as error:
        raise _damaged(where, error) from error


def _damaged(where: str, error: Exception) -> ArchiveError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return ArchiveError(f"{where}: is cut off or damaged ({reason}), expected a whole zip; {AGAIN}")


def safe_members(zipped: zipfile.ZipFile, where: str) -> list[zipfile.ZipInfo]:
    """The files among the members.

    Raises:
        ArchiveError: A member, wanted or not, would land outside the folder or is a link.
    """
    unsafe = [info.orig_filename for info in zipped.infolist() if _is_unsafe(info)]
    if unsafe:
        raise ArchiveError(
            f"{where}: member {_listed(unsafe)} climbs out of the folder or is a link, expected "
            "plain names; nothing was unpacked: download the archive from a page you trust"
        )
    return [info for info in zipped.infolist() if not info.is_dir()]


def _is_unsafe(info: zipfile.ZipInfo) -> bool:
    name = info.orig_filename
    parts = re.split(r"[/\\]", name)
    climbs = ".." in parts or parts[0] == "" or ":" in parts[0] or "\0" in name
    return climbs or stat.S_ISLNK(info.external_attr >> 16)


def _find(members: Sequence[zipfile.ZipInfo], name: str, where: str) -> zipfile.ZipInfo | None:
    """The member with that base name that is nearest the top of the tree."""
    found = [member for member in members if _basename(member.filename) == name]
    if not found:
        return None
    depth = min(member.filename.count("/") for member in found)
    highest = [member for member in found if member.filename.count("/") == depth]
    if len(highest) > 1:
        raise ArchiveError(
            f"{where}: holds {name!r} more than once ({_listed([m.filename for m in highest])}), "
            "expected one; unpack it yourself and give --source the folder of the right one"
        )
    return highest[0]


def _basename(member_name: str) -> str:
    return re.split(r"[/\\]", member_name)[-1]


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:NAMES_SHOWN])
    rest = len(names) - NAMES_SHOWN
    return f"{shown} and {rest} more" if rest > 0 else shown


def _looks_like(start: bytes) -> str:
    """What a file that should be a zip looks like; a sign-in page is the usual mistake."""
    if not start:
        return "an empty file"
    if start.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "a web page (signed out while downloading?)"
    return f"a file that starts with {start[:8]!r}"
