"""A file that a person asked for with `--out`: whether it can be written, before any work."""

from __future__ import annotations

import tempfile
from pathlib import Path


class OutError(ValueError):
    """A place where no file can be written."""

    exit_code = 2


def check(path: Path | None) -> None:
    """Check that a file can be written there; None passes.

    Raises:
        OutError: It is a folder, or its folder cannot be made or written.
    """
    if path is None:
        return
    if path.is_dir():
        raise OutError(
            f"--out {path}: found a folder, expected a file; type --out {path / 'x.csv'}"
        )
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutError(
            f"--out {path}: {folder} cannot be written ({(error.strerror or 'refused').lower()}); "
            "give a file in another folder"
        ) from error
