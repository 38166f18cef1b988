"""What the commands set for their whole process; a library's callers decide that themselves."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from pathlib import Path

from pipelines import interrupts

WAIT_POLICY = "OMP_WAIT_POLICY"
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_STARTED: list[float] = []  # of `time.monotonic`, once this process is a command's
_MMAP_BYTES, _TRIM_BYTES = 2**26, 2**30


def prepare() -> None:
    """Settings on which no result depends; before torch or LightGBM are imported."""
    _STARTED[:] = [time.monotonic() - _age()]
    share_cores()
    keep_freed_memory()
    interrupts.keep()


def started() -> float:
    """When a command's process began, of `time.monotonic`; now for a library's caller."""
    return _STARTED[0] if _STARTED else time.monotonic()


def _age() -> float:
    """Seconds since this process began, as far as the system tells.

    Source: proc(5), `/proc/self/stat`, field 22.
    """
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        uptime = float(Path("/proc/uptime").read_text().split()[0])
        return max(0.0, uptime - int(fields[19]) / os.sysconf("SC_CLK_TCK"))
    except (OSError, ValueError, IndexError):
        return 0.0


def share_cores() -> None:
    """Let OpenMP's threads sleep while they wait, unless the environment says otherwise.

    By default they spin, and on a machine with other programs they spin for a thread that has lost
    its core: a training of two threads then takes several times as long (benchmarks/busy.md).

    Source: the OpenMP specification, `OMP_WAIT_POLICY`.
    """
    if "GOMP_SPINCOUNT" not in os.environ:
        os.environ.setdefault(WAIT_POLICY, "passive")


def keep_freed_memory() -> None:
    """Make glibc keep freed blocks; does nothing on other systems.

    A step frees all its activations at its end. By default glibc then returns the memory to the
    kernel, and the next step pays a page fault for every 4 KiB of it: 20 % of the time of a
    small network's step (benchmarks/NOTES.md).

    Source: mallopt(3).
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _TRIM_BYTES)
