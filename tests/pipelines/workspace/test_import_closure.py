"""What counts as an import, on a small project of three packages."""

import sys
import textwrap
import types

import pytest

from pipelines.workspace import import_closure
from pipelines.workspace.import_closure import closure, find_source

PROJECT = ("ours", "other")
FILES = {
    "ours/__init__.py": '"""Only a docstring."""\n\nfrom __future__ import annotations\n',
    "ours/start.py": """
        from typing import TYPE_CHECKING
        import json
        import ours.plain
        from ours.several import one
        from ours.rich import VALUE
        from . import near
        from ..nowhere import nothing

        if TYPE_CHECKING:
            from ours import typed
        else:
            from ours import untyped

        def later():
            from other.deep.within import thing
        """,
    "ours/plain.py": "import ours.next\n",
    "ours/next.py": "import ours.start  # a circle\n",
    "ours/several.py": "one = 1\n",
    "ours/rich/__init__.py": "from ours.rich.part import VALUE\n",
    "ours/rich/part.py": "VALUE = 1\n",
    "ours/rich/unused.py": "",
    "ours/near.py": "NEAR = 1\n",
    "ours/typed.py": "TYPED = 1\n",
    "ours/untyped.py": "UNTYPED = 1\n",
    "ours/unused.py": "UNUSED = 1\n",
    "other/__init__.py": "STATE = {}\n",
    "other/deep/__init__.py": "",
    "other/deep/within.py": "thing = 1\n",
}
EXPECTED = {
    "ours.start",
    *("ours.plain", "ours.next", "ours.several", "ours.near", "ours.untyped"),
    *("ours.rich", "ours.rich.part"),
    *("other", "other.deep.within"),
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    monkeypatch.syspath_prepend(tmp_path)
    import_closure.forget()
    yield tmp_path
    import_closure.forget()


def test_the_closure_holds_every_module_that_is_imported_and_no_other(project):
    assert closure("ours.start", PROJECT) == EXPECTED


def test_a_bare_module_counts_as_a_root_and_not_as_an_import(project):
    (project / "ours" / "several.py").write_text('"""Nothing."""\n')
    assert "ours.several" not in closure("ours.start", PROJECT)
    assert closure("ours.several", PROJECT) == {"ours.several"}


def test_packages_outside_the_project_are_not_followed(project):
    assert closure("ours.start", ("ours",)) == {n for n in EXPECTED if n.startswith("ours")}


def test_nothing_is_imported_to_look_at_it(project):
    (project / "ours" / "plain.py").write_text("raise RuntimeError\n")
    (project / "other" / "__init__.py").write_text("raise RuntimeError\n")
    assert "ours.plain" in closure("ours.start", PROJECT)


def test_a_root_without_a_source_is_refused(project):
    with pytest.raises(ModuleNotFoundError, match="no source"):
        closure("ours.missing", PROJECT)


def test_a_process_keeps_what_it_first_saw(project):
    before = import_closure.source_of("ours.plain").text
    (project / "ours" / "plain.py").write_text("EDITED = 1\n")
    assert import_closure.source_of("ours.plain").text == before
    import_closure.forget()
    assert import_closure.source_of("ours.plain").text == b"EDITED = 1\n"


def test_a_loaded_module_without_a_spec_has_no_source(monkeypatch):
    bare = types.ModuleType("_cython_types_of_a_library")
    monkeypatch.setitem(sys.modules, bare.__name__, bare)
    assert find_source.__wrapped__(bare.__name__) is None
