"""Tuned values: the best settings of a study, in a TOML file that the next run reads.

They override the defaults of the competition's file where they are better than these on the folds
of a run, by more than the noise, and where they were found on the same rows. `--set` overrides
them.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipelines.configuration.assignments import ConfigurationError, assign, settings_of
from pipelines.configuration.competition import Competition
from pipelines.workspace import files
from pipelines.workspace.layout import Workspace

FILE = "tuned.toml"


class TunedError(ValueError):
    """A tuned file that cannot be read, or no longer fits the competition's settings."""

    exit_code = 2


@dataclass(frozen=True)
class Tuned:
    """The best values of one member's study.

    Attributes:
        member: The member's name.
        path: The file.
        values: By dotted key of the member (`train.lr`).
        score: The best trial's, on the folds that it was tuned on, so it is optimistic.
        n_trials: The number of finished trials.
        data: The digest of the raw files that it was tuned on.
        source: Where those came from.
        gain: By how much the values are better than the defaults on the folds of a run; None where
            that was not measured.
        gain_error: The standard error of the gain; None where it is unknown.
        defaults: The values in the competition's file, by the same keys.
    """

    member: str
    path: Path
    values: Mapping[str, Any]
    score: float
    n_trials: int
    data: str
    source: str
    gain: float | None = None
    gain_error: float | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_better(self) -> bool:
        """Whether the gain is larger than its noise."""
        return self.gain is not None and self.gain > (self.gain_error or 0.0)

    def why_not(self, competition: str, data: str) -> str | None:
        """Why a run on these raw files does not use the values; None where it does.

        Args:
            competition: Its name.
            data: The digest of the run's raw files.
        """
        if self.data != data:
            return (
                f"they were found on other rows (source {self.source}); type foldwise tune "
                f"{competition} for these"
            )
        if self.is_better:
            return None
        if self.gain is None:
            return f"they were not scored on the folds of a run; type foldwise tune {competition}"
        error = "" if self.gain_error is None else f" ± {self.gain_error:.4f}"
        return f"on the folds of a run they are better by {self.gain:+.4f}{error}, within the noise"

    def summary(self) -> str:
        """The values on one line."""
        return ", ".join(f"{key} = {_short(value)}" for key, value in self.values.items())


def study_folder(root: Path, competition: str, member: str) -> Path:
    """The folder of a member's study, its figures and its tuned values."""
    return Workspace(root).study(competition, member)


def write(tuned: Tuned, *, competition: str, study: str) -> None:
    """Write the file, whole or not at all."""
    lines = [
        f"# The best of {tuned.n_trials} trials. The next `foldwise run {competition}` uses these",
        "# values; --no-tuned leaves them out. The score is optimistic: the trials were chosen on",
        "# the same folds.",
        "[study]",
        *_lines({"name": study, "score": tuned.score, "n_trials": tuned.n_trials}),
        *_lines({"source": tuned.source, "data": tuned.data}),
        *_lines({key: value for key, value in _gain(tuned) if value is not None}),
        "",
        "[values]",
        *_lines(tuned.values),
    ]
    files.write_text(tuned.path, "\n".join(lines) + "\n")


def _gain(tuned: Tuned) -> Iterator[tuple[str, float | None]]:
    yield from (("gain", tuned.gain), ("gain_error", tuned.gain_error))


def _lines(values: Mapping[str, Any]) -> Iterator[str]:
    # JSON's texts, numbers, truth values and lists are TOML's as well.
    return (f"{key} = {json.dumps(value)}" for key, value in values.items())


def read(path: Path, member: str) -> Tuned:
    """Read a file that `write` wrote.

    Raises:
        TunedError: The file is not valid TOML, or lacks one of the values.
    """
    try:
        content = tomllib.loads(path.read_text())
        study = content["study"]
        return Tuned(
            member=member,
            path=path,
            values={key: _finite_or_word(value) for key, value in _flat(content["values"])},
            score=_finite(study["score"]),
            n_trials=int(study["n_trials"]),
            data=str(study["data"]),
            source=str(study["source"]),
            gain=_number(study.get("gain")),
            gain_error=_number(study.get("gain_error")),
        )
    except (ValueError, TypeError, AttributeError, OSError, RecursionError) as error:
        raise TunedError(f"{path}: {_first_line(error)}; {_remedy(path)}") from error
    except KeyError as error:
        raise TunedError(f"{path}: has no {error.args[0]!r}; {_remedy(path)}") from error


def _finite(value: Any) -> float:
    if not math.isfinite(float(value)):
        raise ValueError(f"found {value}, expected a finite number")
    return float(value)


def _number(value: Any) -> float | None:
    return None if value is None else _finite(value)


def _finite_or_word(value: Any) -> Any:
    if isinstance(value, float):
        _finite(value)
    return value


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).split("\n")[0]


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The dotted keys again: TOML reads `train.lr = 1` as a table `train`."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def find(
    competition: Competition,
    root: Path,
    members: Sequence[str] = (),
    *,
    tell: Callable[[TunedError], None] | None = None,
) -> list[Tuned]:
    """The tuned values of the named members, or of all members if none is named.

    Args:
        competition: As its file has it.
        root: The workspace.
        members: Their names.
        tell: Called with the error of a file that cannot be read or does not fit, which is passed
            over; None to raise it.

    Raises:
        TunedError: A file cannot be read.
    """
    names = [m.name for m in competition.members if not members or m.name in members]
    paths = {name: study_folder(root, competition.name, name) / FILE for name in names}
    present, found = settings_of(competition), list[Tuned]()
    for name, path in paths.items():
        if not path.exists():
            continue
        try:
            one = read(path, name)
            if tell is not None:
                apply(competition, [one])
        except TunedError as error:
            if tell is None:
                raise
            tell(error)
            continue
        found.append(replace(one, defaults=_defaults(one, present)))
    return found


def _defaults(tuned: Tuned, present: Mapping[str, Any]) -> dict[str, Any]:
    """What the competition's file has in place of the tuned values."""
    keys = {key: f"{tuned.member}.{key}" for key in tuned.values}
    return {key: present[full] for key, full in keys.items() if full in present}


def withdrawn(competition: Competition, left_out: Iterable[Tuned]) -> Competition:
    """The competition with the defaults again where it has these tuned values."""
    for tuned in left_out:
        defaults = {f"{tuned.member}.{key}": tuned.defaults[key] for key in tuned.values}
        competition = assign(competition, defaults)
    return competition


def apply(competition: Competition, found: Iterable[Tuned]) -> Competition:
    """The competition with the tuned values assigned.

    Raises:
        TunedError: A key is not a setting, or a value does not fit its setting.
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
    """The tuned values that this configuration still has, after `--set` overrode some."""
    members = {member.name for member in competition.members}
    left = []
    for tuned in found:
        if tuned.member in members:
            values = {k: v for k, v in tuned.values.items() if _holds(competition, tuned, k)}
            left.append(replace(tuned, values=values))
    return [tuned for tuned in left if tuned.values]


def _holds(competition: Competition, tuned: Tuned, key: str) -> bool:
    """Whether the configuration has the tuned value; a setting may hold 1 as 1.0."""
    full = f"{tuned.member}.{key}"
    assigned = assign(competition, {full: tuned.values[key]})
    return bool(settings_of(assigned)[full] == settings_of(competition)[full])


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else json.dumps(value)
