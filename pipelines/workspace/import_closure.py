"""Which modules of the project a module needs, found in the sources: its closure of imports.

An import counts wherever it stands, inside functions too; those under `TYPE_CHECKING` do not.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")  # where statements hold others
PROJECT = ("pipelines", "features", "models", "submissions", "foldwise")


@dataclass(frozen=True)
class Source:
    """A module's source.

    Attributes:
        name: The module's full name.
        path: Its file.
        text: What the file held when it was first looked at.
    """

    name: str
    path: Path
    text: bytes

    @property
    def package(self) -> str:
        """What relative imports start from."""
        is_package = self.path.name == "__init__.py"
        return self.name if is_package else self.name.rpartition(".")[0]

    @property
    def imports(self) -> tuple[str, ...]:
        """Every name that it may import; of `from a import b` both `a` and `a.b`."""
        return _parsed(self.text, self.package)[0]

    @property
    def is_bare(self) -> bool:
        """Whether there is nothing in it but a docstring and `__future__` imports."""
        return _parsed(self.text, self.package)[1]


@functools.cache
def closure(root: str, project: tuple[str, ...] | None = None) -> frozenset[str]:
    """Names of the module and of all that it imports within the project, transitively.

    A package's `__init__` counts when the package or anything in it is imported, unless it is bare.

    Raises:
        ModuleNotFoundError: The root has no source.
    """
    found, waiting = {root: source_of(root)}, [*source_of(root).imports, *_parents(root)]
    while waiting:
        name = waiting.pop()
        if name in found or name.split(".")[0] not in (project or PROJECT):
            continue
        if (source := find_source(name)) is not None:
            found[name] = source
            waiting += [*source.imports, *_parents(name)]
    return frozenset(name for name, source in found.items() if name == root or not source.is_bare)


def source_of(name: str) -> Source:
    """The source of a module that must have one.

    Raises:
        ModuleNotFoundError: It has none.
    """
    source = find_source(name)
    if source is None:
        raise ModuleNotFoundError(f"no source for the module {name!r}; expected a file of Python")
    return source


@functools.cache
def find_source(name: str) -> Source | None:
    """The module's source as it was when first looked at; None where there is no such module."""
    path = _loaded_from(name) or _find(name)
    return None if path is None else Source(name, path, path.read_bytes())


def forget() -> None:
    """Read all sources again; a process needs this only if it edits modules."""
    closure.cache_clear()
    find_source.cache_clear()


@functools.cache
def _parsed(text: bytes, package: str) -> tuple[tuple[str, ...], bool]:
    """The names that a module's text may import, and whether it is bare."""
    body = ast.parse(text).body
    names = [name for node in _evaluated(body) for name in _imported(node, package)]
    is_bare = all(_is_docstring(node) or _is_future(node) for node in body)
    return tuple(dict.fromkeys(names)), is_bare


def _evaluated(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """All statements, in blocks and functions too, but for those under `if TYPE_CHECKING:`."""
    for node in body:
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            yield from _evaluated(node.orelse)
            continue
        yield node
        for block in BLOCKS:
            yield from _evaluated(getattr(node, block, ()))


def _imported(node: ast.AST, package: str) -> Iterator[str]:
    """The names that an import statement may import; none for any other node."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = _absolute(node, package)
        yield base
        yield from (f"{base}.{alias.name}" for alias in node.names)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    """The full name of what is imported from, where the statement stands in that package."""
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    start = parts[: len(parts) - node.level + 1]
    return ".".join([*start, *([node.module] if node.module else [])])


def _parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    return (".".join(parts[:n]) for n in range(1, len(parts)))


def _loaded_from(name: str) -> Path | None:
    """The file of a module that is loaded, whatever it was loaded by."""
    file = getattr(sys.modules.get(name), "__file__", None)
    return Path(file) if file is not None and Path(file).suffix == ".py" else None


def _find(name: str) -> Path | None:
    """Looked for on the disk, since an import of the parents would run them."""
    head, *rest = name.split(".")
    try:
        spec = importlib.util.find_spec(head) if head else None
    except ValueError:  # a loaded module without a spec, as Cython makes for its own types
        return None
    if spec is None:
        return None
    for place in spec.submodule_search_locations or ():
        path = Path(place, *rest)
        for file in (path / "__init__.py", path.parent / f"{path.name}.py"):
            if file.is_file():
                return file
    return Path(spec.origin) if spec.origin and not rest and Path(spec.origin).is_file() else None


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"
