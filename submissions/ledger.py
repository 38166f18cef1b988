"""The ledger: cross-validated, local, public and private score of every run, side by side.

One JSON object per line, only ever appended to. The first line of a run is an `Entry`; later
lines of the same run are `Scores`, and what they hold supersedes what was said before.
"""

import errno
import fcntl
import json
import os
import shlex
import warnings
from collections.abc import Iterator
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, FiniteFloat, ValidationError


class LedgerError(ValueError):
    """A ledger that cannot be read or written."""

    exit_code = 3


class LedgerWarning(UserWarning):
    """The ledger's last line was torn when its writer was killed."""


class Entry(BaseModel):
    """What is known of one run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: str = Field(min_length=1, description="the run's id, unique in its competition")
    competition: str = Field(min_length=1)
    time_utc: AwareDatetime = Field(description="when the submission was written")
    source: str = Field(description="where the raw files came from: kaggle, sample or a path")
    synthetic: bool = Field(description="the rows are made up, so the scores mean nothing")
    metric: str
    greater_is_better: bool
    cv: FiniteFloat = Field(description="cross-validated score of the blend")
    cv_std: FiniteFloat = Field(ge=0, description="its standard deviation over the folds")
    local_score: FiniteFloat | None = Field(
        default=None, description="score on rows held back with their labels"
    )
    public_score: FiniteFloat | None = Field(default=None, description="Kaggle's, on its part")
    private_score: FiniteFloat | None = Field(default=None, description="Kaggle's, on the rest")
    submission: str | None = Field(default=None, description="path of the CSV")
    sha256: str | None = Field(default=None, description="of the CSV")
    message: str = Field(default="", description="what is told to Kaggle with the upload")
    submitted_utc: AwareDatetime | None = Field(default=None, description="when Kaggle took it")
    kaggle_ref: int | None = Field(default=None, description="Kaggle's number of the submission")
    refused: str | None = Field(default=None, description="why Kaggle did not score it")


class Scores(BaseModel):
    """What became known of a run later; a field that is None changes nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: str
    competition: str
    local_score: FiniteFloat | None = None
    public_score: FiniteFloat | None = None
    private_score: FiniteFloat | None = None
    message: str | None = None
    submitted_utc: AwareDatetime | None = None
    kaggle_ref: int | None = None
    refused: str | None = None


def append(path: str | Path, entry: Entry) -> None:
    """Writes a run's line, on the disk when this returns; safe beside other writers.

    A run that is appended again keeps what only the earlier lines say, such as public scores.

    Raises:
        LedgerError: it could not be written; the ledger is as it was.
    """
    _append_line(Path(path), entry.model_dump_json(exclude_none=True))


def update_scores(path: str | Path, scores: Scores) -> None:
    """Appends a line that supersedes some fields of a run.

    Raises:
        LedgerError: the ledger has no such run, or could not be read or written.
    """
    key = (scores.competition, scores.run)
    if key not in {(entry.competition, entry.run) for entry in read(path)}:
        raise LedgerError(
            f"{path}: found no run {scores.run!r} of {scores.competition}, expected one of its "
            f"runs. Next: foldwise runs {scores.competition}"
        )
    _append_line(Path(path), scores.model_dump_json(exclude_none=True))


def read(path: str | Path) -> list[Entry]:
    """The runs in the order in which they were first written; no file is an empty ledger.

    A last line that was torn by a kill is left out, with a `LedgerWarning`.

    Raises:
        LedgerError: any other line is broken; it is named.
    """
    path = Path(path)
    runs: dict[tuple[str, str], Entry] = {}
    for number, line in _lines(path):
        try:
            fields = json.loads(line)
            key = (fields["competition"], fields["run"])
            known = runs[key].model_dump() if key in runs else {}
            runs[key] = Entry.model_validate(known | fields)
        except (ValueError, KeyError, TypeError) as error:
            raise LedgerError(
                f"{path}: line {number}: found {_reason(error)}, expected one run as JSON. "
                f"Next: sed -n {number}p {shlex.quote(str(path))}, then correct or delete the line"
            ) from error
    return list(runs.values())


def _reason(error: Exception) -> str:
    """Why a line is broken, in one line."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return f"no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yields (line number, line) of what was written whole."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            data = file.read()
    except FileNotFoundError:
        return
    except OSError as error:
        raise _ledger_error(path, "read", error) from error
    *whole, tail = data.split(b"\n")
    if tail and not _is_json(tail):
        warnings.warn(
            f"{path}: line {len(whole) + 1} was torn when its writer was killed; left out",
            LedgerWarning,
            stacklevel=3,
        )
        tail = b""
    yield from ((n, line) for n, line in enumerate([*whole, tail], start=1) if line.strip())


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
    """Cuts off a torn last line, which nobody was told of; returns what must precede a new one."""
    data = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    start = data.rfind(b"\n") + 1
    if start == len(data):
        return b""
    if _is_json(data[start:]):
        return b"\n"
    os.ftruncate(descriptor, start)
    return b""


def _write_whole(descriptor: int, line: bytes) -> None:
    """Writes the line with one call and syncs it; takes a part that was written back."""
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
        f"Next: ls -ld {folder}; df -h {folder}; make room or access, then run it again"
    )
