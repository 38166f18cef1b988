"""Which files belong together: an out-of-fold file and the submission of the same model."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PREFIX, PARTNERS = "oof", ("sub", "submission", "test", "pred", "preds")


class PairError(ValueError):
    """Files that do not come in pairs."""

    exit_code = 2


@dataclass(frozen=True)
class FilePair:
    """One foreign model's files.

    Attributes:
        name: As pages show it.
        oof: Its out-of-fold predictions.
        test: Its test predictions.
    """

    name: str
    oof: Path
    test: Path


def pairs_of(oof: Sequence[Path], sub: Sequence[Path], patterns: Sequence[str]) -> list[FilePair]:
    """The pairs that were typed, in their order, then those of the patterns by name.

    Args:
        oof: Out-of-fold files.
        sub: Submissions, in the same order.
        patterns: Such as `preds/oof_*.csv`; `sub_*.csv` lie beside them.

    Raises:
        PairError: The numbers differ, a pattern matches nothing, or a partner is missing.
    """
    if len(oof) != len(sub):
        raise PairError(
            f"found {len(oof)} files of --oof and {len(sub)} of --sub, expected as many; type one "
            "--sub FILE for each --oof FILE, in the same order"
        )
    typed = list(zip(oof, sub, strict=True))
    found = typed + [pair for pattern in patterns for pair in _matching(pattern)]
    names = _names([path for path, _ in found])
    return [FilePair(n, one, other) for n, (one, other) in zip(names, found, strict=True)]


def _matching(pattern: str) -> list[tuple[Path, Path]]:
    paths = sorted(Path(path) for path in glob.glob(pattern))  # noqa: PTH207 - may be absolute
    if not paths:
        raise PairError(f"--pairs {pattern}: found no file, expected some such as oof_a.csv")
    return [(path, _partner(path, pattern)) for path in paths]


def _partner(path: Path, pattern: str) -> Path:
    """The submission beside an out-of-fold file."""
    if PREFIX not in path.name:
        raise PairError(
            f"--pairs {pattern}: found {path.name}, expected names with 'oof' in them; type "
            "--oof FILE --sub FILE for other names"
        )
    stem = path.name[: -len("".join(path.suffixes))] if path.suffixes else path.name
    stems = [stem.replace(PREFIX, partner, 1) for partner in PARTNERS]
    endings = dict.fromkeys(("".join(path.suffixes), ".csv", ".csv.gz", ".npy", ".parquet"))
    beside = [path.with_name(f"{one}{ending}") for one in stems for ending in endings]
    for candidate in beside:
        if candidate.is_file():
            return candidate
    raise PairError(
        f"--pairs {pattern}: {path} has no partner; expected {beside[0].name} beside it, or type "
        "--oof FILE --sub FILE"
    )


def _names(paths: Sequence[Path]) -> list[str]:
    """Short names, unique: the file's, without `oof_`; with its folder where two are the same."""
    short = [_short(path) for path in paths]
    long = [
        f"{path.parent.name}/{name}" if short.count(name) > 1 else name
        for path, name in zip(paths, short, strict=True)
    ]
    return [n if long.count(n) == 1 else f"{n}-{at + 1}" for at, n in enumerate(long)]


def _short(path: Path) -> str:
    name = path.name[: -len("".join(path.suffixes))] if path.suffixes else path.name
    return name.removeprefix(PREFIX).strip("_-.") or path.name
