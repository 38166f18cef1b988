"""Sizes in bytes as a person reads them."""

from __future__ import annotations

UNITS = (("GB", 1e9, 1), ("MB", 1e6, 0), ("kB", 1e3, 0))


def shown(n_bytes: float) -> str:
    """So many bytes: `1.3 GB`, `45 MB`, `7 kB`."""
    for unit, size, n_decimals in UNITS:
        if n_bytes >= size:
            return f"{n_bytes / size:.{n_decimals}f} {unit}"
    return f"{n_bytes:.0f} bytes"
