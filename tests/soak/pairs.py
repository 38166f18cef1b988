"""Two commands at the same moment in one workspace: both end well, and neither spoils the other."""

import itertools
import random
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import outcome
from forks import Command, Ended, Running, typed
from inputs import without_figures
from toy import NAME
from verdict import faults, left_over

SOURCE = ("--source", "files")
OTHER = ("--set", "mlp.train.lr=0.1")
RUN, RUN_OTHER = ("run", NAME, *SOURCE), ("run", NAME, *SOURCE, *OTHER)
TUNE = ("tune", NAME, *SOURCE, "--member", "trees", "--trials", "2")
PREDICT = ("predict", NAME, "--csv", "files/test.csv", "--out", "made.csv")
BLEND = ("blend", NAME)
NEW = ("new", "fresh", *SOURCE, "--metric", "accuracy", "--force")
# In a workspace without any run.
FRESH = (
    *((RUN, RUN), (RUN, RUN_OTHER), (RUN, TUNE), (TUNE, TUNE), (RUN, ("sync",)), (RUN, ("list",))),
    *((RUN, ("runs",)), (RUN, ("clean", "--yes")), (NEW, RUN), (NEW, NEW)),
)
# In one with a finished run and a study.
USED = (
    *((RUN_OTHER, ("clean", "--yes", "--keep", "1")), (RUN_OTHER, PREDICT), (RUN, RUN_OTHER)),
    *((RUN_OTHER, ("submit", NAME, "--dry-run")), (RUN_OTHER, ("report", NAME)), (RUN, RUN)),
    *((("report", NAME), ("report", NAME)), (PREDICT, PREDICT), (RUN_OTHER, ("pick", NAME))),
    *(
        (RUN_OTHER, ("runs",)),
        (TUNE, RUN_OTHER),
        (("clean", "--yes"), PREDICT),
        (RUN_OTHER, RUN_OTHER),
    ),
    *(
        (("clean", "--yes", "--keep", "1"), ("clean", "--yes", "--keep", "1")),
        (TUNE, ("show", NAME)),
    ),
    *((TUNE, TUNE), (("sync",), ("sync",)), (RUN_OTHER, ("sync",)), (BLEND, RUN_OTHER)),
    *((BLEND, BLEND), (("clean", "--yes", "--keep", "1"), ("report", NAME))),
)


@dataclass(frozen=True)
class Known:
    """What undisturbed runs are.

    Attributes:
        fresh: A workspace with the files alone.
        used: One with a finished run and a study.
        stages: By configuration, the content of each stage.
    """

    fresh: Path
    used: Path
    stages: dict[tuple[str, ...], dict[str, str]]


def known(fresh: Path, used: Path, folder: Path) -> Known:
    """Make both runs alone, and a blend of them."""
    stages = {}
    for words, template in ((RUN, fresh), (RUN_OTHER, fresh), (BLEND, used)):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(template, folder)
        before = set(outcome.runs(folder))
        ended = typed(
            Command((*words, "--no-track"), folder, without_figures), folder.with_name("log")
        )
        assert ended.code == 0, ended.err
        (run,) = set(outcome.runs(folder)) - before
        stages[words] = outcome.of(folder, run).stages
    return Known(fresh, used, stages)


def chosen(number: int) -> tuple[bool, tuple[str, ...], tuple[str, ...]]:
    """The pair of that number: whether the workspace has been used, and both commands."""
    every = [(False, *pair) for pair in FRESH] + [(True, *pair) for pair in USED]
    return next(itertools.islice(itertools.cycle(every), number, None))


def tried(
    rng: random.Random, number: int, known: Known, folder: Path
) -> tuple[str, tuple[Ended, Ended], list[str]]:
    """One pair: which, how both ended, and what is wrong."""
    is_used, first, second = chosen(number)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(known.used if is_used else known.fresh, folder)
    is_tracked = rng.random() < 0.3
    running = []
    pause_s = rng.choice((0.0, 0.0, rng.uniform(0, 0.05), rng.uniform(0, 1.0)))
    for n, words in enumerate((first, second)):
        quiet = () if is_tracked or words[0] not in ("run", "tune") else ("--no-track",)
        log = folder.with_name(f"log-{n}")
        running.append(Running(Command((*words, *quiet), folder, without_figures), log))
        time.sleep(0 if n else pause_s)
    ended = (running[0].wait(), running[1].wait())
    found = [
        f"{' '.join(e.words)}: {fault}" for e in ended for fault in _faults(e, folder, is_used)
    ]
    what = f"{' '.join(first)} & {' '.join(second)} {pause_s:.2f} s later, used: {is_used}"
    return what, ended, [*found, *_state(folder, known)]


def _faults(ended: Ended, folder: Path, is_used: bool) -> list[str]:
    found = [fault for fault in faults(ended, folder) if not fault.startswith("left over")]
    if ended.code and (
        ended.words[0] in ("run", "tune", "list", "runs", "sync", "clean", "new") or is_used
    ):
        found.append(f"exit code {ended.code}: {ended.err[-400:]}")
    return found


def _state(folder: Path, known: Known) -> list[str]:
    found = [f"left over: {path.relative_to(folder)}" for path in left_over(folder)]
    runs = outcome.runs(folder)
    for run in runs:
        try:
            made = outcome.of(folder, run).stages
        except (OSError, ValueError, KeyError) as error:
            found.append(f"{run.name} is not whole: {error}")
            continue
        if made not in known.stages.values():
            found.append(f"{run.name} holds stages of no configuration, or mixed ones")
    if len(runs) != len({run.name.rsplit("-", 1)[1] for run in runs}):
        found.append(f"two runs of one configuration: {[run.name for run in runs]}")
    if (folder / "submissions").is_dir():
        found += [] if _is_cleaned(folder) else outcome.ledger_faults(folder)
    return found


def _is_cleaned(folder: Path) -> bool:
    """Whether `clean` removed runs, whose lines stay in the ledger."""
    ledger = folder / "submissions" / "ledger.jsonl"
    return ledger.is_file() and len(ledger.read_text().splitlines()) > len(outcome.runs(folder))
