"""What the README says is done here: its commands, its code, its tree."""

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PACKAGES = ("pipelines", "features", "models", "submissions")
# A server that runs until Ctrl-C, this very suite, studies of minutes: their own tests run them.
SHOWN_ONLY = ("make mlflow", "make test", "make tune-titanic")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)


COMMANDS = [line for block in blocks("sh") for line in block.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """The checkout's files in a new folder, with this environment as its `.venv`."""
    folder = tmp_path_factory.mktemp("clone") / "foldwise"
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    venv = folder / ".venv"
    venv.mkdir()
    for part in Path(sys.prefix).iterdir():
        if part.name != "installed":
            (venv / part.name).symlink_to(part)
    (venv / "installed").touch()
    return folder


@pytest.fixture(scope="module")
def environment(clone):
    home = clone.parent / "home"
    home.mkdir()
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("KAGGLE", "MLFLOW", "MAKE"))}
    path = f"{clone / '.venv' / 'bin'}{os.pathsep}{kept['PATH']}"
    return kept | {"HOME": str(home), "PATH": path, "PYTHONPATH": str(clone)}


def test_the_two_commands_are_there():
    assert {"make titanic", "make test"} <= set(COMMANDS)


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_works(command, clone, environment):
    words = shlex.split(command)
    if command in SHOWN_ONLY:
        words.insert(1, "-n")
    done = subprocess.run(words, cwd=clone, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    if command == "make titanic":
        page = done.stdout
        assert "418 rows, checked" in page
        (csv,) = clone.glob("submissions/titanic/*.csv")
        assert len(csv.read_text().splitlines()) == 419
        (picture,) = clone.glob("runs/titanic/*/figures/learning_curves.png")
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert (clone / "mlflow.db").exists()


@pytest.mark.parametrize("code", blocks("python"), ids=lambda code: code.split("\n")[0])
def test_every_piece_of_code_runs(code, capsys):
    names = {"__name__": "readme"}
    exec(compile(code, "README.md", "exec"), names)
    if "fitted" in names:
        told = capsys.readouterr().out
        assert told.startswith("50 replicas, ")
        assert float(told.split()[-1]) > 0.8
    else:
        assert names["COMPETITION"].name == "shapes"


def test_every_picture_exists():
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", README)
    assert len(pictures) >= 2
    assert all((ROOT / picture).stat().st_size > 1000 for picture in pictures)


def test_the_tree_is_that_of_the_house():
    """`python docs/refresh.py --tree` puts it right."""
    spec = importlib.util.spec_from_file_location("refresh", ROOT / "docs" / "refresh.py")
    refresh = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(refresh)
    assert f"```\n{refresh.tree()}\n```" in README
    there = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    assert all(path.name == "__init__.py" or f" {path.name} " in README for path in there)


def test_make_alone_lists_the_targets():
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "make titanic" in done.stdout
    assert "make test" in done.stdout
