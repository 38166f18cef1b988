"""Where the raw files come from: Kaggle, a path, or the offline sample."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pipelines.kaggle.credentials import where_credentials

if TYPE_CHECKING:
    from pipelines.configuration.competition import Competition

WORDS = ("auto", "kaggle", "sample")
SIGN_IN = "`kaggle auth login`"


class SourceError(ValueError):
    """A source that cannot be used; nothing was read or written."""

    exit_code = 2


@dataclass(frozen=True)
class Source:
    """A chosen source.

    Attributes:
        kind: `kaggle`, `path` or `sample`.
        path: The folder or archive of a `path` source, absolute; else None.
        said: Which source is used and why, on one line for the person.
    """

    kind: Literal["kaggle", "path", "sample"]
    path: Path | None
    said: str


def choose_source(text: str, competition: Competition) -> Source:
    """The source that `text` names: `auto`, `kaggle`, `sample`, or a path.

    Looks at the disk and the environment only. Credentials are checked when something must be
    fetched, since files fetched earlier need none.

    Raises:
        SourceError: The path does not exist, the competition has no sample, or `auto` finds nothing
            it can use.
    """
    if text == "auto":
        return _automatic(competition)
    if text == "kaggle":
        return Source("kaggle", None, f"{competition.on_kaggle.page} (--source kaggle)")
    if text == "sample":
        return _sample(competition, why="--source sample")
    return _path(text)


def open_path(text: str) -> Path:
    """The folder or archive of that path.

    Raises:
        SourceError: It does not exist, or is neither.
    """
    path = _path(text).path
    assert path is not None, "a path source has a path"
    return path


def _automatic(competition: Competition) -> Source:
    if competition.kaggle is None:
        return _sample(competition, why="Kaggle does not have it")
    credentials = where_credentials()
    if credentials is not None:
        why = f"Kaggle credentials found in {credentials}"
        return Source("kaggle", None, f"{competition.kaggle.page} ({why})")
    return _sample(competition, why="no Kaggle credentials found")


def _sample(competition: Competition, *, why: str) -> Source:
    sample = competition.sample
    if sample is None:
        raise SourceError(
            f"{competition.name} has no offline sample ({why}); sign in with {SIGN_IN} and use "
            "--source kaggle, or give --source a folder or zip with "
            f"{', '.join(competition.file_names)}"
        )
    warning = ", made by a generator: scores on it mean nothing" if sample.synthetic else ""
    return Source("sample", None, f"the offline sample, {sample.origin}{warning} ({why})")


def _path(text: str) -> Source:
    path = Path(text).expanduser().absolute()
    if path.is_dir():
        return Source("path", path, f"the folder {path}")
    if not path.exists():
        raise SourceError(f"--source {text}: no such file or folder; {_hint(text, path)}")
    if not _is_archive(path):
        raise SourceError(
            f"--source {text}: found a plain file, expected a folder or a zip; "
            f"type --source {path.parent} if that folder holds the competition's files"
        )
    return Source("path", path, f"the archive {path}")


def _is_archive(path: Path) -> bool:
    """By its name, so that a damaged zip is reported as one; else by its first bytes."""
    if path.suffix.lower() in (".zip", ".gz"):
        return True
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(2) in (b"PK", b"\x1f\x8b")


def _hint(text: str, path: Path) -> str:
    siblings = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    if near := difflib.get_close_matches(path.name, siblings, n=1):
        return f"did you mean --source {path.parent / near[0]}?"
    if word := difflib.get_close_matches(text, WORDS, n=1):
        return f"did you mean --source {word[0]}?"
    return f"type one of {', '.join(WORDS)}, or a folder or zip that exists"
