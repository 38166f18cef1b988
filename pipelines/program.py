"""The command `foldwise` as a person types it where they are."""

from __future__ import annotations

import functools
import re
import shutil
import sys
from pathlib import Path

PROGRAM = "foldwise"
COMMAND = re.compile(rf"(?<![\w/.-]){PROGRAM}(?= [a-z])")


@functools.cache
def program() -> str:
    """What a person types for `foldwise`: its path where it is not on the PATH, as after `make`."""
    if shutil.which(PROGRAM):
        return PROGRAM
    script = Path(sys.executable).with_name(PROGRAM)
    if not script.exists():
        return f"{sys.executable} -m {PROGRAM}"
    here = Path.cwd()
    return str(script.relative_to(here) if script.is_relative_to(here) else script)


def as_typed(text: str) -> str:
    """The text with each command of ours, `foldwise run titanic`, as it works here."""
    return COMMAND.sub(lambda _: program(), text)
