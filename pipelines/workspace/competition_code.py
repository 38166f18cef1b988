"""Which code a competition adds to a stage: its own file, and what its functions use.

A competition's own file imports what all stages need, so its imports are not followed as such:
of the project only those modules count whose classes and functions the brought ones use. The
text of the file counts whole, and so do the files beside it that it imports.
"""

from __future__ import annotations

import contextlib
import dis
import functools
import importlib
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Literal

from pipelines.workspace.import_closure import PROJECT, Source, find_source, source_of

COMPETITIONS = "pipelines.competitions."
PUBLIC_NAMES = "foldwise"  # has no code but names of what other modules define
LOADS = {"LOAD_GLOBAL", "LOAD_NAME"}
TYPED = "__main__"  # the module of what stands in no file
STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib"))
INSTALLED = {"site-packages", "dist-packages"}


@dataclass
class CompetitionCode:
    """What was found.

    Attributes:
        modules: Names of modules of the project, whose closure counts.
        files: A competition's own file and those beside it, by module name.
        typed: Functions and classes that stand in no file, as those of a notebook's cells.
    """

    modules: set[str] = field(default_factory=set)
    files: dict[str, Source] = field(default_factory=dict)
    typed: list[Any] = field(default_factory=list)
    _seen: dict[int, Any] = field(default_factory=dict)

    def add(self, value: Any) -> None:
        """Take in the code of a value, and of all that it holds or uses."""
        if id(value) in self._seen:
            return
        self._seen[id(value)] = value  # kept, so that no other value gets its id
        for held in self._parts(value):
            self.add(held)

    def _parts(self, value: Any) -> Iterable[Any]:
        """Note where the value's code stands; give the values to look at next."""
        if isinstance(value, functools.partial):
            return [value.func, *value.args, *value.keywords.values()]
        if isinstance(value, MethodType):
            return [value.__self__, value.__func__]
        if isinstance(value, FunctionType | type):
            return self._of_definition(value)
        if isinstance(value, dict):
            return value.values()
        if isinstance(value, list | tuple | set | frozenset):
            return value
        return self._of_object(value)

    def _of_definition(self, value: FunctionType | type) -> Iterable[Any]:
        """What a function or class of a competition uses."""
        if was_typed(value):
            self.typed.append(value)
        elif not self._is_own(value.__module__):
            return ()
        return _members(value) if isinstance(value, type) else used_by(value)

    def _of_object(self, value: Any) -> Iterable[Any]:
        """The class and the attributes of an object whose class is no library's."""
        if isinstance(value, ModuleType):
            self._is_own(value.__name__)
            return ()
        if hasattr(value, "__wrapped__"):
            return (value.__wrapped__,)
        if _kind(type(value).__module__) == "library" and not was_typed(type(value)):
            return ()
        return (type(value), *getattr(value, "__dict__", {}).values())

    def _is_own(self, module: str) -> bool:
        """Whether the module is a competition's own; it is noted if it is no library's."""
        kind = _kind(module)
        if kind == "project" and module != PUBLIC_NAMES:
            self.modules.add(module)
        elif kind == "own":
            self._add_file(source_of(module))
        return kind == "own"

    def _add_file(self, source: Source) -> None:
        if source.name in self.files:
            return
        self.files[source.name] = source
        for name in source.imports:
            beside = find_source(name)
            if beside is not None and _lies_beside(beside.path, source.path):
                self._add_file(beside)


def code_of(values: Iterable[Any]) -> CompetitionCode:
    """The code of the functions, classes and objects of a competition."""
    code = CompetitionCode()
    for value in values:
        code.add(value)
    return code


def with_files_beside(path: Path) -> list[Path]:
    """A competition's own file, and those beside it that it imports, directly or not.

    Args:
        path: The file, which was imported: what lies beside it can be found by its name.
    """
    code = CompetitionCode()
    code._add_file(Source(path.stem, path, path.read_bytes()))
    return sorted(source.path for source in code.files.values())


def used_by(function: FunctionType) -> Iterator[Any]:
    """The values that a function refers to: globals, what it imports, and what it encloses."""
    names = set(_names(function.__code__))
    yield from globals_of(function).values()
    yield from enclosed_by(function)
    yield from (function.__defaults__ or (), function.__kwdefaults__ or {})
    modules = [
        value for name in names if isinstance(value := function.__globals__.get(name), ModuleType)
    ]
    modules += [importlib.import_module(name) for name in names if _is_imported(name)]
    for module in modules:
        if _kind(module.__name__) != "library":
            yield module
            yield from (getattr(module, name) for name in names if hasattr(module, name))


def globals_of(function: FunctionType) -> dict[str, Any]:
    """The globals that a function refers to, by name."""
    names = {*_loaded(function.__code__)} & {*function.__globals__}
    return {name: function.__globals__[name] for name in sorted(names)}


def enclosed_by(function: FunctionType) -> Iterator[Any]:
    """The values of the variables around a function that it uses, as far as they have one."""
    for cell in function.__closure__ or ():
        with contextlib.suppress(ValueError):
            yield cell.cell_contents


def was_typed(value: FunctionType | type) -> bool:
    """Whether a function or class stands in no file: in a notebook's cell, or at the prompt."""
    module = value.__module__ or ""
    is_typed = module == TYPED or (module != "" and module not in sys.modules)
    return is_typed and find_source(module) is None


def _names(code: CodeType) -> Iterator[str]:
    """The names in a function's code, and in the code of functions within it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _loaded(code: CodeType) -> Iterator[str]:
    """The same without the names of attributes and modules."""
    yield from (one.argval for one in dis.get_instructions(code) if one.opname in LOADS)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _loaded(constant)


def _is_imported(name: str) -> bool:
    """Whether a name in a function's code is a module of the project that it imports."""
    return name.split(".")[0] in PROJECT and find_source(name) is not None


def _members(kind: type) -> Iterator[Any]:
    yield from kind.__mro__[1:]
    for value in vars(kind).values():
        yield from (value.fget, value.fset) if isinstance(value, property) else (value,)


def _kind(module: str) -> Literal["project", "own", "library"]:
    """Whose a module is; `own` stands for a competition's file, wherever it lies."""
    if module.split(".")[0] in PROJECT and not module.startswith(COMPETITIONS):
        return "project"
    source = find_source(module)
    if source is None or source.path.is_relative_to(STANDARD_LIBRARY):
        return "library"
    is_installed = bool(INSTALLED & {*source.path.parts}) and not module.startswith(COMPETITIONS)
    return "library" if is_installed else "own"


def _lies_beside(path: Path, other: Path) -> bool:
    """In one folder, as a file or a package; a folder's `__init__` is not beside its files."""
    if path.name == "__init__.py":
        return path.parent.parent == other.parent
    return path.parent == other.parent
