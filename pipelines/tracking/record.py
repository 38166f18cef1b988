"""What one MLflow run holds, as plain values, which can be kept on disk until a server is back."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

if TYPE_CHECKING:
    import pandas as pd

Row = tuple[str, float, int]  # name, value, step
Status = Literal["FINISHED", "KILLED", "FAILED"]


def now_ms() -> int:
    """Milliseconds since 1970."""
    return int(time.time() * 1000)


@dataclass(frozen=True)
class Data:
    """The data that a run was trained on."""

    name: str
    digest: str
    origin: str


@dataclass(frozen=True)
class LoggedModel:
    """A model that is logged with a run: files that a Python module loads, never a pickle.

    Attributes:
        name: As MLflow shows it.
        loader_module: The module whose `_load_pyfunc` loads the files.
        folder: Where a copy is prepared: on the disk of the files, so that they can be linked.
        fill: Fills an empty folder with the model's files.
        inputs: Name, MLflow type and whether it is required, for each column.
        outputs: Name and MLflow type of each column.
        example: Gives some rows of inputs; None where there are none.
    """

    name: str
    loader_module: str
    folder: Path
    fill: Callable[[Path], None]
    inputs: Sequence[tuple[str, str, bool]]
    outputs: Sequence[tuple[str, str]]
    example: Callable[[], pd.DataFrame | None]


@dataclass(frozen=True)
class Record:
    """What one MLflow run holds.

    Attributes:
        name: As the page shows it.
        tags: By name.
        params: By name.
        metrics: (name, value, step).
        artifacts: Files and folders that are copied.
        data: The data that the run was trained on, if it is shown.
        model: The model that is logged with the run, if there is one.
        key: Identifies the run, so that sending it again writes no second one.
        start_ms: When it started, since 1970; also the time of every metric.
        end_ms: When it ended; the time of sending if None.
        status: How it ended, in MLflow's words: the icon beside it.
    """

    name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Sequence[Row] = ()
    artifacts: Sequence[Path] = ()
    data: Data | None = None
    model: LoggedModel | None = None
    key: str = field(default_factory=lambda: uuid4().hex)
    start_ms: int = field(default_factory=now_ms)
    end_ms: int | None = None
    status: Status = "FINISHED"


@dataclass(frozen=True)
class Family:
    """A parent and its children, which the page shows beneath it."""

    parent: Record
    children: Sequence[Record]


@dataclass(frozen=True)
class Update:
    """What became known of a run after it was logged.

    Attributes:
        experiment: The run's.
        run: The run's name.
        mlflow_run_id: Its id in the store that has it.
        is_local: Whether that is the workspace's own store.
        metrics: By name.
        tags: By name.
    """

    experiment: str
    run: str
    mlflow_run_id: str
    is_local: bool
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
