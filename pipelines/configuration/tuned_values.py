"""Tuned values: what a study found best, in a TOML file that the next run reads.

They stand between the competition's file and `--set`: the file's defaults give way to them, and
they give way to what a person types.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipelines.configuration.assignments import ConfigurationError, assign, settings_of
from pipelines.configuration.competition import Competition

FILE = "tuned.toml"


class TunedError(ValueError):
    """A tuned file that cannot be read, or that no longer fits the competition's settings."""

    exit_code = 2


@dataclass(frozen=True)
class Tuned:
    """The best values of one member's study.

    Attributes:
        path: the file.
        values: by dotted key of the member (`train.lr`).
        score: the best trial's, on the folds that it was tuned on; not an honest score.
        n_trials: how many were tried.
        data: digest of the raw files that it was tuned on.
        source: where those came from.
    """

    member: str
    path: Path
    values: Mapping[str, Any]
    score: float
    n_trials: int
    data: str
    source: str

    def told(self) -> str:
        """The values in a few words."""
        return ", ".join(f"{key} = {_short(value)}" for key, value in self.values.items())


def study_folder(root: Path, competition: str, member: str) -> Path:
    """Where a member's study, its figures and its tuned values lie."""
    return root / "studies" / competition / member


def write(tuned: Tuned, *, competition: str, study: str) -> None:
    """Write the file whole or not at all."""
    lines = [
        f"# The best of {tuned.n_trials} trials. The next `foldwise run {competition}` uses these",
        "# values; with --no-tuned it leaves them out. The score is that of the folds that were",
        "# tuned on, so it flatters.",
        "[study]",
        *_lines({"name": study, "score": tuned.score, "n_trials": tuned.n_trials}),
        *_lines({"source": tuned.source, "data": tuned.data}),
        "",
        "[values]",
        *_lines(tuned.values),
    ]
    temporary = tuned.path.with_name(f".{tuned.path.name}.writing")
    temporary.write_text("\n".join(lines) + "\n")
    temporary.replace(tuned.path)


def _lines(values: Mapping[str, Any]) -> Iterator[str]:
    # JSON's texts, numbers, truth values and lists are TOML's as well.
    return (f"{key} = {json.dumps(value)}" for key, value in values.items())


def read(path: Path, member: str) -> Tuned:
    """Read what `write` wrote.

    Raises:
        TunedError: it is no such file.
    """
    try:
        told = tomllib.loads(path.read_text())
        study = told["study"]
        return Tuned(
            member=member,
            path=path,
            values=dict(_flat(told["values"])),
            score=float(study["score"]),
            n_trials=int(study["n_trials"]),
            data=str(study["data"]),
            source=str(study["source"]),
        )
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError) as error:
        raise TunedError(f"{path}: {error}; {_remedy(path)}") from error
    except KeyError as error:
        raise TunedError(f"{path}: has no {error.args[0]!r}; {_remedy(path)}") from error


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """TOML reads `train.lr = 1` as a table `train`; this gives the dotted keys again."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def find(competition: Competition, root: Path, members: Sequence[str] = ()) -> list[Tuned]:
    """The tuned files of the named members, of all of them if none is named."""
    names = [m.name for m in competition.members if not members or m.name in members]
    paths = {name: study_folder(root, competition.name, name) / FILE for name in names}
    return [read(path, name) for name, path in paths.items() if path.is_file()]


def apply(competition: Competition, found: Iterable[Tuned]) -> Competition:
    """The competition with the tuned values in the place of its file's.

    Raises:
        TunedError: a key that is no setting, or a value that its setting cannot hold.
    """
    for tuned in found:
        values = {f"{tuned.member}.{key}": value for key, value in tuned.values.items()}
        try:
            competition = assign(competition, values)
        except ConfigurationError as error:
            raise TunedError(f"{tuned.path}: {error}; {_remedy(tuned.path)}") from error
    return competition


def _remedy(path: Path) -> str:
    return f"correct it, remove it (rm {path}), or type --no-tuned to leave it out"


def still_used(competition: Competition, found: Iterable[Tuned]) -> list[Tuned]:
    """What is left of the tuned values in this configuration, where `--set` overrides some."""
    members = {member.name for member in competition.members}
    left = []
    for tuned in found:
        if tuned.member in members:
            values = {k: v for k, v in tuned.values.items() if _holds(competition, tuned, k)}
            left.append(replace(tuned, values=values))
    return [tuned for tuned in left if tuned.values]


def _holds(competition: Competition, tuned: Tuned, key: str) -> bool:
    """Whether the configuration has that tuned value; a setting may hold 1 as 1.0."""
    full = f"{tuned.member}.{key}"
    assigned = assign(competition, {full: tuned.values[key]})
    return bool(settings_of(assigned)[full] == settings_of(competition)[full])


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else json.dumps(value)
