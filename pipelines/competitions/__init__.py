"""The competitions, one file each, and the registry that finds them by name.

A file added here is a competition added; it imports from `foldwise`.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from types import ModuleType

from pydantic import ValidationError

from pipelines.configuration.competition import Competition
from pipelines.configuration.encoders import check_encoders
from pipelines.configuration.field_names import one_line

# What a mistake in a competition's file raises when the file is imported.
FILE_FAULTS = (ImportError, SyntaxError, NameError, AttributeError, TypeError, ValueError)


class UnknownCompetitionError(LookupError):
    """No competition has that name."""

    exit_code = 2


class CompetitionFileError(ValueError):
    """A competition's file cannot be imported, or defines no valid competition."""

    exit_code = 2


def list_competitions() -> list[str]:
    """The names a person can type, in alphabetical order; imports none of the files."""
    modules = pkgutil.iter_modules(__path__)
    return sorted(module.name.replace("_", "-") for module in modules)


def load_competition(name: str) -> Competition:
    """The competition of that name.

    Raises:
        UnknownCompetitionError: No file has that name; suggests the nearest one.
        CompetitionFileError: The file cannot be imported, or its competition is not valid.
        EncoderNameError: Two different encoders have one name.
    """
    known = list_competitions()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
        raise UnknownCompetitionError(f"unknown competition {name!r}: {hint}")
    file = name.replace("-", "_")
    competition = getattr(_import(file), "COMPETITION", None)
    if not isinstance(competition, Competition):
        raise CompetitionFileError(
            f"{_path(file)}: found COMPETITION = {competition!r}, expected a Competition; "
            "assign the file's Competition to COMPETITION"
        )
    check_encoders(competition)
    return competition


def _import(file: str) -> ModuleType:
    try:
        return importlib.import_module(f"{__name__}.{file}")
    except ValidationError as error:
        raise CompetitionFileError(
            f"{_path(file)}: {error.title}: {one_line(error)}; correct the file"
        ) from error
    except FILE_FAULTS as error:
        raise CompetitionFileError(
            f"{_path(file)}: {type(error).__name__}: {error}; correct the file, "
            "or add --debug to see the traceback"
        ) from error


def _path(file: str) -> str:
    return f"{__name__.replace('.', '/')}/{file}.py"
