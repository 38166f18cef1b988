"""The raw files of a competition: what stage 1 gives and the other stages read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.workspace.files import fingerprint


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
        competition: Its name.
        source: `kaggle`, `path` or `sample`.
        synthetic: Made by a generator, so that scores mean nothing.
        origin: Where the rows come from, on one line.
        folder: Holds the files.
        files: By file name, without `holdout`.
        holdout: Labels of test rows that were held back here; None for Kaggle's own.
        note: Something about this download that the person should know.
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
        return fingerprint({name: file.sha256 for name, file in self.files.items()})
