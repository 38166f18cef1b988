"""Any Python object as plain JSON values: two objects that differ in anything give other values."""

from __future__ import annotations

import copyreg
import functools
import hashlib
import importlib
import inspect
import json
import math
import pickle
import re
import sys
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from pipelines.workspace.competition_code import was_typed

NOT_PICKLED = (pickle.PickleError, TypeError, AttributeError, ValueError, RuntimeError)
LONGEST = 1000  # characters of JSON; longer lists and texts are given by their digest
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
CODE_PARTS = ("co_names", "co_varnames", "co_freevars", "co_cellvars")
MADE_BY_PYTHON = 1 << 9  # a flag of types that a class statement or `type(...)` has made
UNNAMED = "<locals>", "<lambda>"
CLASS_BOOKKEEPING = {
    *("__dict__", "__weakref__", "__module__", "__qualname__", "__doc__", "__annotations__"),
    *("__firstlineno__", "__static_attributes__", "__annotate__", "__annotate_func__"),
    *("__abstractmethods__", "_abc_impl", "__slotnames__"),
}


def canonical(value: Any) -> Any:
    """The value as JSON holds it, the same in every process.

    Numbers, texts and None stand as they are. Arrays are given by dtype, shape and digest,
    functions by name, closure and defaults, estimators by class and parameters, and everything
    else by what pickle would keep of it.
    """
    return _Describer().describe(value)


def text_of(value: Any) -> str:
    """Canonical JSON: one line, keys sorted."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


class _Describer:
    """Describes one value; an object that contains itself is described by its depth."""

    def __init__(self) -> None:
        self._open: list[int] = []

    def describe(self, value: Any) -> Any:
        if value is None or type(value) in (bool, int):
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        if type(value) is str:
            return _shortened(value)
        if id(value) in self._open:
            return {"contains itself": self._open.index(id(value)) - len(self._open)}
        self._open.append(id(value))
        try:
            return self._describe_object(value)
        finally:
            self._open.pop()

    def _describe_object(self, value: Any) -> Any:
        if type(value) in (dict, list, tuple, types.MappingProxyType):
            return self._container(value)
        for kind, describe in self._kinds():
            if isinstance(value, kind):
                return describe(value)
        if hasattr(value, "untyped_storage"):
            return self._tensor(value)
        if hasattr(value, "get_params") and (known := self._estimator(value)) is not None:
            return known
        return self._reduced(value)

    def _kinds(self) -> Iterable[tuple[Any, Callable[[Any], Any]]]:
        """The kinds with a form of their own; the first that fits counts."""
        yield np.ndarray, self._array
        yield np.generic, lambda v: {"number": v.dtype.str, "value": repr(v.item())}
        yield (bytes, bytearray, memoryview), lambda v: {"bytes": _digest(bytes(v))}
        yield type, self._class
        yield types.CodeType, self._code
        yield types.ModuleType, lambda v: {"module": v.__name__}
        yield types.FunctionType, self._function
        yield types.MethodType, self._method
        yield functools.partial, self._partial
        yield (staticmethod, classmethod), lambda v: {_path(type(v)): self.describe(v.__func__)}
        yield property, lambda v: {"property": self._all((v.fget, v.fset, v.fdel))}
        yield (set, frozenset), self._set

    def _all(self, values: Iterable[Any]) -> list[Any]:
        return [self.describe(value) for value in values]

    def _pairs(self, mapping: Mapping[Any, Any]) -> list[Any]:
        """In the mapping's order: columns may stand in it."""
        return [self._all(pair) for pair in mapping.items()]

    def _container(self, value: Any) -> Any:
        items = self._all(value) if isinstance(value, (list, tuple)) else self._pairs(value)
        items = _shortened(items)
        return items if isinstance(value, list) else {type(value).__name__: items}

    def _set(self, value: Any) -> Any:
        parts_of = {**self._class(type(value)), "items": sorted(self._all(value), key=text_of)}
        state = getattr(value, "__dict__", None)
        return {**parts_of, "state": self.describe(state)} if state else parts_of

    def _array(self, value: np.ndarray) -> Any:
        if value.dtype.hasobject:
            content = _digest(text_of(self._all(value.ravel().tolist())).encode())
        else:
            content = _digest(np.ascontiguousarray(value).tobytes())
        shape = list(value.shape)
        return {_path(type(value)): str(value.dtype), "shape": shape, "sha256": content}

    def _tensor(self, value: Any) -> Any:
        """A torch tensor: what pickle would keep of it holds the address of its storage."""
        content = value.detach().cpu().contiguous().reshape(-1).view(sys.modules["torch"].uint8)
        parts_of = {_path(type(value)): str(value.dtype), "shape": list(value.shape)}
        return parts_of | {"sha256": _digest(content.numpy().tobytes())}

    def _class(self, value: type) -> dict[str, Any]:
        if _is_found_by_name(value) or not value.__flags__ & MADE_BY_PYTHON:
            return {"class": _path(value)}
        # Made inside a function: what its methods close over tells it from its namesakes.
        own = {name: v for name, v in vars(value).items() if name not in CLASS_BOOKKEEPING}
        members = [[name, self.describe(member)] for name, member in sorted(own.items())]
        parts_of: dict[str, Any] = {"class": _path(value), "bases": self._all(value.__bases__)}
        return parts_of | {"members": _shortened(members)}

    def _function(self, value: types.FunctionType) -> Any:
        parts_of: dict[str, Any] = {"function": _path(value)}
        if not _is_found_by_name(value):
            parts_of["code"] = _digest(text_of(self._code(value.__code__)).encode())
        parts = {
            "closure": [_content(cell) for cell in value.__closure__ or ()],
            "defaults": value.__defaults__,
            "keyword defaults": value.__kwdefaults__,
            "attributes": vars(value),
        }
        return parts_of | {name: self.describe(part) for name, part in parts.items() if part}

    def _code(self, code: types.CodeType) -> Any:
        """What a function does, wherever in its file it stands."""
        names = {part: getattr(code, part) for part in CODE_PARTS}
        return {"bytes": code.co_code.hex(), "constants": self._all(code.co_consts), **names}

    def _method(self, value: types.MethodType) -> Any:
        return {"method": self.describe(value.__func__), "of": self.describe(value.__self__)}

    def _partial(self, value: functools.partial[Any]) -> Any:
        parts = {"arguments": value.args, "keywords": value.keywords}
        parts_of = {name: self.describe(part) for name, part in parts.items() if part}
        return {"partial": self.describe(value.func), **parts_of}

    def _estimator(self, value: Any) -> Any:
        """Class, parameters and what was set on it later; None where it gives no parameters."""
        try:
            parameters = {**getattr(value, "__dict__", {}), **value.get_params(deep=False)}
        except (AttributeError, TypeError, RuntimeError):  # not stored, or not as scikit-learn does
            return None
        parts_of = {str(name): self.describe(v) for name, v in parameters.items()}
        return {**self._class(type(value)), "parameters": parts_of}

    def _reduced(self, value: Any) -> Any:
        reduce = copyreg.dispatch_table.get(type(value))
        try:
            parts = reduce(value) if reduce else value.__reduce_ex__(4)
        except NOT_PICKLED:
            return self._by_appearance(value)
        if isinstance(parts, str):
            found = {"global": f"{getattr(value, '__module__', '')}.{parts}"}
            inner = getattr(value, "__wrapped__", None)  # of a cached function
            return {**found, "of": self.describe(inner)} if inner else found
        make, arguments, *rest = parts
        state, items, pairs = [*rest[:3], None, None, None][:3]
        if make is getattr(copyreg, "__newobj__"):  # noqa: B009 - a name without a stub
            described = {**self._class(arguments[0]), "arguments": self._all(arguments[1:])}
        else:
            described = {**self._class(type(value)), "arguments": self._all(arguments)}
            described["make"] = self.describe(make)
        more = {"state": state, "items": list(items or ()), "pairs": [list(p) for p in pairs or ()]}
        return described | {name: self.describe(part) for name, part in more.items() if part}

    def _by_appearance(self, value: Any) -> Any:
        """For locks, generators and the like: its text where that holds no address."""
        parts_of = self._class(type(value))
        if getattr(value, "__dict__", None):
            return {**parts_of, "state": self.describe(vars(value))}
        shown = repr(value)
        return parts_of if ADDRESS.search(shown) else {**parts_of, "text": _shortened(shown)}


def _shortened(value: Sequence[Any]) -> Any:
    """The text or list, or its length and digest where it is long."""
    text = text_of(value)
    if len(text) <= LONGEST:
        return value
    return {"length": len(value), "sha256": _digest(text.encode())}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _path(value: Any) -> str:
    return f"{value.__module__}.{value.__qualname__}"


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # the variable has no value yet
        return "<empty>"


def _is_found_by_name(value: Any) -> bool:
    """Whether the name of a class or function leads to it, so that its module's code tells all."""
    if any(mark in value.__qualname__ for mark in UNNAMED) or was_typed(value):
        return False
    try:
        found: Any = importlib.import_module(value.__module__)
        for name in value.__qualname__.split("."):
            found = inspect.getattr_static(found, name)
    except (ImportError, AttributeError, ValueError):
        return False
    return getattr(found, "__func__", found) is value
