"""Faults of what a submission does not depend on, and those that nobody foresaw.

The first are a line each and tried again by the next command. Of the second the person sees a
line too, and the traceback is kept in a file.
"""

from __future__ import annotations

import contextlib
import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

from pipelines import extras, sizes
from pipelines.free_memory import MemoryShortError, free_memory
from pipelines.secret_texts import redacted
from pipelines.workspace import files
from pipelines.workspace.disk import is_disk_fault, is_name_fault, refusal

PROJECT = Path(__file__).resolve().parent.parent
PACKAGES = ("pipelines", "features", "models", "submissions", "foldwise")
# A competition file lies elsewhere.
OF_PROJECT_OR_LIBRARIES = (
    *(PROJECT / name for name in PACKAGES),
    *(Path(sysconfig.get_path(kind)) for kind in ("stdlib", "purelib", "platlib")),
)
NO_MEMORY = "can't allocate memory"  # torch's words, in a RuntimeError
LONGEST_LOG = 200_000  # characters
LONGEST_REASON = 300  # characters


class UnexpectedError(RuntimeError):
    """A fault that no code foresaw; its traceback is kept in a file."""

    exit_code = 1


class OwnCodeError(ValueError):
    """A competition's own code raised what no code foresaw; its traceback is kept in a file."""

    exit_code = 2


class Attempt(AbstractContextManager["Attempt"]):
    """A block whose fault does not stop what comes after it.

    Attributes:
        error: What went wrong; None where nothing did.
    """

    def __init__(self) -> None:
        self.error: Exception | None = None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """Hold any fault but Ctrl-C and the end of the process."""
        self.error = error if isinstance(error, Exception) else None
        return self.error is not None


def reason(error: BaseException) -> str:
    """The fault in a line; of an error that is not ours with the name of its class."""
    error = extras.missing(error) or error
    if isinstance(error, OSError) and is_disk_fault(error) and not hasattr(error, "exit_code"):
        return refusal(error)
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else ""
    if hasattr(error, "exit_code"):
        return redacted(" ".join(lines))
    text = text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]}…"
    return redacted(f"{type(error).__name__}: {text}" if text else type(error).__name__)


def noted(error: BaseException, log: Path) -> str:
    """The fault in a line; of one that nobody foresaw with the place of its traceback."""
    line = reason(error)
    return line if is_foreseen(error) else f"{line}; {keep(error, log)}"


def keep(error: BaseException, log: Path) -> str:
    """Add the traceback to the log; where it is, as messages end."""
    text = redacted("".join(traceback.format_exception(error)))
    kept = Attempt()
    with kept:
        log.parent.mkdir(parents=True, exist_ok=True)
        earlier = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
        files.write_text(log, f"{earlier}{text}\n"[-LONGEST_LOG:])
    return f"the traceback is in {log}" if kept.error is None else "add --debug for the traceback"


@contextlib.contextmanager
def logged(log: Path) -> Iterator[None]:
    """Keep the traceback of what nobody foresaw.

    Raises:
        OwnCodeError: In place of an error without an exit code that a competition's file raised.
        MemoryShortError: In place of one that says that memory ran out.
        UnexpectedError: In place of any other one.
    """
    attempt = Attempt()
    with attempt:
        yield
    error = attempt.error
    if error is None:
        return
    if (missing := extras.missing(error)) is not None:
        raise missing from error
    if is_foreseen(error):
        raise error
    if isinstance(error, MemoryError) or NO_MEMORY in str(error):
        raise MemoryShortError(_out_of_memory(error)) from error
    if (place := _own_place(error)) is not None:
        text = f"{place}: {reason(error)}; correct the file; {keep(error, log)}"
        raise OwnCodeError(text) from error
    raise UnexpectedError(
        f"{reason(error)}; nothing half-written was left; {keep(error, log)}"
    ) from error


def _out_of_memory(error: BaseException) -> str:
    free = free_memory()
    left = "" if free is None else f", {sizes.shown(free)} are free now"
    return (
        f"memory ran out ({reason(error)}{left}); finished stages are kept: close other programs "
        "or type fewer --folds or --seeds, then type the same command again"
    )


def _own_place(error: BaseException) -> str | None:
    """The last line of a competition's file that the error came through; None without one."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if is_own(Path(frame.filename))]
    return f"{shown(Path(own[-1].filename))}, line {own[-1].lineno}" if own else None


def is_own(path: Path) -> bool:
    """Whether the code is a person's own: a file outside the project and its libraries."""
    return path.is_file() and not any(map(path.is_relative_to, OF_PROJECT_OR_LIBRARIES))


def shown(path: Path) -> Path:
    """The path as a person knows it: from where they work."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def is_foreseen(error: BaseException) -> bool:
    """Whether the error says what to do: its class does, or a disk, a name or an extra refuses."""
    is_told = is_disk_fault(error) or is_name_fault(error) or extras.missing(error) is not None
    return is_told or hasattr(error, "exit_code")
