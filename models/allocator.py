"""Keeps the memory of one step for the next one."""

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_MMAP_BYTES, _TRIM_BYTES = 2**26, 2**30


def keep_freed_memory() -> None:
    """Let glibc keep freed blocks, for the whole process; elsewhere this does nothing.

    A step frees all its activations at its end. By default glibc then gives the memory back to
    the kernel, and the next step pays a page fault for every 4 KiB of it: a fifth of the time
    of a small network's step (benchmarks/NOTES.md).

    Source: mallopt(3).
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _TRIM_BYTES)
