"""What an MLflow store has missed, kept in `runs/unsent/` until `foldwise sync` sends it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, model_validator

from pipelines.tracking.record import Data, Family, Record, Row, Status
from pipelines.workspace import files, stored
from pipelines.workspace.layout import Workspace

SEND_AGAIN = "remove it and type foldwise sync --all, which sends every finished run"


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
    """What is waiting to be sent, oldest first; a damaged file is reported and passed over."""
    return list(_waiting(root))


def _waiting(root: Path) -> Iterator[Unsent]:
    found = sorted(Workspace(root).unsent.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    for path in found:
        try:
            yield _read(path, root)
        except stored.DamagedFileError as error:
            stored.pass_over(error)


def forget_run(root: Path, competition: str, run: str) -> None:
    """Remove a run that was sent."""
    (Workspace(root).unsent / f"{competition}-{run}.json").unlink(missing_ok=True)


def _write(root: Path, name: str, content: dict[str, Any]) -> None:
    folder = Workspace(root).unsent
    folder.mkdir(parents=True, exist_ok=True)
    files.write_text(folder / f"{name}.json", json.dumps(content) + "\n")


class _KeptRecord(BaseModel):
    """A record as the file holds it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    tags: dict[str, Any]
    params: dict[str, str]
    metrics: list[Row]
    artifacts: list[str]
    data: Data | None
    model: None
    key: str
    start_ms: int
    end_ms: int | None
    status: Status

    def record(self, root: Path) -> Record:
        """The record that was kept; paths of the workspace are under `root`."""
        content = {name: getattr(self, name) for name in type(self).model_fields}
        return Record(**content | {"artifacts": [root / path for path in self.artifacts]})


class _Kept(BaseModel):
    """What a file holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    experiment: str
    run: str | None = None
    family: list[_KeptRecord] = []
    local: bool = False

    @model_validator(mode="after")
    def _holds_something(self) -> Self:
        if self.run is None and not self.family:
            raise ValueError("neither a run nor records")
        return self


def _read(path: Path, root: Path) -> Unsent:
    kept = stored.read(_Kept, path, SEND_AGAIN)
    records = [one.record(root) for one in kept.family]
    family = Family(records[0], records[1:]) if records else None
    return Unsent(path, kept.experiment, kept.run, family, kept.local)


def _as_json(record: Record, root: Path) -> dict[str, Any]:
    paths = [path.resolve() for path in record.artifacts]
    inside = root.resolve()
    kept = [p.relative_to(inside) if p.is_relative_to(inside) else p for p in paths]
    return asdict(record) | {
        "artifacts": [str(path) for path in kept],
        "params": {key: str(value) for key, value in record.params.items()},
    }
