"""`uv.lock` holds what `pyproject.toml` asks for, in the versions of `constraints.txt`."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCKED = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
NEXT = "type: make lock"


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = (line.split("==") for line in lines if "==" in line)
    return {normalised(name): version for name, version in pins}


def test_locked_versions_are_the_pinned_ones() -> None:
    locked = {package["name"]: package.get("version") for package in LOCKED}
    unlike = {n: (locked.get(n), v) for n, v in pinned().items() if locked.get(n) != v}
    assert not unlike, f"{unlike}; {NEXT}"


def test_what_is_asked_for_is_what_was_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = list(project["dependencies"])
    for group in project["optional-dependencies"].values():
        asked += group
    (foldwise,) = (package for package in LOCKED if package["name"] == "foldwise")
    recorded = {(d["name"], d.get("specifier", "")) for d in foldwise["metadata"]["requires-dist"]}
    assert {parted(one) for one in asked} == recorded, NEXT


def parted(requirement: str) -> tuple[str, str]:
    """`mkdocstrings[python]>=0.29` -> ("mkdocstrings", ">=0.29")."""
    found = re.fullmatch(r"([\w.-]+)(?:\[.*\])?(.*)", requirement)
    assert found is not None
    return normalised(found[1]), found[2]


def test_everything_comes_from_the_public_index() -> None:
    sources = {str(package["source"]) for package in LOCKED}
    assert sources == {"{'registry': 'https://pypi.org/simple'}", "{'editable': '.'}"}
