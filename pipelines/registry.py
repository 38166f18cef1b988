"""Finds the competitions: every file under `pipelines/competitions/` that holds one."""

from __future__ import annotations

import difflib
import importlib
import pkgutil

from pipelines import competitions
from pipelines.competition import Competition


class UnknownCompetitionError(LookupError):
    """No competition has that name."""

    exit_code = 2


def names() -> list[str]:
    """The names a person can type, in alphabetical order; imports none of the files."""
    modules = pkgutil.iter_modules(competitions.__path__)
    return sorted(module.name.replace("_", "-") for module in modules)


def load(name: str) -> Competition:
    """The competition of that name.

    Raises:
        UnknownCompetitionError: no file has it; names the nearest one.
    """
    known = names()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
        raise UnknownCompetitionError(f"unknown competition {name!r}: {hint}")
    module = importlib.import_module(f"pipelines.competitions.{name.replace('-', '_')}")
    competition: Competition = module.COMPETITION
    return competition
