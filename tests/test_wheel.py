"""From the wheel alone: the package installed without its checkout runs in an empty folder."""

import importlib.util
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pipelines.notebooks.wheel import write_wheel

ROOT = Path(__file__).parents[1]
PACKAGES = {"foldwise", "pipelines", "features", "models", "submissions"}
_spec = importlib.util.spec_from_file_location(
    "environments", Path(__file__).with_name("environments.py")
)
environments = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(environments)


def names_in(wheel):
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        return set(archive.namelist())


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The wheel that setuptools builds of the files that git lists."""
    folder = tmp_path_factory.mktemp("built")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        if Path(name).parts[0] in PACKAGES or name in ("pyproject.toml", "README.md", "LICENSE"):
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / "source" / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--wheel-dir", str(folder), str(folder / "source")]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = folder.glob("foldwise-*.whl")
    return wheel


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """An environment with the libraries and that wheel; its folder of programs."""
    folder = tmp_path_factory.mktemp("installed") / "env"
    python = environments.sealed(folder, set())
    command = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*command, str(built)], check=True, capture_output=True)
    return python.parent


def typed(programs, *words, folder):
    environment = environments.environment_of(folder)
    command = [str(programs / words[0]), *words[1:]]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_wheel_holds_all_packages_and_nothing_else(built):
    names = names_in(built)
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == PACKAGES
    assert {"foldwise/py.typed", "pipelines/report/report.html"} <= names


@pytest.mark.slow
def test_a_notebook_s_wheel_holds_what_the_built_one_holds(built, tmp_path):
    ours = names_in(write_wheel(tmp_path))
    packed, expected = (
        {name for name in names if ".dist-info/" not in name} for names in (ours, names_in(built))
    )
    assert packed == expected


def test_the_same_files_give_the_same_wheel(tmp_path):
    first = write_wheel(tmp_path).read_bytes()
    assert write_wheel(tmp_path).read_bytes() == first


@pytest.mark.slow
def test_the_installed_package_lists_runs_and_is_imported(installed, tmp_path):
    assert "titanic" in typed(installed, "foldwise", "list", folder=tmp_path)
    code = "import foldwise, pipelines; print(foldwise.Competition.__name__, pipelines.__file__)"
    name, place = typed(installed, "python", "-c", code, folder=tmp_path).split()
    assert name == "Competition"
    assert Path(place).is_relative_to(installed.parent)
    words = ("run", "titanic", "--source", "sample", "--members", "logistic", "--no-track")
    typed(installed, "foldwise", *words, folder=tmp_path)
    (csv,) = tmp_path.glob("submissions/titanic/*.csv")
    assert len(csv.read_text().splitlines()) == 419
