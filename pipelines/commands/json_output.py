"""Keeps standard output for the JSON of `--json`, whatever libraries print."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

STDOUT, STDERR = 1, 2


@contextlib.contextmanager
def kept_for_json(*, is_wanted: bool) -> Iterator[None]:
    """Send what is printed in the block to standard error, by C code and child processes too."""
    if not is_wanted:
        yield
        return
    sys.stdout.flush()
    kept = os.dup(STDOUT)
    os.dup2(STDERR, STDOUT)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, STDOUT)
        os.close(kept)
