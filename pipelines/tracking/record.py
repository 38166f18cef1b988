"""What one MLflow run is to hold, as plain values that can be kept on disk for a lost server."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

Row = tuple[str, float, int]  # name, value, step


def _now_ms() -> int:
    return int(time.time() * 1000)


@dataclass(frozen=True)
class Data:
    """What was learned from."""

    name: str
    digest: str
    origin: str


@dataclass(frozen=True)
class Record:
    """What one MLflow run is to hold.

    Attributes:
        name: what the page calls it.
        tags: by name.
        params: by name.
        metrics: (name, value, step).
        artifacts: files and folders that are copied.
        data: what was learned from, where that is to be told.
        model: the folder of a finished run that is logged as a model as well.
        key: tells the run apart, so that sending it once more writes no second one.
        start_ms: when it began, since 1970; also the time of every metric.
        end_ms: when it ended; the time of sending if None.
    """

    name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Sequence[Row] = ()
    artifacts: Sequence[Path] = ()
    data: Data | None = None
    model: Path | None = None
    key: str = field(default_factory=lambda: uuid4().hex)
    start_ms: int = field(default_factory=_now_ms)
    end_ms: int | None = None


@dataclass(frozen=True)
class Family:
    """A record and those beneath it."""

    parent: Record
    children: Sequence[Record]
