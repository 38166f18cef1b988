"""What a run was made with: source code, library versions, git commit, machine."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pipelines.workspace.competition_code import code_of
from pipelines.workspace.import_closure import closure, source_of

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
LIBRARIES = ("torch", "numpy", "pandas", "scikit-learn", "scipy", "lightgbm", "pydantic")


def code_digest(modules: Sequence[str], brought: Iterable[Any] = ()) -> str:
    """A sha256 over source code and library versions.

    Args:
        modules: Names of modules; each counts with all that it imports within the project.
        brought: Functions, classes and objects of a competition; their code counts.
    """
    code = code_of(brought)
    names = {name for root in (*modules, *code.modules) for name in closure(root)}
    texts = [(name, source_of(name).text) for name in names]
    # A file that is loaded by its path has whatever module name its loader gave it.
    texts += [(source.path.name, source.text) for source in code.files.values()]
    digest = hashlib.sha256(repr(sorted(versions().items())).encode())
    for name, text in sorted(texts):
        digest.update(f"{name}\0{len(text)}\0".encode() + text)
    return digest.hexdigest()


@functools.cache
def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that the numbers depend on."""
    libraries = {name: importlib.metadata.version(name) for name in LIBRARIES}
    return {"python": platform.python_version(), **libraries}


@functools.cache
def machine() -> dict[str, str | int | None]:
    """What of the machine decides the last digits: its processor, and how many threads share it."""
    from joblib import cpu_count

    threads = {name: os.environ.get(name) for name in THREADS}
    return {"processor": _processor(), "cores": int(cpu_count()), **threads}


def _processor() -> str:
    described = Path("/proc/cpuinfo")
    text = described.read_text() if described.is_file() else ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return f"{platform.machine()} {found[1] if found else platform.processor()}"


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
