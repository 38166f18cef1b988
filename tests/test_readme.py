"""Commands and code of README and docs run, pictures exist, and CONTRIBUTING's layout is exact."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from models.data import InputShape

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
PAGES = {"README.md": README} | {
    f"docs/{path.name}": path.read_text() for path in sorted((ROOT / "docs").glob("*.md"))
}
PACKAGES = ("foldwise", "pipelines", "features", "models", "submissions")
# A server that runs until Ctrl-C, this very suite, studies of minutes: their own tests run them.
SHOWN_ONLY = ("make mlflow", "make test", "make tune-titanic")


def blocks(language):
    """The blocks of code of all pages."""
    text = "\n".join(PAGES.values())
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


COMMANDS = list(
    dict.fromkeys(line for block in blocks("sh") for line in block.splitlines() if line.strip())
)
TYPED = [line.removeprefix("$ ") for block in blocks("console") for line in block.splitlines()]


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A new folder with the files that git lists, and this environment as its `.venv`.

    What a run leaves in a checkout (`submissions/`, `studies/`, `mlflow.db`) is not among them.
    """
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


@pytest.mark.parametrize("command", [*COMMANDS, *TYPED])
def test_zsh_reads_every_command_as_sh_does(command):
    """An unquoted `[32,16]` is a pattern there, and a pattern without matches is an error."""
    zsh = shutil.which("zsh")
    if zsh is None:
        pytest.skip("no zsh here: apt-get install zsh")
    words = [zsh, "-fc", f"print -rN -- {command}"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.removesuffix("\0").split("\0") == shlex.split(command)


@pytest.mark.parametrize("code", blocks("python"), ids=lambda code: code.split("\n")[0])
def test_every_piece_of_code_runs(code, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "a_page"}
    exec(compile(code, "a page", "exec"), names)
    if "fitted" in names:
        printed = capsys.readouterr().out
        assert printed.startswith("50 replicas, ")
        assert float(printed.split()[-1]) > 0.8
    elif "made" in names:
        assert names["made"].score > 0.9
    elif "result" in names:
        assert names["result"].submission.exists()
    elif "data" in names:
        assert len(names["data"].train) == 891
    elif "METRIC" in names:
        assert names["METRIC"](np.zeros(20), np.arange(20.0)) == 18.5
    elif "MEMBER" in names:
        network = names["MEMBER"].model.build(InputShape(n_num=2), 3)
        assert network(torch.zeros(5, 2)).shape == (5, 3)
    else:
        assert names["COMPETITION"].name in ("shapes", "flats", "churn")


def test_the_readme_is_read_in_one_go():
    assert len(README.splitlines()) <= 180


def test_every_picture_exists():
    for page, text in PAGES.items():
        pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", text)
        assert len(pictures) >= 2 or page != "README.md"
        folder = (ROOT / page).parent
        assert all((folder / picture).stat().st_size > 1000 for picture in pictures)


def test_every_link_leads_to_a_file():
    for page in (README, CONTRIBUTING, (ROOT / "CHANGELOG.md").read_text()):
        links = re.findall(r"\]\(([^):]+)\)", page)
        assert all((ROOT / link).is_file() for link in links), links


def test_the_layout_is_that_of_the_folders():
    """`python docs/refresh.py --tree` writes it again."""
    spec = importlib.util.spec_from_file_location("refresh", ROOT / "docs" / "refresh.py")
    refresh = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(refresh)
    lines = refresh.tree().splitlines()
    assert f"```\n{refresh.tree()}\n```" in CONTRIBUTING
    folders = {path.parent for name in PACKAGES for path in (ROOT / name).rglob("*.py")}
    assert {line.split()[0] for line in lines} == {
        f"{folder.relative_to(ROOT).as_posix()}/" for folder in folders
    }
    silent = [line for line in lines if len(line.split()) < 4]
    assert not silent, "the docstring of its __init__.py says what lives there"


def test_make_alone_lists_the_targets():
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "make titanic" in done.stdout
    assert "make test" in done.stdout
