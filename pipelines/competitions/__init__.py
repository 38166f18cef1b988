"""The competitions, one file each, and the registry that finds them by name.

A file added here or in `./competitions/` is a competition added; it imports from `foldwise`.
Names and titles are read without running the files, so that listing them takes no time.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import os
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from pipelines.configuration.plain_title import plain_title

if TYPE_CHECKING:
    from pipelines.configuration.competition import Competition

SHIPPED = Path(__file__).parent
OWN_FOLDER = Path("competitions")  # in the folder where a person works
FURTHER_FOLDERS = "FOLDWISE_COMPETITIONS"  # environment variable; `--competitions` sets it


class UnknownCompetitionError(LookupError):
    """No competition has that name."""

    exit_code = 2


class CompetitionFileError(ValueError):
    """A competition's file cannot be imported, or defines no valid competition."""

    exit_code = 2


def list_competitions() -> list[str]:
    """The names a person can type, in alphabetical order; imports none of the files."""
    return sorted(_files())


def titles() -> Iterator[tuple[str, str | CompetitionFileError]]:
    """Each name with the competition's title, or with what is wrong with its file.

    A file is run only where its text does not say the title.
    """
    for name, paths in sorted(_files().items()):
        try:
            plain = plain_title(paths[0], name) if len(paths) == 1 else None
            yield name, plain or load_competition(name).title
        except CompetitionFileError as error:
            yield name, error


def load_competition(name: str) -> Competition:
    """The competition of that name.

    Raises:
        UnknownCompetitionError: No file has that name; suggests the nearest one.
        CompetitionFileError: The file cannot be imported, its competition is not valid or is named
            unlike the file, or another file has the same name.
    """
    check_name(name)
    paths = _files()[name]
    if len(paths) > 1:
        both = " and ".join(map(_shown, paths))
        raise CompetitionFileError(f"{both} both define {name!r}; rename one of them")
    return _competition(paths[0], name)


def own_file(name: str) -> Path | None:
    """The file of a person's own that defines that competition; None for those of the package.

    Raises:
        UnknownCompetitionError: No file has that name; suggests the nearest one.
    """
    check_name(name)
    path = _files()[name][0]
    return None if path.parent == SHIPPED.resolve() else path


def check_name(name: str) -> None:
    """Check that a competition has that name; imports none of the files.

    Raises:
        UnknownCompetitionError: No file has that name; suggests the nearest one.
    """
    found = list_competitions()
    if name not in found:
        near = difflib.get_close_matches(name, found, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(found)}"
        raise UnknownCompetitionError(f"unknown competition {name!r}: {hint}")


def _competition(path: Path, name: str) -> Competition:
    from pipelines.configuration.competition import Competition
    from pipelines.configuration.encoders import EncoderNameError, check_encoders

    competition = getattr(_import(path), "COMPETITION", None)
    if not isinstance(competition, Competition):
        raise CompetitionFileError(
            f"{_shown(path)}: found COMPETITION = {competition!r}, expected a Competition; "
            "assign the file's Competition to COMPETITION"
        )
    if competition.name != name:
        raise CompetitionFileError(
            f"{_shown(path)}: found name={competition.name!r}, expected {name!r} as the file is "
            "called; rename one of them"
        )
    try:
        check_encoders(competition)
    except EncoderNameError as error:
        raise CompetitionFileError(f"{_shown(path)}: {error}") from error
    return competition


def _files() -> dict[str, list[Path]]:
    """By name, the files that define a competition."""
    found: dict[str, list[Path]] = {}
    for folder in dict.fromkeys(map(Path.resolve, _folders())):
        for path in sorted(folder.glob("*.py")):
            if path.is_file() and path.stem.isidentifier() and not path.stem.startswith("_"):
                if folder != SHIPPED.resolve() and _is_helper(path):
                    continue
                found.setdefault(path.stem.replace("_", "-"), []).append(path)
    return found


def _folders() -> Iterator[Path]:
    yield SHIPPED
    if OWN_FOLDER.is_dir():
        yield OWN_FOLDER
    for text in filter(None, os.environ.get(FURTHER_FOLDERS, "").split(os.pathsep)):
        folder = Path(text)
        if not folder.is_dir():
            raise CompetitionFileError(f"--competitions {text}: there is no such folder")
        yield folder


def _is_helper(path: Path) -> bool:
    """Whether a file without a competition is there for others beside it, which import it."""
    try:
        if b"COMPETITION" in path.read_bytes():
            return False
    except OSError:  # the import that follows reports it
        return False
    imports = re.compile(rf"^\s*(from|import)\s+\.?{path.stem}\b", re.MULTILINE)
    others = (o for o in path.parent.glob("*.py") if o != path and o.is_file())
    return any(imports.search(other.read_text(errors="replace")) for other in others)


def _import(path: Path) -> ModuleType:
    from pipelines.faults import Attempt

    with Attempt() as importing:
        return _imported(path)
    error = importing.error
    assert error is not None, "only a fault ends a block that returns"
    if isinstance(error, CompetitionFileError):
        raise error
    raise CompetitionFileError(_fault(path, error)) from error


def _imported(path: Path) -> ModuleType:
    from pydantic import ValidationError

    from pipelines.configuration.field_names import one_line

    try:
        if path.parent == SHIPPED.resolve():
            return importlib.import_module(f"{__name__}.{path.stem}")
        return _import_own(path)
    except ValidationError as error:
        line = _line_of(error, path)
        raise CompetitionFileError(
            f"{_shown(path)}{line}: {error.title}: {one_line(error)}; correct the file"
        ) from error
    except SystemExit as error:
        raise CompetitionFileError(_fault(path, error)) from error


def _fault(path: Path, error: BaseException) -> str:
    return (
        f"{_shown(path)}{_line_of(error, path)}: {type(error).__name__}: {_first_line(error)}; "
        "correct the file, or add --debug to see the traceback"
    )


def _import_own(path: Path) -> ModuleType:
    """A file of a person's own folder; what lies beside it can be imported by its name."""
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    name = f"competition_{path.stem}_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None  # for a file of Python there is one
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _line_of(error: BaseException, path: Path) -> str:
    """The line of the file where the error arose, as `, line 12`; empty where it is elsewhere."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f", line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename).resolve() == path]
    return f", line {lines[-1]}" if lines else ""


def _first_line(error: BaseException) -> str:
    text = str(error.msg if isinstance(error, SyntaxError) else error)
    return next(iter(text.splitlines()), "")


def _shown(path: Path) -> str:
    """The path as a person knows it: from where they work, or from the project's root."""
    for root in (Path.cwd(), SHIPPED.parent.parent.resolve()):
        if path.is_relative_to(root):
            return str(path.relative_to(root))
    return str(path)
