"""What a run was made with: source code, library versions, git commit, machine."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.util
import platform
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

LIBRARIES = ("torch", "numpy", "pandas", "scikit-learn", "scipy", "lightgbm", "pydantic")


def code_digest(modules: Sequence[str]) -> str:
    """A sha256 over the source of the named modules and packages, and the library versions."""
    digest = hashlib.sha256(repr(sorted(versions().items())).encode())
    for path in sorted({path for name in modules for path in _sources(name)}):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


@functools.cache
def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that the numbers depend on."""
    libraries = {name: importlib.metadata.version(name) for name in LIBRARIES}
    return {"python": platform.python_version(), **libraries}


@functools.cache
def git_commit() -> str | None:
    """The checkout's commit, with `+changes` where files differ from it; None without git."""
    root = Path(__file__).resolve().parent.parent
    try:
        commit = _git(root, "rev-parse", "HEAD")
        return f"{commit}+changes" if _git(root, "status", "--porcelain") else commit
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _sources(name: str) -> Iterator[Path]:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no source for the module {name!r}")
    if spec.submodule_search_locations:
        for folder in spec.submodule_search_locations:
            yield from Path(folder).rglob("*.py")
    else:
        yield Path(spec.origin)
