"""What a lost MLflow server has missed, kept in `runs/unsent/` until `foldwise sync` sends it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipelines.tracking.record import Data, Record
from pipelines.workspace import files
from pipelines.workspace.layout import Workspace


@dataclass(frozen=True)
class Unsent:
    """One thing to send: a finished run, or a family of records.

    Attributes:
        path: the file that remembers it.
        experiment: the competition.
        run: the run's id; None for a family.
        family: parent and children; empty for a run, whose folder has everything.
    """

    path: Path
    experiment: str
    run: str | None
    family: tuple[Record, ...] = ()


def keep_run(root: Path, competition: str, run: str) -> None:
    """Remember that a finished run, or news of it, is to be sent."""
    _write(root, f"{competition}-{run}", {"experiment": competition, "run": run})


def keep_family(root: Path, experiment: str, parent: Record, children: Sequence[Record]) -> None:
    """Remember a family; its artifacts must stay where they are in the workspace."""
    family = [_as_json(record, root) for record in (parent, *children)]
    name = parent.key.replace("/", "-")
    _write(root, f"{experiment}-{name}", {"experiment": experiment, "family": family})


def waiting(root: Path) -> list[Unsent]:
    """All that is to be sent, the oldest first."""
    found = sorted(Workspace(root).unsent.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    return [_read(path, root) for path in found]


def forget_run(root: Path, competition: str, run: str) -> None:
    """The run was sent."""
    (Workspace(root).unsent / f"{competition}-{run}.json").unlink(missing_ok=True)


def _write(root: Path, name: str, told: dict[str, Any]) -> None:
    folder = Workspace(root).unsent
    folder.mkdir(parents=True, exist_ok=True)
    files.write_text(folder / f"{name}.json", json.dumps(told) + "\n")


def _read(path: Path, root: Path) -> Unsent:
    told = json.loads(path.read_text())
    family = tuple(_record(one, root) for one in told.get("family", ()))
    return Unsent(path, told["experiment"], told.get("run"), family)


def _as_json(record: Record, root: Path) -> dict[str, Any]:
    paths = [path.resolve() for path in record.artifacts]
    inside = root.resolve()
    told = [p.relative_to(inside) if p.is_relative_to(inside) else p for p in paths]
    return asdict(record) | {
        "artifacts": [str(path) for path in told],
        "params": {key: str(value) for key, value in record.params.items()},
    }


def _record(told: dict[str, Any], root: Path) -> Record:
    data = None if told["data"] is None else Data(**told["data"])
    artifacts = [root / path for path in told["artifacts"]]
    metrics = [(name, value, step) for name, value, step in told["metrics"]]
    return Record(**told | {"artifacts": artifacts, "metrics": metrics, "data": data})
