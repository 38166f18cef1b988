"""A snapshot of a training as a file: an npz with a digest behind it; nothing is pickled."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models import npz
from models.checkpoints import Snapshot
from pipelines.workspace.files import sync

HEADER = "header"
DIGEST_BYTES = hashlib.sha256().digest_size
LONGEST = 40  # characters of a value that is shown


class CheckpointError(ValueError):
    """A kept snapshot that cannot be used; the message says why, as part of a sentence."""

    exit_code = 3


@dataclass(frozen=True)
class KeptSnapshot:
    """A snapshot, and how long its training had taken.

    Attributes:
        snapshot: What was reached.
        seconds: How long it had taken, in all processes together.
    """

    snapshot: Snapshot
    seconds: float


def write(path: Path, kept: KeptSnapshot, identity: Mapping[str, Any]) -> None:
    """Write the file and wait until it is on the disk.

    Args:
        path: The file.
        kept: What is to be kept.
        identity: Everything that decides the bytes of its training, as JSON can hold it.
    """
    described = kept.snapshot.described
    header = {"identity": identity, "seconds": kept.seconds, "described": described}
    encoded = np.frombuffer(json.dumps(header, allow_nan=False).encode(), np.uint8)
    with path.open("wb+") as stream:
        npz.save(stream, {HEADER: encoded, **kept.snapshot.arrays})
        stream.seek(0)
        digest = hashlib.file_digest(stream, "sha256").digest()
        stream.seek(0, io.SEEK_END)
        stream.write(digest)
    sync(path)


def read(path: Path, identity: Mapping[str, Any]) -> KeptSnapshot:
    """Read back what `write` wrote.

    Raises:
        CheckpointError: The file is damaged, or its training was another one.
    """
    if not _is_whole(path):
        raise CheckpointError(f"{path.name} is damaged")
    with np.load(path, allow_pickle=False) as stored:
        header = json.loads(stored[HEADER].tobytes())
        found, wanted = header["identity"], json.loads(json.dumps(identity))
        if found != wanted:
            raise CheckpointError(f"it was made with {_differences(found, wanted)}")
        arrays = {name: stored[name] for name in stored.files if name != HEADER}
    return KeptSnapshot(Snapshot(header["described"], arrays), header["seconds"])


def _is_whole(path: Path) -> bool:
    """Whether the digest at the file's end is that of what is before it."""
    hashed, n_left = hashlib.sha256(), path.stat().st_size - DIGEST_BYTES
    with path.open("rb") as stream:
        while n_left > 0:
            block = stream.read(min(n_left, 1 << 20))
            if not block:
                return False
            hashed.update(block)
            n_left -= len(block)
        return n_left == 0 and stream.read() == hashed.digest()


def _differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """What differs, each with its value then and now."""
    names = [name for name in {**found, **wanted} if found.get(name) != wanted.get(name)]
    return ", ".join(_difference(name, found.get(name), wanted.get(name)) for name in names)


def _difference(name: str, found: Any, wanted: Any) -> str:
    is_short = max(len(str(found)), len(str(wanted))) <= LONGEST
    return f"{name} {found} (now {wanted})" if is_short else f"other {name}"
