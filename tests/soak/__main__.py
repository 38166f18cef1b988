"""Everything by force: `python tests/soak --kills 200 --inputs 1000 --pairs 100 --full 50`.

Runs are killed, inputs mutated, commands typed side by side and disks filled, on a toy competition.
Every case has a number; `--seed S --only inputs:17` tries that one again and leaves its folder.
"""

import argparse
import collections
import json
import os
import random
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import forks
import full_disk
import full_study
import inputs
import killed
import outcome
import pairs
import toy

PAGE = Path(__file__).parents[2] / "docs" / "robustness.md"
BEGIN, END = "<!-- counts -->", "<!-- end of counts -->"
STUDIES = 0.3  # of the full disks
TIMES = ("never", "once", "twice", "three times")
NAMES = {
    "full": "a disk that is full at the k-th write",
    "inputs": "mutated inputs",
    "kills": "runs killed with SIGKILL",
    "pairs": "pairs of commands at the same moment",
}


@dataclass
class Tally:
    """How the cases of one part ended.

    Attributes:
        n_cases: How many were tried.
        ends: By end, how many.
        wrong: What was wrong, by the case's number.
        seconds: How long they took.
    """

    n_cases: int = 0
    ends: collections.Counter = field(default_factory=collections.Counter)
    wrong: dict[int, str] = field(default_factory=dict)
    seconds: float = 0.0

    def row(self, name: str) -> str:
        """A line of the table."""
        ends = ", ".join(f"{n} {end}" for end, n in sorted(self.ends.items()))
        return (
            f"| {NAMES[name]} | {self.n_cases} | {ends} | {len(self.wrong)} | {self.seconds:.0f} |"
        )


Try = Callable[[random.Random, int], tuple[str, list[str], list[str]]]  # what, its ends, faults


class Soak:
    """All parts, in one folder that holds what they need."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root, self.seed, self.case = root, seed, root / "case"
        self.fresh, self.used = root / "fresh", root / "used"

    def prepare(self) -> None:
        """Import everything, and make a fresh workspace."""
        shutil.rmtree(self.root, ignore_errors=True)
        forks.prepare(self.root / "home")
        toy.write(self.fresh)

    def _use(self) -> None:
        """Make a workspace with two runs and a study, unless it is there."""
        if self.used.is_dir():
            return
        shutil.copytree(self.fresh, self.used)
        run = ("run", toy.NAME, "--source", "files")
        other = (*run, "--set", "mlp.train.lr=0.1", "--no-track")
        tune = ("tune", *run[1:], "--trials", "2", "--member", "trees", "--no-track")
        for words in (run, other, tune):
            self._typed(forks.Command(words, self.used))

    def parts(self) -> dict[str, Callable[[], Try]]:
        """By name, what makes the part ready and gives how one case is tried."""
        return {
            "full": self._full,
            "inputs": self._inputs,
            "kills": self._kills,
            "pairs": self._pairs,
        }

    def run(self, name: str, numbers: Iterator[int]) -> Tally:
        """Try the cases of those numbers."""
        tally, start, attempt = Tally(), time.monotonic(), None
        for number in numbers:
            attempt = attempt or self.parts()[name]()
            what, ends, found = attempt(random.Random(f"{self.seed} {name} {number}"), number)
            tally.n_cases += 1
            tally.ends.update(ends)
            if found:
                tally.wrong[number] = f"{what}: {'; '.join(found)}"
                print(f"{name}:{number} {what}", *found, sep="\n    ", flush=True)
            if tally.n_cases % 50 == 0:
                seconds = time.monotonic() - start
                print(f"{name}: {tally.n_cases} in {seconds:.0f} s", flush=True)
        tally.seconds = time.monotonic() - start
        return tally

    def _typed(self, command: forks.Command) -> forks.Ended:
        ended = forks.typed(command, self.root / "log")
        assert ended.code == 0, (command.words, ended)
        return ended

    def _alone(self, *, is_lean: bool) -> tuple[outcome.Outcome, float]:
        """What an undisturbed run is, and how long it takes."""
        shutil.rmtree(self.case, ignore_errors=True)
        shutil.copytree(self.fresh, self.case)
        before = killed.lean if is_lean else killed.keeping
        ended = self._typed(forks.Command((*killed.RUN, "--no-track"), self.case, before))
        (run,) = outcome.runs(self.case)
        return outcome.of(self.case, run), ended.seconds

    def _full(self) -> Try:
        alone, n_writes = {}, {}
        for is_lean in (True, False):
            alone[is_lean], _ = self._alone(is_lean=is_lean)
            n_writes[is_lean] = full_disk.counted(self.fresh, self.case, is_lean=is_lean)
        studies = full_study.undisturbed(self.fresh, self.case)

        def attempt(rng: random.Random, number: int) -> tuple[str, list[str], list[str]]:
            del number
            if rng.random() < STUDIES:
                what, ended, found = full_study.tried(rng, self.fresh, self.case, studies)
            else:
                what, ended, found = full_disk.tried(rng, self.fresh, self.case, alone, n_writes)
            return what, [f"with exit code {ended.code}"], found

        return attempt

    def _inputs(self) -> Try:
        self._use()

        def attempt(rng: random.Random, number: int) -> tuple[str, list[str], list[str]]:
            del number
            made, ended, found = inputs.tried(rng, self.used, self.case)
            what = f"{made.kind}: {made.what}: foldwise {' '.join(made.words)}"
            return what[:400], [f"with exit code {ended.code}"], found

        return attempt

    def _kills(self) -> Try:
        both = {is_lean: self._alone(is_lean=is_lean) for is_lean in (True, False)}
        alone = {is_lean: made for is_lean, (made, _) in both.items()}
        seconds = {is_lean: taken for is_lean, (_, taken) in both.items()}

        def attempt(rng: random.Random, number: int) -> tuple[str, list[str], list[str]]:
            del number
            what, n_kills, found = killed.tried(rng, self.fresh, self.case, alone, seconds)
            return what, [f"killed {TIMES[n_kills]}"], found

        return attempt

    def _pairs(self) -> Try:
        self._use()
        known = pairs.known(self.fresh, self.used, self.case)

        def attempt(rng: random.Random, number: int) -> tuple[str, list[str], list[str]]:
            what, both, found = pairs.tried(rng, number, known, self.case)
            return what, [f"with exit code {ended.code}" for ended in both], found

        return attempt


def main() -> int:
    """Try everything that was asked for; 1 where something was wrong."""
    asked = _asked()
    soak = Soak(asked.root.resolve(), asked.seed)
    print(f"seed {asked.seed}, in {soak.root}", flush=True)
    soak.prepare()
    if asked.only:
        name, _, number = asked.only.partition(":")
        return bool(soak.run(name, iter([int(number)])).wrong)
    tallies = {name: soak.run(name, iter(range(getattr(asked, name)))) for name in NAMES}
    page = _page(tallies, asked.seed)
    print(page)
    (soak.root / "faults.json").write_text(
        json.dumps({name: tally.wrong for name, tally in tallies.items()}, indent=1) + "\n"
    )
    if asked.write:
        _write(page)
    return any(tally.wrong for tally in tallies.values())


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, usual in {"full": 50, "inputs": 1000, "kills": 200, "pairs": 100}.items():
        parser.add_argument(f"--{name}", type=int, default=usual, help=NAMES[name])
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--only", metavar="PART:NUMBER", help="one case again")
    parser.add_argument("--root", type=Path, default=Path("build/soak"), help="where to work")
    parser.add_argument("--write", action="store_true", help=f"write the counts into {PAGE.name}")
    return parser.parse_args()


def _page(tallies: dict[str, Tally], seed: int) -> str:
    """The counts as the documentation shows them."""
    lines = ("| tried | cases | ended | wrong | seconds |", "|---|---:|---|---:|---:|")
    rows = [tally.row(name) for name, tally in tallies.items()]
    made = f"Seed {seed}, {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} × {_processor()}."
    return "\n".join((*lines, *rows, "", made))


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "CPU")


def _write(counts: str) -> None:
    text = PAGE.read_text()
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{counts}\n{END}{after}")


if __name__ == "__main__":
    sys.exit(main())
