"""What of a competition's file, and through it of the project, belongs to a stage."""

import functools
import importlib
import sys
import textwrap

import pytest

from pipelines.workspace import import_closure
from pipelines.workspace.competition_code import code_of

COMPETITION = """
    from __future__ import annotations

    from types import SimpleNamespace

    import foldwise
    import numpy as np
    from features.encoders.base import EncoderChain
    from features.encoders.counts import LogCounts
    from features.encoders.text import TextEncoder
    from foldwise import TabularEncoder
    from models.architectures.mlp import MLPSettings

    import helpers_beside
    from helpers_beside import tokens

    NUMBERS = ("a", "b")

    def tabular():
        return EncoderChain([made(NUMBERS)])

    def made(numbers):
        return TabularEncoder(numbers, ())

    def text():
        return TextEncoder(tokens)

    def within():
        from features.encoders.bins import BinPlaces
        return BinPlaces()

    def lazy():
        return foldwise.ImageEncoder(NUMBERS)

    def beside():
        return helpers_beside.neighbours()

    def enclosing(kind):
        def make():
            return kind()
        return make

    LAMBDA = lambda: LogCounts(NUMBERS)

    class Scaled:
        def fit(self, table, target):
            return np.log1p(table)

        def transform(self, table):
            return tokens(table)

    class Settings(MLPSettings):
        pass
"""
BESIDE = """
    from features.encoders.neighbours import ClassNeighbours
    from features.phrase_nesting import nest
    import further_beside

    def tokens(table):
        return nest(table)

    def neighbours():
        return ClassNeighbours()
"""


@pytest.fixture
def competition(tmp_path, monkeypatch):
    files = {
        "competition_of_mine": COMPETITION,
        "helpers_beside": BESIDE,
        "further_beside": "A = 1\n",
        "not_imported": "A = 1\n",
    }
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
    monkeypatch.syspath_prepend(tmp_path)
    import_closure.forget()
    module = importlib.import_module("competition_of_mine")
    yield module
    for name in files:
        monkeypatch.delitem(sys.modules, name, raising=False)
    import_closure.forget()


ENCODERS = "features.encoders"


@pytest.mark.parametrize(
    ("name", "modules"),
    [
        ("tabular", {f"{ENCODERS}.base", f"{ENCODERS}.tabular"}),
        ("text", {f"{ENCODERS}.text", "features.phrase_nesting"}),
        ("within", {f"{ENCODERS}.bins"}),
        ("lazy", {f"{ENCODERS}.images"}),
        ("beside", {f"{ENCODERS}.neighbours"}),
        ("LAMBDA", {f"{ENCODERS}.counts"}),
        ("Scaled", {"features.phrase_nesting"}),
        ("Settings", {"models.architectures.base", "models.architectures.mlp"}),
    ],
)
def test_of_the_project_only_what_the_function_uses_counts(competition, name, modules):
    assert code_of([getattr(competition, name)]).modules == modules


def test_what_a_partial_and_a_closure_hold_counts(competition):
    partial = functools.partial(competition.made, numbers=competition.Scaled())
    expected = {f"{ENCODERS}.tabular", "features.phrase_nesting"}
    assert code_of([partial]).modules == expected
    from features.encoders.counts import LogCounts

    assert code_of([competition.enclosing(LogCounts)]).modules == {f"{ENCODERS}.counts"}


def test_objects_count_with_what_they_hold(competition):
    from features.encoders.base import EncoderChain
    from features.encoders.counts import LogCounts

    found = code_of([{"made": [EncoderChain([LogCounts(["a"])]), 1, "text", None]}])
    assert found.modules == {f"{ENCODERS}.base", f"{ENCODERS}.counts"}
    assert not found.files


def test_the_file_counts_whole_with_those_it_imports_beside_it(competition):
    files = code_of([competition.LAMBDA]).files
    assert set(files) == {"competition_of_mine", "helpers_beside", "further_beside"}


def test_a_shipped_competition_is_a_file_of_its_own():
    from pipelines.competitions.titanic import COMPETITION

    found = code_of([COMPETITION.features])
    assert set(found.files) == {"pipelines.competitions.titanic"}
    assert not found.modules
