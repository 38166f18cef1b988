"""Data files inside installed packages, found without importing the package."""

from __future__ import annotations

import importlib.util
from pathlib import Path


class SampleError(RuntimeError):
    """The package that a sample's rows come from is missing, or holds something else."""

    exit_code = 2


def file_in(package: str, file: str, *, of: str) -> Path:
    """The path of a file shipped with a package, without importing the package, which may be slow.

    Args:
        package: its import name.
        file: the path within it.
        of: the competition whose sample needs it.

    Raises:
        SampleError: the package or the file is not there.
    """
    spec = importlib.util.find_spec(package)
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    for folder in folders:
        path = Path(folder) / file
        if path.is_file():
            return path
    raise SampleError(
        f"the offline sample of {of} needs {file} of the package {package}, which is not "
        "installed; type: pip install 'foldwise[samples]'"
    )
