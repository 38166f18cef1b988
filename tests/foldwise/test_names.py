"""Every public name is there, is the real thing, and costs nothing until it is used."""

import ast
import os
import subprocess
import sys
from pathlib import Path
from types import FunctionType, GenericAlias

import pytest

import foldwise
from foldwise.names import MODULES

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "pandas", "numpy", "sklearn", "pydantic", "lightgbm", "mlflow", "pipelines")
ALIASES = {
    "ForeignForm": "OtherForm",
    "Known": "TrainTestOverlap",
}


def python(code, folder=ROOT):
    words = [sys.executable, "-c", code]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("name", foldwise.__all__)
def test_every_name_resolves_to_what_its_module_defines(name):
    value = getattr(foldwise, name)
    assert name in dir(foldwise)
    is_alias = isinstance(value, GenericAlias)  # of a type, without a name of its own
    if isinstance(value, type | FunctionType) and not is_alias:
        assert value.__name__ == ALIASES.get(name, name)
        assert value.__module__ == MODULES[name].partition(":")[0], "name the module it is from"


def test_type_checkers_see_the_same_names_from_the_same_modules():
    tree = ast.parse((ROOT / "foldwise" / "__init__.py").read_text())
    (guarded,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.asname: node.module if alias.name == alias.asname else f"{node.module}:{alias.name}"
        for node in guarded.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == dict(MODULES)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'foldwise' has no attribute 'Competitor'"):
        _ = foldwise.Competitor
    with pytest.raises(ImportError, match="Competitor"):
        from foldwise import Competitor  # noqa: F401


def test_the_package_alone_imports_nothing_heavy():
    code = f"import sys, foldwise; print([name for name in {HEAVY} if name in sys.modules])"
    assert python(code) == "[]"


def test_a_name_imports_its_own_module_alone():
    heavy = ("torch", "lightgbm", "mlflow", "kaggle")
    names = "from foldwise import FoldPlan, Real"
    code = f"import sys; {names}; print([name for name in {heavy} if name in sys.modules])"
    assert python(code) == "[]"


def test_competition_files_import_their_names_from_here():
    """What they import from elsewhere are modules of their own: samples, conversions, features."""
    for path in (ROOT / "pipelines" / "competitions").glob("[a-z]*.py"):
        modules = {
            node.module
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ImportFrom)
        }
        ours = {name for name in modules if name and name.startswith(("pipelines", "models"))}
        allowed = {"pipelines.raw_files.samples", "pipelines.raw_files.conversions"}
        assert "foldwise" in modules
        assert ours <= allowed, path.name


def test_the_package_is_a_command(tmp_path):
    words = [sys.executable, "-m", "foldwise", "list"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "titanic" in done.stdout


def test_another_package_of_that_name_is_noticed(tmp_path):
    (tmp_path / "foldwise").mkdir()
    (tmp_path / "foldwise" / "__init__.py").touch()
    words = [sys.executable, "-m", "pipelines", "list"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert "the package 'foldwise' comes from" in done.stderr
