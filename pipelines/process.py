"""What the commands set for their whole process; a library's callers decide that themselves."""

from __future__ import annotations

import ctypes
import os
import sys

WAIT_POLICY = "OMP_WAIT_POLICY"
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_MMAP_BYTES, _TRIM_BYTES = 2**26, 2**30


def prepare() -> None:
    """Settings for speed, on which no result depends; before torch or LightGBM are imported."""
    share_cores()
    keep_freed_memory()


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
