"""`--claim FILE=SCORE`: whether a file's predictions score what their author says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pipelines.blending.members import BlendMember


class NumberedFileError(ValueError):
    """`FILE=NUMBER` that is no such thing, or names a file that is not there."""

    exit_code = 2


@dataclass(frozen=True)
class Numbered:
    """A file, or a member's name, and a number.

    Attributes:
        file: As typed.
        number: After the equals sign.
        digits: Behind its decimal point.
    """

    file: str
    number: float
    digits: int


def numbered(option: str, typed: Sequence[str]) -> list[Numbered]:
    """What stands in `FILE=NUMBER,FILE=NUMBER`.

    Raises:
        NumberedFileError: One has no equals sign, or no number behind it.
    """
    found = []
    for text in (part.strip() for one in typed for part in one.split(",") if part.strip()):
        file, equals, number = text.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            value = np.nan
        if not equals or not file or not np.isfinite(value):
            raise NumberedFileError(
                f"{option} {text!r}: found no FILE=NUMBER, expected such as {option} 'a.csv=0.7'"
            )
        found.append(Numbered(file, value, len(number.partition(".")[2].lower().split("e")[0])))
    return found


def checked(
    claims: Sequence[Numbered],
    members: Sequence[BlendMember],
    over_rows: np.ndarray,
    over_folds: np.ndarray,
) -> Iterator[tuple[bool, str]]:
    """For each claim whether it holds, and a line about it.

    A claim holds if the score over all rows or the mean over folds rounds to it.

    Args:
        claims: What was typed.
        members: All members.
        over_rows: `(n_members,)`, their scores over all rows.
        over_folds: `(n_members,)`, their mean scores over folds.

    Raises:
        NumberedFileError: A claim is about a file that is not blended.
    """
    for claim in claims:
        at = _member(claim, members)
        measured = (float(over_rows[at]), float(over_folds[at]))
        holds = any(abs(score - claim.number) <= 10.0**-claim.digits for score in measured)
        found = f"{measured[0]:.6g} over all rows, {measured[1]:.6g} as the mean over folds"
        if holds:
            yield True, f"{claim.file}: {claim.number:g} is right: {found}"
        else:
            yield False, f"{claim.file}: {claim.number:g} is claimed, but measured {found}"


def _member(claim: Numbered, members: Sequence[BlendMember]) -> int:
    for at, member in enumerate(members):
        if claim.file in (member.name, *member.origin.split(", ")):
            return at
    known = ", ".join(member.origin.split(", ")[0] for member in members[:5])
    raise NumberedFileError(
        f"--claim {claim.file}: no such file is blended; type the path of an --oof file: {known}"
    )
