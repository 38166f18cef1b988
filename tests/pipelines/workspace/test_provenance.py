import importlib.metadata
import subprocess

import pytest

from pipelines.workspace import provenance


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "somewhere_of_ours"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "one.py").write_text("A = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def test_code_digest_changes_with_any_file_of_a_package(package):
    before = provenance.code_digest([package.name])
    assert provenance.code_digest([package.name]) == before
    (package / "one.py").write_text("A = 2\n")
    assert provenance.code_digest([package.name]) != before


def test_code_digest_of_a_module_looks_at_no_other_module(package):
    before = provenance.code_digest([f"{package.name}.one"])
    (package / "two.py").write_text("B = 1\n")
    assert provenance.code_digest([f"{package.name}.one"]) == before


def test_code_digest_refuses_a_module_that_does_not_exist(package):
    with pytest.raises(ModuleNotFoundError, match="no source"):
        provenance.code_digest([f"{package.name}.three"])


def test_versions_are_those_installed():
    assert provenance.versions()["torch"] == importlib.metadata.version("torch")


def test_git_commit_is_the_checkouts_or_none():
    provenance.git_commit.cache_clear()
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True)
    commit = provenance.git_commit()
    assert commit is None if head.returncode else commit.startswith(head.stdout.strip())
