"""Mutated inputs: each ends with a CSV, or with a code of the table and a line."""

import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import harmed_archives
import harmed_files
import harmed_rows
import harmed_typing
from forks import Command, Ended, typed
from toy import NAME
from verdict import faults

MEMBERS = ("logistic", "trees", "mlp")


@dataclass(frozen=True)
class Case:
    """One mutated input.

    Attributes:
        kind: What was mutated.
        what: How, in a few words.
        words: What was typed.
    """

    kind: str
    what: str
    words: tuple[str, ...]


def without_figures() -> None:
    """Leave figures and report out of a run, which take most of its time."""
    from pipelines.runs import aftermath

    aftermath.complete = lambda pipeline, summary, narrator: summary


def case(rng: random.Random, folder: Path) -> Case:
    """Mutate one thing of the workspace; what was done, and what to type."""
    kinds: Sequence[Callable[[random.Random, Path], Case]] = (
        *(_rows, _rows, _rows, _archive, _competition, _competition, _settings, _settings),
        *(_options, _options, _workspace, _workspace, _workspace),
    )
    return rng.choice(kinds)(rng, folder)


def tried(rng: random.Random, template: Path, folder: Path) -> tuple[Case, Ended, list[str]]:
    """One case in a copy of the workspace: the case, how it ended, and what is wrong with that."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template, folder, symlinks=True)
    made = case(rng, folder)
    before = without_figures if rng.random() < 0.8 else None
    ended = typed(Command(made.words, folder, before), folder.with_name("log"))
    return made, ended, list(faults(ended, folder))


def _run(rng: random.Random, *more: str) -> tuple[str, ...]:
    members = rng.choice(MEMBERS) if rng.random() < 0.8 else "mlp,trees,logistic"
    source = () if "--source" in more else ("--source", "files")
    return ("run", NAME, "--no-track", "--members", members, *source, *more)


def _rows(rng: random.Random, folder: Path) -> Case:
    """One of Kaggle's three files."""
    path = folder / "files" / rng.choice(("train.csv", "train.csv", "test.csv", "sample.csv"))
    what = f"{path.name}: {harmed_rows.to_table(rng, path)}"
    words = [_run(rng)] * 4
    words.append(("new", "fresh", "--source", "files", "--metric", "accuracy"))
    words.append(("new", "fresh", "--source", "files"))
    words.append(("predict", NAME, "--csv", f"files/{path.name}", "--out", "made.csv"))
    words.append(("check", NAME, f"files/{path.name}", "--source", "files"))
    words.append(("tune", NAME, "--source", "files", "--member", "trees", "--trials", "1"))
    chosen = rng.choice(words)
    return Case(
        "rows", what, (*chosen, "--no-score", "--no-track") if chosen[0] == "tune" else chosen
    )


def _archive(rng: random.Random, folder: Path) -> Case:
    what = harmed_archives.to_archive(rng, folder / "files", folder / "toy.zip")
    words = [_run(rng, "--source", "toy.zip")] * 3 + [("new", "fresh", "--source", "toy.zip")]
    return Case("archive", what, rng.choice(words))


def _competition(rng: random.Random, folder: Path) -> Case:
    what = harmed_typing.to_code(rng, folder / "competitions" / f"{NAME}.py")
    words = [("run", NAME, "--no-track", "--source", "files")] * 4
    words += [("show", NAME), ("list",), ("predict", NAME, "--csv", "files/test.csv")]
    return Case("competition", what, rng.choice(words))


def _settings(rng: random.Random, folder: Path) -> Case:
    setting = harmed_typing.setting(rng, _shown(folder))
    words = [_run(rng, "--set", setting)] * 4 + [("show", NAME, "--set", setting)]
    return Case("setting", setting[:80], rng.choice(words))


def _shown(folder: Path) -> str:
    """What `foldwise show` prints."""
    ended = typed(Command(("show", NAME), folder), folder.with_name("log"))
    assert ended.code == 0, ended.err
    return ended.out


def _options(rng: random.Random, folder: Path) -> Case:
    words = harmed_typing.options(rng)
    return Case("option", " ".join(words)[:80], words)


def _workspace(rng: random.Random, folder: Path) -> Case:
    """A file that a command wrote."""
    path = harmed_files.chosen(rng, folder)
    what = f"{path.relative_to(folder)}: {harmed_files.to_file(rng, path)}"
    return Case("workspace", what, rng.choice(_commands(folder)))


def _commands(folder: Path) -> list[tuple[str, ...]]:
    """What is typed in a workspace with two runs and a study."""
    old, new = sorted(path.name for path in folder.glob(f"runs/{NAME}/2*"))
    run = ("run", NAME, "--source", "files", "--no-track")
    tune = ("tune", NAME, "--source", "files", "--member", "trees", "--trials", "3", "--no-score")
    return [
        *(("list",), ("runs",), ("runs", "--show", new), ("show", NAME), ("pick", NAME)),
        *(("submit", NAME, "--dry-run"), ("clean", "--dry-run"), ("clean", "--yes", "--keep", "1")),
        *(("report", new), ("report", NAME), ("compare", old, new), ("sync",)),
        ("predict", NAME, "--csv", "files/test.csv"),
        ("predict", NAME, "--run", old, "--csv", "files/test.csv", "--json"),
        *(run, (*run, "--members", "logistic"), (*run, "--run", new), (*run, "--tuned")),
        ("run", NAME, "--source", "files"),
        *(tune, (*tune, "--no-track")),
    ]
