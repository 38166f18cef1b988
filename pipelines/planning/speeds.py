"""How fast this machine trains, kept from run to run.

Each cost is kept with the seconds that a fixed piece of work took at the time, so that it still
says something when other programs have come or gone.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict

from pipelines.planning.costs import EncoderCost, MemberCost
from pipelines.workspace import files, stored
from pipelines.workspace.provenance import machine

Cost = TypeVar("Cost", EncoderCost, MemberCost)
LEAST_PACE, MOST_PACE = 0.5, 5.0
REMEASURE = "remove it: the next run with a time limit measures again"


class Kept(BaseModel):
    """A measured cost.

    Attributes:
        reference_s: Seconds of the fixed piece of work at that time.
        encoder: The cost of an encoder.
        member: The cost of a member.
        seconds: Any other cost.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    reference_s: float
    encoder: EncoderCost | None = None
    member: MemberCost | None = None
    seconds: float | None = None


class Book(BaseModel):
    """What was measured, by machine and by what it was measured of."""

    model_config = ConfigDict(allow_inf_nan=False)

    machines: dict[str, dict[str, Kept]] = {}


class Speeds:
    """The measured costs of this machine, read from the workspace and written back.

    Attributes:
        n_measured: How many were measured now, since they were not known.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._machine = path, files.fingerprint(machine())
        self._book = _read(path)
        self._reference_s = reference()
        self.n_measured = 0

    def of(self, key: Mapping[str, Any]) -> Kept | None:
        """What is known, at the machine's present pace."""
        kept = self._known.get(files.fingerprint(key))
        if kept is None:
            return None
        pace = min(max(self._reference_s / kept.reference_s, LEAST_PACE), MOST_PACE)
        return _at_pace(kept, pace)

    def keep(self, key: Mapping[str, Any], **cost: Any) -> Kept:
        """Note a cost that was measured now."""
        kept = Kept(reference_s=self._reference_s, **cost)
        self._known[files.fingerprint(key)] = kept
        self.n_measured += 1
        return kept

    def write(self) -> None:
        """Write what is known to the workspace."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        files.write_text(self._path, self._book.model_dump_json(indent=1, exclude_none=True) + "\n")

    @property
    def _known(self) -> dict[str, Kept]:
        return self._book.machines.setdefault(self._machine, {})


def _read(path: Path) -> Book:
    if not path.is_file():
        return Book()
    try:
        return stored.read(Book, path, REMEASURE)
    except stored.DamagedFileError as error:
        stored.pass_over(error)
        return Book()


def _at_pace(kept: Kept, pace: float) -> Kept:
    return Kept(
        reference_s=kept.reference_s,
        encoder=None if kept.encoder is None else scaled(kept.encoder, pace),
        member=None if kept.member is None else scaled(kept.member, pace),
        seconds=None if kept.seconds is None else kept.seconds * pace,
    )


def scaled(cost: Cost, factor: float) -> Cost:
    """The cost with all its seconds times a factor."""
    seconds = {n: v * factor for n, v in cost.model_dump().items() if n.endswith("_s")}
    return cost.model_copy(update=seconds)


def reference() -> float:
    """Seconds of a fixed piece of work, the median of some turns."""
    rng = np.random.default_rng(0)
    left, numbers = rng.random((256, 256)), rng.random(100_000)
    turns: list[Callable[[], object]] = [lambda: (left @ left @ left, np.sort(numbers))] * 9
    return statistics.median(_timed(turn) for turn in turns)


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
