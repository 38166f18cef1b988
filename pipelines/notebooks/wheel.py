"""The installed package as a wheel, written from its files: the same files give the same bytes."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from pipelines.workspace import files
from pipelines.workspace.import_closure import PROJECT

SUFFIXES = {".py", ".typed", ".html", ".css"}  # of what the package consists of
EARLIEST = (1980, 1, 1, 0, 0, 0)  # that a zip can hold
WHEEL = "Wheel-Version: 1.0\nGenerator: foldwise\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


class NotInstalledError(RuntimeError):
    """Foldwise runs from its files without being installed, so that its metadata are unknown."""

    exit_code = 2


def write_wheel(folder: Path) -> Path:
    """Write the wheel of the Foldwise that runs; give its path.

    Raises:
        NotInstalledError: It is not installed.
    """
    installed = _installed()
    name = f"foldwise-{installed.version}"
    content = dict(_modules()) | _metadata(installed, f"{name}.dist-info")
    content[f"{name}.dist-info/RECORD"] = _record(content, f"{name}.dist-info/RECORD")
    return _write(folder / f"{name}-py3-none-any.whl", content)


def _installed() -> importlib.metadata.Distribution:
    """What is known of the package that runs.

    A checkout that was installed has a second record beside its files, without what a wheel needs.
    """
    for found in importlib.metadata.distributions(name="foldwise"):
        if found.read_text("METADATA"):
            return found
    raise NotInstalledError(
        "foldwise runs from a folder without being installed, so it has no metadata for a wheel; "
        "type pip install --editable . in that folder"
    )


def _modules() -> Iterator[tuple[str, bytes]]:
    """The files of all packages, by their place in the wheel."""
    for package in sorted(PROJECT):
        spec = find_spec(package)
        assert spec is not None, "a package of the project is there"
        assert spec.submodule_search_locations, "and it is a folder"
        root = Path(spec.submodule_search_locations[0])
        for path in sorted(root.rglob("*")):
            if path.suffix in SUFFIXES and path.is_file():
                yield f"{package}/{path.relative_to(root).as_posix()}", path.read_bytes()


def _metadata(installed: importlib.metadata.Distribution, folder: str) -> dict[str, bytes]:
    """What is known of the package, by its place in the wheel."""
    texts = {name: installed.read_text(name) or "" for name in ("METADATA", "entry_points.txt")}
    texts |= {"WHEEL": WHEEL, "top_level.txt": "".join(f"{name}\n" for name in sorted(PROJECT))}
    return {f"{folder}/{name}": text.encode() for name, text in sorted(texts.items())}


def _record(content: dict[str, bytes], own_name: str) -> bytes:
    """The list of all files, with digest and size; that of the list itself is left open."""
    lines = (f"{name},sha256={_digest(data)},{len(data)}\n" for name, data in content.items())
    return "".join([*lines, f"{own_name},,\n"]).encode()


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


def _write(path: Path, content: dict[str, bytes]) -> Path:
    with files.whole(path) as temporary, zipfile.ZipFile(temporary, "w") as wheel:
        for name, data in content.items():
            entry = zipfile.ZipInfo(name, EARLIEST)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            wheel.writestr(entry, data)
    return path
