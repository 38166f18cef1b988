"""What a function or class does that stands in no file, as those of a notebook's cells.

A file counts with its whole text. Of what was typed the bytecode and constants count, the values of
the variables that it uses, and its defaults.
"""

from __future__ import annotations

from types import FunctionType, ModuleType
from typing import Any

from pipelines.configuration.canonical import CLASS_BOOKKEEPING, canonical, text_of
from pipelines.workspace.competition_code import globals_of


def text_of_typed(value: FunctionType | type) -> str:
    """The definition as canonical JSON; other functions and classes that it uses are left out."""
    if isinstance(value, type):
        members = {n: v for n, v in sorted(vars(value).items()) if n not in CLASS_BOOKKEEPING}
        return text_of([value.__qualname__, _plain(members)])
    return text_of([canonical(value), _plain(globals_of(value))])


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """The values that are no definitions, which count by themselves."""
    definitions = (FunctionType, type, ModuleType, staticmethod, classmethod, property)
    return {
        name: canonical(value)
        for name, value in values.items()
        if not isinstance(value, definitions)
    }
