"""What a folder of raw files says of itself; written last, so that its presence means complete."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from pipelines.kaggle.transfer import Remote

FILE = "manifest.json"


class Facts(BaseModel):
    """One file as it came."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str
    n_bytes: int


class Manifest(BaseModel):
    """What a whole folder says of itself; `files` has the holdout too.

    `remote` is what Kaggle said of the archive that the files came from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    origin: str
    files: dict[str, Facts]
    holdout: str | None
    remote: Remote | None = None

    def write(self, folder: Path) -> None:
        """Write it when every file that it names is on the disk itself."""
        for name in self.files:
            sync(folder / name)
        (folder / FILE).write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")
        sync(folder / FILE)


def read(folder: Path) -> Manifest | None:
    """The folder's manifest, or None where there is no whole one."""
    try:
        return Manifest.model_validate_json((folder / FILE).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return None


def changed_files(folder: Path) -> list[str]:
    """Names of files that are missing or not as the folder's manifest says."""
    manifest = read(folder)
    files = manifest.files if manifest else {}
    return [name for name, known in files.items() if facts(folder / name) != known]


def facts(path: Path) -> Facts | None:
    """Size and sha256 of a file; None where there is none."""
    if not path.is_file():
        return None
    return Facts(sha256=sha256(path), n_bytes=path.stat().st_size)


def sha256(path: Path) -> str:
    """Of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Wait until a file or folder is on the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
