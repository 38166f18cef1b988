"""What blocks cost at home: `python -m benchmarks.blocks [NAME ...] [--quick]`.

Runs each competition on its sample, as it is and with every network's replicas in one pass, in
turns and in folders of their own, and compares the fastest of each in CPU time of the whole run.
`--quick` takes two folds and one seed, once. Prints a table and, at the full size, writes it to
`blocks.md` next to this file.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pipelines import competitions
from pipelines.members.member import members_of
from pipelines.members.network import NetworkMember

ROOT = Path(__file__).resolve().parents[1]
PAGE = Path(__file__).with_suffix(".md")
NAMES = ("titanic", "otto", "digit-recognizer", "rotten-tomatoes", "house-prices", "diabetes")
ALL = 1_000_000  # replicas in a block: more than there are


@dataclass(frozen=True)
class Run:
    """A run's CPU seconds, and a digest of its submission."""

    cpu_s: float
    submission: str


def run(name: str, settings: list[str]) -> Run:
    """The competition on its sample, in a new folder."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pipelines", "run", name, "--source", "sample"]
        done = subprocess.run(
            [*command, "--no-track", *settings],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise SystemExit(f"benchmarks.blocks: {name} failed: {done.stderr.strip()}")
        (csv,) = Path(folder).glob(f"runs/{name}/*/stages/submission/*.csv")
        digest = hashlib.sha256(csv.read_bytes()).hexdigest()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(used, digest)


def one_pass(name: str) -> list[str]:
    """Settings that keep every network's replicas in one block."""
    members = members_of(competitions.load_competition(name))
    networks = [member.name for member in members if isinstance(member, NetworkMember)]
    return [part for m in networks for part in ("--set", f"{m}.train.max_stack={ALL}")]


def row(name: str, further: list[str], repeats: int) -> str:
    """One competition: both ways in turns."""
    whole, blocks = [], []
    for _ in range(repeats):
        whole.append(run(name, [*further, *one_pass(name)]))
        blocks.append(run(name, further))
    one, many = (min(r.cpu_s for r in runs) for runs in (whole, blocks))
    same = {r.submission for r in whole} == {r.submission for r in blocks}
    return f"| {name} | {one:.1f} | {many:.1f} | {many / one:.3f} | {'yes' if same else 'no'} |"


def main() -> None:
    """Print each competition's row as it is there."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("names", nargs="*", default=NAMES)
    parser.add_argument("--quick", action="store_true", help="two folds, one seed, once")
    asked = parser.parse_args()
    further = ["--folds", "2", "--seeds", "1"] if asked.quick else []
    lines = [
        f"{os.cpu_count()} cores, {platform.machine()}. CPU seconds of whole runs on the offline "
        f"samples, {'once' if asked.quick else 'fastest of 2'}.",
        "",
        "| competition | one pass, s | blocks, s | ratio | same submission |",
        "|---|--:|--:|--:|---|",
    ]
    print("\n".join(lines), flush=True)
    for name in asked.names:
        lines.append(row(name, further, 1 if asked.quick else 2))
        print(lines[-1], flush=True)
    if not asked.quick:
        PAGE.write_text("\n".join(["# What blocks cost at home", "", *lines]) + "\n")


if __name__ == "__main__":
    main()
