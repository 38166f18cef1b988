"""The layout: what it must stay; `python tests/structure.py` prints the figures."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_spec = importlib.util.spec_from_file_location(
    "structure", Path(__file__).with_name("structure.py")
)
structure = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(structure)


def test_no_two_units_import_each_other_in_circles():
    assert structure.knots(structure.graph(ROOT)) == []


def test_no_function_takes_more_than_seven_parameters():
    assert structure.wide_functions(ROOT) == []


def test_kinds_of_members_are_distinguished_in_their_own_package_alone():
    assert structure.kind_checks(ROOT) == []


@pytest.mark.parametrize("name", ["dataset-", "train-"])
def test_names_of_stages_are_spelled_in_the_layout_alone(name):
    assert not [line for line in structure.stage_literals(ROOT) if f"'{name}" in line]


def test_a_package_says_what_lives_there_and_who_may_call_it():
    for path in structure.modules(ROOT).values():
        if path.name == "__init__.py":
            docstring = path.read_text().split('"""')[1].strip()
            assert len([line for line in docstring.splitlines() if line.strip()]) >= 2, path
