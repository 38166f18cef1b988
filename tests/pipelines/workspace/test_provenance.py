from __future__ import annotations

import importlib.metadata
import importlib.util
import subprocess
import sys

import pytest

from pipelines.workspace import competition_code, import_closure, provenance


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "somewhere_of_ours"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "one.py").write_text("from somewhere_of_ours import two\n")
    (folder / "two.py").write_text("B = 1\n")
    (folder / "three.py").write_text("C = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(import_closure, "PROJECT", (folder.name,))
    monkeypatch.setattr(competition_code, "PROJECT", (folder.name,))
    import_closure.forget()
    yield folder
    import_closure.forget()


@pytest.mark.parametrize(("edited", "is_same"), [("one", False), ("two", False), ("three", True)])
def test_code_digest_changes_with_what_a_module_imports(package, edited, is_same):
    before = provenance.code_digest([f"{package.name}.one"])
    path = package / f"{edited}.py"
    path.write_text(f"{path.read_text()}EDITED = 1\n")
    import_closure.forget()
    assert (provenance.code_digest([f"{package.name}.one"]) == before) is is_same


def test_code_digest_counts_what_is_brought(package):
    before = provenance.code_digest([f"{package.name}.three"])
    module = importlib.import_module(f"{package.name}.one")
    made = type("Made", (), {"__module__": module.__name__})
    assert provenance.code_digest([f"{package.name}.three"], [made]) != before


def test_a_competitions_file_counts_the_same_whatever_name_it_was_loaded_by(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("def features(table):\n    return table\n")

    def loaded_as(name):
        spec = importlib.util.spec_from_file_location(name, path)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
        return provenance.code_digest([], [sys.modules.pop(name).features])

    assert loaded_as("mine_one") == loaded_as("folder.mine_two")


def test_code_digest_refuses_a_module_that_does_not_exist(package):
    with pytest.raises(ModuleNotFoundError, match="no source"):
        provenance.code_digest([f"{package.name}.four"])


def test_versions_are_those_installed():
    assert provenance.versions()["torch"] == importlib.metadata.version("torch")


def test_git_commit_is_the_checkouts_or_none():
    provenance.git_commit.cache_clear()
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True)
    commit = provenance.git_commit()
    assert commit is None if head.returncode else commit.startswith(head.stdout.strip())
