"""What a command may leave behind, whatever was done to it: an exit code, a line, whole files."""

from collections.abc import Iterator
from pathlib import Path

from forks import Ended
from toy import NAME

FORESEEN = {0, 2, 3, 4, 5}  # the table of exit codes, without 1: a fault that nobody foresaw
LONGEST_LINE = 1500  # characters
HALF_WRITTEN = ("*.writing", "*.unfinished", "*.part", "*.tmp", "*-journal")


def faults(ended: Ended, folder: Path) -> Iterator[str]:
    """What is wrong with how a command ended; nothing where all is well."""
    told = [line for line in ended.complaints if line.startswith("foldwise: ")]
    if ended.code not in FORESEEN:
        yield f"exit code {ended.code} after {ended.seconds:.0f} s: {_end(ended.err)}"
    if "Traceback (most recent" in ended.out + ended.err:
        yield f"a traceback: {_end(ended.err)}"
    if len(told) != (ended.code != 0) and "list" not in ended.words:
        yield f"exit code {ended.code} with {len(told)} lines: {told[:3]}"
    if too_long := [line for line in ended.err.splitlines() if len(line) > LONGEST_LINE]:
        yield f"a line of {len(too_long[0])} characters: {too_long[0][:200]}…"
    if foreign := [line for line in ended.err.splitlines() if "Warning: " in line]:
        yield f"a library's warning: {foreign[0][:300]}"
    if behind := [
        line
        for line in (ended.out + ended.err).splitlines()
        if "the traceback is in" in line and "correct the file" not in line
    ]:
        yield f"unforeseen behind a warning: {behind[0][:300]}"
    yield from (f"left over: {path.relative_to(folder)}" for path in left_over(folder))
    is_run = ended.code == 0 and ended.words[:2] == ("run", NAME)
    if is_run and not list(folder.glob(f"submissions/{NAME}/*.csv")):
        yield "exit code 0 without a CSV"


def left_over(folder: Path) -> list[Path]:
    """Files and folders that a process should have removed or renamed."""
    return sorted(path for pattern in HALF_WRITTEN for path in folder.rglob(pattern))


def _end(text: str) -> str:
    return " | ".join(line for line in text.splitlines() if line.strip())[-700:]
