"""The source code that travels to a cluster: our packages and a competition's own file."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.workspace.import_closure import PROJECT

ROOT = Path(__file__).resolve().parents[2]
OWN_MODULES = "competition_"  # begins the names of files that lie in a person's own folder
OWN = "own"  # the folder of such files, where they arrive

# One core a task: libraries that count cores themselves would each take all of them.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "LOKY_MAX_CPU_COUNT": "1",
    "OMP_WAIT_POLICY": "passive",
}


@dataclass(frozen=True)
class OwnModule:
    """A file of a person's own folder, which is imported by its path.

    Attributes:
        name: Its module's name.
        path: Where it lies, from the folder that travels.
    """

    name: str
    path: str


def pack(folder: Path) -> tuple[OwnModule, ...]:
    """Copy everything that tasks import into an empty folder; no file but those of Python.

    Returns:
        The files that a task must load before it can be read.
    """
    for package in PROJECT:
        for source in sorted((ROOT / package).rglob("*.py")):
            _copy(source, folder / source.relative_to(ROOT))
    return tuple(_pack_own(folder))


def _pack_own(folder: Path) -> Iterator[OwnModule]:
    """The loaded competition files of other folders, and what lies beside them."""
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if not name.startswith(OWN_MODULES) or file is None:
            continue
        home = Path(file).parent
        place = Path(OWN, hashlib.sha256(str(home).encode()).hexdigest()[:8])
        for source in (*home.glob("*.py"), *home.glob("*/*.py")):
            _copy(source, folder / place / source.relative_to(home))
        yield OwnModule(name, str(place / Path(file).name))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def load_own(modules: Sequence[OwnModule], folder: Path) -> None:
    """Import the files where they have arrived, under their names; does nothing the second time."""
    for module in modules:
        if module.name in sys.modules:
            continue
        path = folder / module.path
        if str(path.parent) not in sys.path:
            sys.path.append(str(path.parent))
        spec = importlib.util.spec_from_file_location(module.name, path)
        assert spec is not None  # for a file of Python there is one
        assert spec.loader is not None
        sys.modules[module.name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[module.name])
