"""The ledger: cross-validated, local, public and private score of every run, side by side.

One JSON object per line; lines are only ever appended. The first line of a run is an `Entry`;
later lines of the same run are `Scores`, whose fields supersede the earlier ones.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shlex
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    JsonValue,
    ValidationError,
)

FILE = Path("submissions") / "ledger.jsonl"  # seen from the workspace


class LedgerError(ValueError):
    """A ledger that cannot be read or written."""

    exit_code = 3


class LedgerWarning(UserWarning):
    """Lines of the ledger that hold no run, and are left out."""


class Entry(BaseModel):
    """One run and its scores."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: str = Field(min_length=1, description="the run's id, unique in its competition")
    competition: str = Field(min_length=1)
    time_utc: AwareDatetime = Field(description="when the submission was written")
    source: str = Field(description="where the raw files came from: kaggle, sample or a path")
    synthetic: bool = Field(description="the rows were generated, so the scores mean nothing")
    metric: str
    greater_is_better: bool
    note: str = Field(default="", description="what a person noted of the run")
    members: tuple[str, ...] = Field(default=(), description="their names")
    settings: dict[str, JsonValue] = Field(
        default={}, description="by key, those that differ from the competition's file"
    )
    cv: FiniteFloat | None = Field(
        default=None,
        description="cross-validated score of the blend; none of a submission made elsewhere",
    )
    cv_std: FiniteFloat | None = Field(
        default=None, ge=0, description="its standard deviation over the folds"
    )
    local_score: FiniteFloat | None = Field(
        default=None, description="score on rows held back with their labels"
    )
    public_score: FiniteFloat | None = Field(
        default=None, description="Kaggle's, on the public part"
    )
    private_score: FiniteFloat | None = Field(
        default=None, description="Kaggle's, on the private part"
    )
    submission: str | None = Field(default=None, description="path of the CSV")
    sha256: str | None = Field(default=None, description="of the CSV")
    message: str = Field(default="", description="sent to Kaggle with the upload")
    submitted_utc: AwareDatetime | None = Field(default=None, description="when Kaggle accepted it")
    kaggle_ref: int | None = Field(default=None, description="Kaggle's number of the submission")
    refused: str | None = Field(default=None, description="why Kaggle did not score it")
    notebook: str | None = Field(
        default=None, description="OWNER/NAME/VERSION of the notebook on Kaggle that made it"
    )


class Scores(BaseModel):
    """Later scores of a run; a field that is None changes nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: str
    competition: str
    note: str | None = None
    local_score: FiniteFloat | None = None
    public_score: FiniteFloat | None = None
    private_score: FiniteFloat | None = None
    message: str | None = None
    submitted_utc: AwareDatetime | None = None
    kaggle_ref: int | None = None
    refused: str | None = None
    notebook: str | None = None


def append(path: str | Path, entry: Entry) -> None:
    """Append a run's line, durably; other processes may write at the same time.

    A run that is appended again keeps the fields that only its earlier lines have, such as public
    scores.

    Raises:
        LedgerError: The line could not be written; the ledger is unchanged.
    """
    _append_line(Path(path), entry.model_dump_json(exclude_none=True))


def update_scores(path: str | Path, scores: Scores) -> None:
    """Append a line that supersedes some fields of a run.

    Raises:
        LedgerError: The ledger has no such run, or could not be read or written.
    """
    key = (scores.competition, scores.run)
    if key not in {(entry.competition, entry.run) for entry in read(path)}:
        raise LedgerError(
            f"{path}: found no run {scores.run!r} of {scores.competition}, expected one of its "
            f"runs. Next: foldwise runs {scores.competition}"
        )
    _append_line(Path(path), scores.model_dump_json(exclude_none=True))


@dataclass(frozen=True)
class Book:
    """What a ledger holds.

    Attributes:
        entries: The runs in the order in which they were first written.
        fault: What is wrong with lines that were left out; None where nothing is.
    """

    entries: list[Entry]
    fault: str | None = None


def read(path: str | Path) -> list[Entry]:
    """The runs in the order in which they were first written; a missing file is an empty ledger.

    Lines that hold no run are left out, with a `LedgerWarning`.

    Raises:
        LedgerError: The file cannot be read.
    """
    book = look(path)
    if book.fault is not None:
        warnings.warn(book.fault, LedgerWarning, stacklevel=2)
    return book.entries


def look(path: str | Path) -> Book:
    """The same, with what is wrong as a value.

    Raises:
        LedgerError: The file cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        return Book([], f"{path}: found a folder, expected the ledger; move it away: {path}")
    runs: dict[tuple[str, str], Entry] = {}
    faults: list[tuple[int, str]] = []
    for number, line in _lines(path):
        try:
            fields = json.loads(line)
            key = (fields["competition"], fields["run"])
            earlier = runs[key].model_dump() if key in runs else {}
            runs[key] = Entry.model_validate(earlier | fields)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            faults.append((number, _reason(error)))
    return Book(list(runs.values()), _described(path, faults) if faults else None)


def _described(path: Path, faults: Sequence[tuple[int, str]]) -> str:
    number, why = faults[0]
    more = f" (and {len(faults) - 1} more such lines)" if len(faults) > 1 else ""
    return (
        f"{path}: line {number}: found {why}, expected one run as JSON{more}; left out. "
        f"Next: sed -n {number}p {shlex.quote(str(path))}, then correct or delete the line"
    )


def _reason(error: Exception) -> str:
    """Why a ledger line is invalid, in one line of text."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return f"no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines that are not empty, with their numbers from 1."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            data = file.read()
    except FileNotFoundError:
        return
    except OSError as error:
        raise _ledger_error(path, "read", error) from error
    yield from ((n, line) for n, line in enumerate(data.split(b"\n"), start=1) if line.strip())


def _append_line(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            separator = _mend_tail(descriptor)
            _write_whole(descriptor, separator + text.encode() + b"\n")
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _ledger_error(path, "written", error) from error


def _mend_tail(descriptor: int) -> bytes:
    """Cut off an incomplete last line, which no reader uses; returns what separates a new one."""
    data = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    start = data.rfind(b"\n") + 1
    if start == len(data):
        return b""
    if _is_json(data[start:]):
        return b"\n"
    os.ftruncate(descriptor, start)
    return b""


def _write_whole(descriptor: int, line: bytes) -> None:
    """Write the line in one call and sync it; a part that was written is removed again."""
    size = os.fstat(descriptor).st_size
    try:
        n_written = os.write(descriptor, line)
        if n_written < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, size)
        raise


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _ledger_error(path: Path, done: str, error: OSError) -> LedgerError:
    folder = shlex.quote(str(path.parent))
    return LedgerError(
        f"{path}: the ledger cannot be {done} ({error.strerror}). "
        f"Next: ls -ld {folder}; df -h {folder}; free space or grant access, then run it again"
    )
