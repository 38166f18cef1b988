"""What a finished run is: its CSV, the content of its stages, its line in the ledger, its files."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from toy import NAME
from verdict import left_over

RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}(-\d+)?")
LOCKS = re.compile(r"(^|/)\.[^/]*lock$")  # empty files, which are held by a process or by nobody


@dataclass(frozen=True)
class Outcome:
    """A run, apart from its time.

    Attributes:
        csv: Its bytes.
        stages: By name, a sha256 over the stage's files: out-of-fold predictions and models too.
        files: Names of all files, without locks.
    """

    csv: bytes
    stages: dict[str, str]
    files: frozenset[str]


def runs(folder: Path) -> list[Path]:
    """The folders of the toy's runs."""
    return sorted(p for p in folder.glob(f"runs/{NAME}/2*") if p.is_dir())


def of(folder: Path, run: Path) -> Outcome:
    """What the run is."""
    manifests = sorted(run.glob("stages/*/manifest.json"))
    return Outcome(
        (folder / "submissions" / NAME / f"{run.name}.csv").read_bytes(),
        {path.parent.name: json.loads(path.read_text())["content"] for path in manifests},
        frozenset(_names(run)),
    )


def _names(run: Path) -> Iterator[str]:
    for path in run.rglob("*"):
        name = path.relative_to(run).as_posix()
        if not LOCKS.search(name):
            yield RUN_ID.sub("ID", name)


def differences(folder: Path, alone: Outcome) -> Iterator[str]:
    """How a workspace with one run differs from one whose run nobody disturbed."""
    found = runs(folder)
    if len(found) != 1:
        yield f"{len(found)} runs: {[run.name for run in found]}"
        return
    try:
        made = of(folder, found[0])
    except (OSError, ValueError, KeyError) as error:
        yield f"no whole run: {error}"
        return
    if made.csv != alone.csv:
        yield "another CSV"
    other = {n for n in made.stages | alone.stages if made.stages.get(n) != alone.stages.get(n)}
    if other:
        yield f"other bytes in {sorted(other)}"
    if made.files != alone.files:
        yield f"other files: {sorted(made.files ^ alone.files)[:5]}"
    yield from (f"left over: {path.relative_to(folder)}" for path in left_over(folder))
    yield from ledger_faults(folder)


def ledger_faults(folder: Path) -> Iterator[str]:
    """Whether each finished run has one line in the ledger, and nothing else is there."""
    lines = (folder / "submissions" / "ledger.jsonl").read_text().splitlines()
    noted = [json.loads(line)["run"] for line in lines]
    finished = [run.name for run in runs(folder) if (run / "summary.json").is_file()]
    if sorted(noted) != sorted(finished):
        yield f"the ledger has {noted}, the finished runs are {finished}"
