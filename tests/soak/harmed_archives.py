"""What can be wrong with an archive: one thing each time."""

import gzip
import random
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

from harmed_rows import to_bytes, to_table

Contents = dict[str, bytes]
BOMB = 50_000_000  # bytes that pack into a few


def to_archive(rng: random.Random, files: Path, archive: Path) -> str:
    """Pack the three files into an archive in which something is wrong."""
    plain = {path.name: path.read_bytes() for path in sorted(files.glob("*.csv"))}
    victim = rng.choice(sorted(plain))
    others = {name: data for name, data in plain.items() if name != victim}
    packed: dict[str, Contents] = {
        "whole": plain,
        "folder": {f"toy/{name}": data for name, data in plain.items()},
        "upward": {f"../{name}": data for name, data in plain.items()},
        "absolute": {f"/tmp/{name}": data for name, data in plain.items()},
        "another case": {name.upper(): data for name, data in plain.items()},
        "gzipped": {f"{name}.gz": gzip.compress(data) for name, data in plain.items()},
        "lacks one": others,
        "a folder for a file": others | {f"{victim}/": b""},
        "in two folders": plain | {f"a/{victim}": b"x", f"b/{victim}": b"y"},
        "odd names": plain | {"\x01\n.csv": b"x", "CON": b"", "a" * 300 + ".csv": b"", "é/": b""},
        "bomb": plain | {"big.csv": bytes(BOMB)},
        "empty": {},
    }
    spoilt: dict[str, Callable[[], object]] = {
        "bytes": lambda: to_bytes(rng, archive),
        "nested": lambda: _pack(archive, {"toy.zip": archive.read_bytes()}),
        "twice": lambda: _add(archive, zipfile.ZipInfo(victim), b"other,bytes\n"),
        "a link": lambda: _add(archive, _link(), b"/etc/passwd"),
        "encrypted": lambda: _encrypt(archive),
        "a tar": lambda: _tar(archive, files),
        "text": lambda: archive.write_text("this is no archive\n"),
        "harmed rows": lambda: _repack(rng, archive, files, victim),
    }
    kind = rng.choice([*packed, *spoilt, "bytes", "bytes"])
    _pack(archive, packed.get(kind, plain))
    what = spoilt[kind]() if kind in spoilt else None
    return f"archive {kind} ({victim}{f', {what}' if isinstance(what, str) else ''})"


def _pack(archive: Path, contents: Contents) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in contents.items():
            made.writestr(name, data)


def _add(archive: Path, entry: zipfile.ZipInfo, data: bytes) -> None:
    with warnings.catch_warnings(), zipfile.ZipFile(archive, "a") as made:
        warnings.simplefilter("ignore")  # of a name that is there already
        made.writestr(entry, data)


def _link() -> zipfile.ZipInfo:
    link = zipfile.ZipInfo("link.csv")
    link.external_attr = 0o120777 << 16
    return link


def _encrypt(archive: Path) -> None:
    """Mark the first file as encrypted, in both places."""
    data = bytearray(archive.read_bytes())
    for mark, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        data[data.find(mark) + offset] |= 1
    archive.write_bytes(data)


def _tar(archive: Path, files: Path) -> None:
    with tarfile.open(archive, "w:gz") as made:
        made.add(files, "files")


def _repack(rng: random.Random, archive: Path, files: Path, victim: str) -> str:
    what = to_table(rng, files / victim)
    _pack(archive, {path.name: path.read_bytes() for path in sorted(files.glob("*.csv"))})
    return what
