"""The options that several commands share, each spelled once, and groups of them as dataclasses.

Typer wants one parameter for each option. A command takes a group as one parameter instead;
`grouped` shows Typer the group's fields and hands the command the filled group.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from pipelines.configuration.competition import Competition
    from pipelines.configuration.tuned_values import Tuned
    from pipelines.kaggle.retry import Patience


def known_name(name: str | None) -> str | None:
    """The competition's name, checked before anything heavy is imported.

    Raises:
        UnknownCompetitionError: There is no such competition.
    """
    from pipelines import competitions

    if name is not None:
        competitions.check_name(name)
    return name


def names_from(incomplete: str) -> list[str]:
    """The competitions whose names begin like that, for the shell."""
    from pipelines import competitions

    return [name for name in competitions.list_competitions() if name.startswith(incomplete)]


Name = Annotated[
    str,
    typer.Argument(
        metavar="COMPETITION",
        help="one of `foldwise list`",
        callback=known_name,
        autocompletion=names_from,
    ),
]
Run = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="a run's id, or a competition for its newest run",
        autocompletion=names_from,
    ),
]
Source = Annotated[
    str,
    typer.Option(
        metavar="auto|kaggle|sample|PATH",
        help="where the files come from; PATH is a folder or Kaggle's zip",
    ),
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="change a setting, e.g. train.lr=1e-3"),
]
Members = Annotated[
    str | None,
    typer.Option(
        "--members",
        "--member",
        metavar="A,B",
        help="only these members, separated by commas; +A,+B: these as well",
    ),
]
Folds = Annotated[int | None, typer.Option(metavar="K", min=2, help="number of folds")]
Seeds = Annotated[int | None, typer.Option(metavar="N", min=1, help="replicas per fold")]
UseTuned = Annotated[
    bool | None,
    typer.Option(
        "--tuned/--no-tuned",
        help="use the values that `foldwise tune` found; default: where they are better",
    ),
]
Device = Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="where networks are trained")]
On = Annotated[
    str | None,
    typer.Option(
        metavar="ray|ray:HOST:PORT", help="train on a Ray cluster, to the same bytes as here"
    ),
]
Track = Annotated[bool, typer.Option("--track/--no-track", help="log to MLflow")]
Refresh = Annotated[
    bool, typer.Option("--refresh", help="check with Kaggle whether its files have changed")
]
Json = Annotated[
    bool, typer.Option("--json", help="print one JSON object as the last line of output")
]


KEYWORD_ONLY = inspect.Parameter.KEYWORD_ONLY


def names_in(typed: str | None) -> list[str]:
    """The names of `--members a,b`; none where it was not typed."""
    return [name.strip() for name in (typed or "").split(",") if name.strip()]


@dataclass(frozen=True)
class Settings:
    """What changes a competition's settings for one command."""

    members: Members = None
    folds: Folds = None
    seeds: Seeds = None
    set_: Sets = None
    tuned: UseTuned = None

    def tuned_values(self, name: str) -> list[Tuned]:
        """The tuned values of the competition's chosen members; none with `--no-tuned`.

        A file that is damaged or fits no longer is a warning; with `--tuned` it is an error.
        """
        from pipelines import competitions
        from pipelines.configuration.tuned_values import find
        from pipelines.workspace.stored import pass_over

        if self.tuned is False:
            return []
        tell = None if self.tuned else pass_over
        return find(competitions.load_competition(name), Path(), self._names(), tell=tell)

    def apply(self, name: str, tuned: list[Tuned]) -> Competition:
        """The competition with the tuned values, and over them what was typed."""
        from pipelines import competitions
        from pipelines.configuration.assignments import configure
        from pipelines.configuration.tuned_values import apply

        return configure(
            apply(competitions.load_competition(name), tuned),
            members=self._names(),
            folds=self.folds,
            seeds=self.seeds,
            sets=self.set_ or [],
        )

    def typed(self) -> list[str]:
        """The keys of the settings that were typed, by which a plan is bound."""
        options = {"folds.n_folds": self.folds, "n_seeds": self.seeds}
        sets = [text.partition("=")[0].strip() for text in self.set_ or []]
        return [*(key for key, value in options.items() if value is not None), *sets]

    def _names(self) -> list[str]:
        return names_in(self.members)


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """The command as Typer sees it: each field of a dataclass parameter is an option.

    Args:
        command: A function some of whose parameters are frozen dataclasses like `Settings`, whose
            fields have defaults.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        if parameter.name in groups:
            parameters += _options(groups[parameter.name])
        else:
            hint = hints[parameter.name]
            parameters.append(parameter.replace(annotation=hint, kind=KEYWORD_ONLY))

    def typed(**values: Any) -> None:
        filled = {
            name: kind(**{field.name: values.pop(field.name) for field in fields(kind)})
            for name, kind in groups.items()
        }
        command(**values, **filled)

    typed.__name__, typed.__doc__ = command.__name__, command.__doc__
    typed.__annotations__ = {one.name: one.annotation for one in parameters}
    vars(typed)["__signature__"] = inspect.Signature(parameters)
    return typed


def _options(group: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    assert all(field.default is not MISSING for field in fields(group)), "an option has a default"
    return [
        inspect.Parameter(
            field.name, KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )
        for field in fields(group)
    ]


def patience(context: typer.Context) -> Patience:
    """How long to wait for Kaggle: what `main` was given, or the default."""
    from pipelines.kaggle.retry import Patience

    return context.obj or Patience()


def console(*, stderr: bool = False) -> Console:
    """The console of this process."""
    from pipelines.console import terminal

    return terminal(stderr=stderr)
