"""One file per competition; a file added here is a competition added."""

from __future__ import annotations

import difflib
import importlib
import pkgutil

from pipelines.configuration.competition import Competition
from pipelines.configuration.encoders import check_encoders


class UnknownCompetitionError(LookupError):
    """No competition has that name."""

    exit_code = 2


def list_competitions() -> list[str]:
    """The names a person can type, in alphabetical order; imports none of the files."""
    modules = pkgutil.iter_modules(__path__)
    return sorted(module.name.replace("_", "-") for module in modules)


def load_competition(name: str) -> Competition:
    """The competition of that name.

    Raises:
        UnknownCompetitionError: no file has it; names the nearest one.
        EncoderNameError: two different encoders have one name.
    """
    known = list_competitions()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
        raise UnknownCompetitionError(f"unknown competition {name!r}: {hint}")
    module = importlib.import_module(f"pipelines.competitions.{name.replace('-', '_')}")
    competition: Competition = module.COMPETITION
    check_encoders(competition)
    return competition
