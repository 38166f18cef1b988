"""A file for each row of a table: what its path says, and a zip that holds them all."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

SPLIT = "split"  # the placeholder that stands for `train` or `test`
PLACEHOLDER = re.compile(r"\{([^{}]+)\}")


@cache
def _pattern(file: str) -> tuple[re.Pattern[str], tuple[str, ...]]:
    """The pattern of `pattern_of`, and the placeholder of each of its further groups."""
    names: list[str] = []
    written = ""
    for at, part in enumerate(PLACEHOLDER.split(file)):
        if at % 2 == 0:
            written += re.escape(part)
        elif part in names:
            written += rf"\{names.index(part) + 2}"
        else:
            names.append(part)
            written += "(train|test)" if part == SPLIT else "([^/]+?)"
    return re.compile(f"(?:^|/)({written})$"), tuple(names)


def pattern_of(file: str) -> re.Pattern[str]:
    """A pattern for the end of a path; its first group is the path without what stands before.

    Args:
        file: The name with placeholders, such as `{split}/{id}.txt`.
    """
    return _pattern(file)[0]


def keys_of(file: str, path: str) -> dict[str, str] | None:
    """The placeholders' values in a path; None where it is no such file.

    Args:
        file: The name with placeholders.
        path: With `/` between its parts; what stands before the name does not matter.
    """
    pattern, names = _pattern(file)
    found = pattern.search(path)
    return None if found is None else dict(zip(names, found.groups()[1:], strict=True))


def read_row_files(packed: Path, file: str) -> Iterator[tuple[dict[str, str], bytes]]:
    """Of each packed file the placeholders' values and its bytes, in the order of their paths."""
    with zipfile.ZipFile(packed) as zipped:
        for name in sorted(zipped.namelist()):
            keys = keys_of(file, name)
            assert keys is not None, "only such files were packed"
            yield keys, zipped.read(name)
