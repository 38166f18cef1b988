"""A drafted file as a whole: it passes the checks of the project, and it runs."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines.drafting.draft import ColumnsDifferError, NothingToLearnError

ROOT = Path(__file__).parents[3]


def of_every_kind(files):
    """Numbers, few and many levels, dates, texts, names, flags, marks and odd names."""
    words = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta"]
    files.change(
        town=lambda n, rng: [f"town {x}" for x in rng.integers(0, 60, n)],
        day=lambda n, rng: [
            str(d)[:10] for d in rng.permutation(pd.date_range("2020-03-01", periods=n))
        ],
        said=lambda n, rng: [" ".join(rng.permutation(words)) for _ in range(n)],
        who=lambda n, rng: [f"Ann{x} Berry{x}" for x in rng.permutation(10**5)[:n]],
        is_new=lambda n, rng: rng.choice(["true", "false"], n),
        mark=lambda n, rng: rng.choice(["low", "high", "NA", ""], n),
        k=lambda n, _: [7] * n,
    )
    odd = {f'a "quoted" and rather long name of column number {n}': n for n in range(5)}
    return files.change(**{name: lambda n, rng: rng.normal(size=n).round(3) for name in odd})


def many_classes(files):
    files.target(np.digitize(files.train["y"], np.linspace(-1, 2, 8)), 0)
    return files


@pytest.fixture(params=["every kind", "plain", "classes"])
def passing(request, files, drafted):
    if request.param == "every kind":
        return drafted(of_every_kind(files))
    if request.param == "classes":
        return drafted(many_classes(files), metric="accuracy")
    return drafted(files, metric=None)


def test_the_file_passes_ruff(passing):
    typed = ["--config", str(ROOT / "pyproject.toml"), str(passing.path)]
    for command in (["check"], ["format", "--check"]):
        found = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *typed], capture_output=True, text=True
        )
        assert found.returncode == 0, found.stdout + passing.text


def test_the_file_passes_mypy(files, drafted):
    made = drafted(of_every_kind(files))
    typed = ["--config-file", str(ROOT / "pyproject.toml"), str(made.path)]
    command = [sys.executable, "-m", "mypy", *typed]
    found = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert found.returncode == 0, found.stdout


def test_a_column_in_quotes_and_line_breaks_stays_text(files, drafted):
    odd = 'a"""\\ \n__import__("os")'
    files.train[odd], files.test[odd] = 1.5, 2.5
    made = drafted(files)
    assert made.column(odd).kind == "float"


def test_the_last_line_is_the_command_that_runs_it(files, drafted):
    made = drafted(files)
    *_, last = made.printed.splitlines()
    assert last.split() == [
        *("next", "foldwise", "run", "made-up", "--source", str(made.path.parents[1] / "files"))
    ]


def test_files_without_a_usable_column_are_refused(files, drafted):
    files.train = files.train[["id", "y"]]
    files.test = files.test[["id"]]
    with pytest.raises(NothingToLearnError, match=r"train\.csv: found no column that both files"):
        drafted(files)


def test_a_column_of_the_test_file_alone_is_refused(files, drafted):
    files.train = files.train.rename(columns={"c": "kind"})
    with pytest.raises(ColumnsDifferError, match=r"test\.csv: found the column 'c'"):
        drafted(files)
