"""The course's first steps: every script runs, reaches its result, and saves a figure."""

from __future__ import annotations

import runpy
import subprocess
from pathlib import Path

import pytest
import torch

EXAMPLES = Path(__file__).parents[1] / "examples"
SCRIPTS = sorted(path.stem for path in EXAMPLES.glob("[0-9]*.py"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("examples")


@pytest.fixture
def script(folder, monkeypatch):
    """Runs an example as a person does; gives the names that it leaves behind."""

    def run(name):
        monkeypatch.chdir(folder)
        monkeypatch.syspath_prepend(str(EXAMPLES))
        with torch.random.fork_rng():
            return runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")

    return run


FOUND = {
    "02_linear_model": lambda found: found["best"] == 2,
    "03_gradient_descent": lambda found: abs(found["prediction"] - 8) < 0.01,
    "03_stochastic_gradient_descent": lambda found: (
        abs(found["single"][-1] - 2) < 1e-6
        and 2 * found["epochs_needed"]["a row"] < found["epochs_needed"]["all rows"]
    ),
    "04_autograd": lambda found: (
        abs(found["prediction"] - 8) < 0.01 and (found["once"], found["twice"]) == (-18, -36)
    ),
    "05_linear_regression": lambda found: abs(found["prediction"] - 8) < 0.05,
    "05_optimisers": lambda found: (
        len(found["final"]) == 8
        and found["arrived"][0] == "LBFGS"
        and set(found["arrived"]) == {"LBFGS", "Rprop", "RMSprop", "SGD", "ASGD"}
        and all(curve[-1] < curve[0] / 5 for curve in found["losses"].values())
    ),
    "06_logistic_regression": lambda found: 2 < found["even"] < 3 and 0.8 < found["after_four"] < 1,
    "10_convolution": lambda found: (
        [shape[1:] for shape in found["shapes"]][1:5:3] == [(10, 24, 24), (20, 8, 8)]
        and found["shapes"][-2:] == [(64, 320), (64, 10)]
        and (tuple(found["padded"]), tuple(found["strided"])) == ((5, 5), (2, 2))
    ),
    "12_1_rnn_shapes": lambda found: (
        tuple(found["outputs"].shape) == (3, 1, 2)
        and tuple(found["by_row"].shape) == (1, 3, 2)
        and found["difference"] < 1e-6
    ),
    **dict.fromkeys(
        ("12_2_hello_rnncell", "12_3_hello_rnn", "12_4_hello_embedding"),
        lambda found: found["said"][-1] == "ohlol" and len(found["said"]) == 15,
    ),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_it_finds_what_it_says_and_saves_a_figure(name, script, folder, capsys):
    found = script(name)
    assert FOUND[name](found), capsys.readouterr().out
    picture = folder / "runs" / "examples" / f"{name}.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert f"figure: runs/examples/{name}.png" in capsys.readouterr().out


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_it_is_short(path):
    assert len(path.read_text().splitlines()) < 60


def test_make_examples_runs_all_of_them():
    words = ["make", "--no-print-directory", "-n", "examples"]
    done = subprocess.run(words, cwd=EXAMPLES.parent, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].endswith("python examples")
