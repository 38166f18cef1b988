"""Runs killed with SIGKILL at random moments, which end with the same bytes all the same."""

import itertools
import random
import shutil
from pathlib import Path

import outcome
from forks import Command, Running, typed
from inputs import without_figures
from toy import NAME
from verdict import faults

RUN = ("run", NAME, "--source", "files")
MOST_KILLS, MOST_TRIES = 3, 6


def keeping() -> None:
    """Keep how far a training is as often as can be, so that kills meet it."""
    from pipelines.workspace.kept_training import KeptTraining

    KeptTraining.share, KeptTraining.least_s = float("inf"), 0.0


def lean() -> None:
    """The same, without figures and report."""
    keeping()
    without_figures()


def tried(
    rng: random.Random,
    template: Path,
    folder: Path,
    alone: dict[bool, outcome.Outcome],
    seconds: dict[bool, float],
) -> tuple[str, int, list[str]]:
    """One run that is killed: when, how often, and what is wrong at its end."""
    _fresh(template, folder)
    is_lean = rng.random() < 0.75
    command = Command(
        (*RUN, "--no-track") if rng.random() < 0.9 else RUN, folder, lean if is_lean else keeping
    )
    wanted, moments = rng.randint(1, MOST_KILLS), []
    longest_s = seconds[is_lean]
    for attempt in itertools.count(1):
        moment_s = rng.uniform(0.02, longest_s)
        running = Running(command, folder.with_name("log"))
        if not running.has_ended(moment_s):
            running.kill()
        if running.wait().code < 0:
            moments.append(f"{moment_s:.2f} s")
        else:  # it was faster than that
            longest_s = max(0.1, longest_s * 0.6)
        if len(moments) == wanted or (moments and attempt >= MOST_TRIES):
            break
        if not moments:
            _fresh(template, folder)
    ended = typed(command, folder.with_name("log"))
    found = [*faults(ended, folder), *outcome.differences(folder, alone[is_lean])]
    if ended.code:
        found.append(f"exit code {ended.code}: {ended.err[-500:]}")
    what = f"killed {len(moments)} times, after {', '.join(moments)} of {seconds[is_lean]:.1f} s"
    return what, len(moments), found


def _fresh(template: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template, folder)
