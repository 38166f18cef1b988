"""Groups of options: what Typer sees of them, and what the command gets."""

from dataclasses import dataclass
from typing import Annotated

import pytest
import typer

from pipelines.commands.app import COMMANDS
from pipelines.commands.options import Folds, Name, Settings, grouped


@dataclass(frozen=True)
class Pace:
    slow: Annotated[bool, typer.Option("--slow")] = False
    folds: Folds = 7


@pytest.fixture
def typed():
    """Types words after a command with two groups; gives what the command got."""
    got = []

    @grouped
    def walk(context: typer.Context, name: Name, pace: Pace, settings: Only) -> None:
        """Walk."""
        got.append((context.obj, name, pace, settings))

    def type_(*words):
        app = typer.Typer()
        app.command()(walk)
        app(list(words), standalone_mode=False, obj="patience")
        return got.pop()

    return type_


@dataclass(frozen=True)
class Only:
    members: str = "all"


def test_a_group_is_filled_from_its_options(typed):
    assert typed("titanic") == ("patience", "titanic", Pace(), Only())
    words = ("otto", "--slow", "--folds", "3", "--members", "a")
    assert typed(*words) == ("patience", "otto", Pace(slow=True, folds=3), Only("a"))


def test_an_option_of_a_group_is_checked(typed):
    with pytest.raises(typer.BadParameter, match="greater than or equal to 2"):
        typed("otto", "--folds", "1")


def test_settings_split_the_names_of_members():
    assert Settings(members=" mlp, trees ")._names() == ["mlp", "trees"]
    assert Settings()._names() == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does(name):
    assert (COMMANDS[name].__doc__ or "").splitlines()[0].endswith(".")
