"""What an MLflow store has missed, kept in `runs/unsent/` until `foldwise sync` sends it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipelines.tracking.record import Data, Family, Record
from pipelines.workspace import files
from pipelines.workspace.layout import Workspace


@dataclass(frozen=True)
class Unsent:
    """One item to send: a finished run, or a family of records.

    Attributes:
        path: The file that holds it.
        experiment: The competition.
        run: The run's id; None for a family.
        family: The records; None for a run, whose folder has everything.
        is_local: Whether the workspace's own store has missed it, so that it goes there too.
    """

    path: Path
    experiment: str
    run: str | None
    family: Family | None = None
    is_local: bool = False


def keep_run(root: Path, competition: str, run: str, *, is_local: bool = False) -> None:
    """Keep a finished run, or an update of it, to be sent later."""
    content = {"experiment": competition, "run": run, "local": is_local}
    _write(root, f"{competition}-{run}", content)


def keep_family(root: Path, experiment: str, family: Family, *, is_local: bool = False) -> None:
    """Keep a family; its artifacts must stay where they are in the workspace."""
    records = [_as_json(record, root) for record in (family.parent, *family.children)]
    name = family.parent.key.replace("/", "-")
    content = {"experiment": experiment, "family": records, "local": is_local}
    _write(root, f"{experiment}-{name}", content)


def waiting(root: Path) -> list[Unsent]:
    """All that is waiting to be sent, the oldest first."""
    found = sorted(Workspace(root).unsent.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    return [_read(path, root) for path in found]


def forget_run(root: Path, competition: str, run: str) -> None:
    """Remove a run that was sent."""
    (Workspace(root).unsent / f"{competition}-{run}.json").unlink(missing_ok=True)


def _write(root: Path, name: str, content: dict[str, Any]) -> None:
    folder = Workspace(root).unsent
    folder.mkdir(parents=True, exist_ok=True)
    files.write_text(folder / f"{name}.json", json.dumps(content) + "\n")


def _read(path: Path, root: Path) -> Unsent:
    content = json.loads(path.read_text())
    records = [_record(one, root) for one in content.get("family", ())]
    family = Family(records[0], records[1:]) if records else None
    is_local = bool(content.get("local", False))
    return Unsent(path, content["experiment"], content.get("run"), family, is_local)


def _as_json(record: Record, root: Path) -> dict[str, Any]:
    paths = [path.resolve() for path in record.artifacts]
    inside = root.resolve()
    kept = [p.relative_to(inside) if p.is_relative_to(inside) else p for p in paths]
    return asdict(record) | {
        "artifacts": [str(path) for path in kept],
        "params": {key: str(value) for key, value in record.params.items()},
    }


def _record(content: dict[str, Any], root: Path) -> Record:
    data = None if content["data"] is None else Data(**content["data"])
    artifacts = [root / path for path in content["artifacts"]]
    metrics = [(name, value, step) for name, value, step in content["metrics"]]
    return Record(**content | {"artifacts": artifacts, "metrics": metrics, "data": data})
