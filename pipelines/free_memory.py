"""How much memory a process may still take: of the machine, its control group and its own limit."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")
UNLIMITED = 1 << 60  # bytes; version 1 of control groups writes a number near 2**63


class MemoryShortError(RuntimeError):
    """There is not enough memory for what is asked."""

    exit_code = 6


def free_memory(root: Path = ROOT) -> int | None:
    """Bytes that can still be taken; None where the system does not say.

    Args:
        root: Where `proc` and `sys` are.

    Source: proc_meminfo(5), cgroups(7), the kernel's memory controller of both versions.
    """
    return min((*_of_machine(root), *_of_groups(root), *_of_process()), default=None)


def _of_machine(root: Path) -> Iterator[int]:
    found = re.search(r"^MemAvailable:\s+(\d+) kB", _text(root / "proc/meminfo"), re.MULTILINE)
    if found is not None:
        yield int(found[1]) * 1024


def _of_groups(root: Path) -> Iterator[int]:
    """What is left in each control group that the process is in."""
    mounted = root / "sys/fs/cgroup"
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            names = ("memory.max", "memory.current", "inactive_file")
            folder = mounted
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            folder = mounted / "memory"
        else:
            continue
        own = folder / path.lstrip("/")
        for group in (own, *own.parents):
            yield from _left(group, *names)
            if group == folder:
                break


def _left(group: Path, limit: str, usage: str, cache: str) -> Iterator[int]:
    """The limit less what is used; a cache of files is given back when it is needed."""
    most, used = _text(group / limit).strip(), _text(group / usage).strip()
    if most.isdigit() and used.isdigit() and int(most) < UNLIMITED:
        found = re.search(rf"^{cache} (\d+)$", _text(group / "memory.stat"), re.MULTILINE)
        yield max(0, int(most) - int(used) + (int(found[1]) if found else 0))


def _of_process() -> Iterator[int]:
    """What `ulimit -v` leaves."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    used = _text(Path("/proc/self/statm")).split()
    if limit != resource.RLIM_INFINITY and used:
        yield max(0, limit - int(used[0]) * os.sysconf("SC_PAGE_SIZE"))


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
