"""Hides the checkout from this thread and from the processes that it starts from now on."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import tempfile
from pathlib import Path

NEW_MOUNTS = 0x00020000  # CLONE_NEWNS of <sched.h>


def hide(checkout: Path) -> None:
    """Lay an empty folder over the checkout, in mounts of this thread's own.

    The environment of Python that runs stays where it is, also within the checkout.

    Raises:
        OSError: That is forbidden here.
        subprocess.CalledProcessError: The same, with mount's own words.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(NEW_MOUNTS) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    _mount("--make-rprivate", "/")
    environment = Path(sys.prefix)
    if checkout not in environment.parents:
        _mount("-t", "tmpfs", "none", str(checkout))
        return
    with tempfile.TemporaryDirectory() as aside:
        _mount("--bind", str(environment), aside)
        _mount("-t", "tmpfs", "none", str(checkout))
        environment.mkdir(parents=True)
        _mount("--move", aside, str(environment))


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True, text=True)
