"""Resolves a competition's settings: its file's defaults, then assignments by dotted key.

A key names one setting (`folds.n_folds`, `mlp.train.lr`) or that of every member that has it
(`train.lr`, or `lr` alone). Tuned values and `--set` are both such assignments.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from pipelines.configuration.competition import Competition
from pipelines.configuration.encoders import with_read_blocks
from pipelines.configuration.member_settings import MemberSettings

Model = TypeVar("Model", bound=BaseModel)
Assignments = Mapping[str, Any]
SECTIONS = ("folds", "blend")
LIST = re.compile(r"[^,\[{\"]+(,[^,\[{\"]+)+")  # values without brackets and quotes
MOST_NAMES = 12  # that a message lists


class ConfigurationError(ValueError):
    """Settings that do not exist or cannot hold their values; all of them in one message."""

    exit_code = 2


def parse_assignments(texts: Sequence[str]) -> dict[str, Any]:
    """Parse `key=value` texts; a value that is not valid JSON is taken as text.

    `32,16` is the list `[32, 16]`, which shells want in quotes.

    Raises:
        ConfigurationError: A text has no `=`.
    """
    faults = [text for text in texts if "=" not in text]
    if faults:
        raise ConfigurationError(
            f"--set takes key=value, found {', '.join(map(repr, faults))}; "
            "type for example --set train.lr=1e-3"
        )
    pairs = (text.split("=", 1) for text in texts)
    return {key.strip(): _value(value.strip()) for key, value in pairs}


def _value(text: str) -> Any:
    try:
        return json.loads(f"[{text}]" if LIST.fullmatch(text) else text)
    except json.JSONDecodeError:
        return text


def configure(
    competition: Competition,
    *,
    members: Sequence[str] = (),
    folds: int | None = None,
    seeds: int | None = None,
    sets: Sequence[str] = (),
) -> Competition:
    """The competition with a command line's options applied.

    Args:
        competition: With the defaults of its file, or with tuned values.
        members: Names of the members to keep; all if empty.
        folds: The number of folds.
        seeds: The number of replicas per fold.
        sets: `key=value` texts; they override the other options.

    Raises:
        ConfigurationError: A member or setting is unknown, or a value does not fit its setting.
    """
    typed = {"folds.n_folds": folds, "n_seeds": seeds}
    options = {key: value for key, value in typed.items() if value is not None}
    return assign(choose_members(competition, members), options | parse_assignments(sets))


def choose_members(competition: Competition, names: Sequence[str]) -> Competition:
    """Keep the named members, optional ones included, in the competition's order.

    Args:
        competition: As its file has it.
        names: Of members; where each has a plus in front, they come beside the file's own.

    Raises:
        ConfigurationError: There is no member of that name.
    """
    members = (*competition.members, *competition.optional_members)
    known = [member.name for member in members]
    named = {name.removeprefix("+") for name in names}
    unknown = [name for name in dict.fromkeys(names) if name.removeprefix("+") not in known]
    if unknown:
        raise ConfigurationError(
            "; ".join(_unknown(f"member of {competition.name}", name, known) for name in unknown)
        )
    if not names:
        return competition
    if all(name.startswith("+") for name in names):
        named |= {member.name for member in competition.members}
    kept = tuple(member for member in members if member.name in named)
    return competition.model_copy(update={"members": with_read_blocks(kept)})


def assign(competition: Competition, assignments: Assignments) -> Competition:
    """The competition with every assignment made.

    Raises:
        ConfigurationError: Keys are unknown or values do not fit; names all of them.
    """
    faults: list[str] = []
    for key, value in assignments.items():
        targets = list(_resolve(competition, key))
        if not targets:
            faults.append(_unknown("setting", key, sorted(settings_of(competition))))
        for path in targets:
            try:
                competition = _assigned(competition, path, value)
            except ValidationError as error:
                faults.append(_refused(".".join(path), value, error))
    if faults:
        raise ConfigurationError(
            f"{'; '.join(dict.fromkeys(faults))}; "
            f"type `foldwise show {competition.name}` to see every setting"
        )
    return competition


def as_stored(competition: Competition, stored: Mapping[str, Any]) -> Competition:
    """The competition with the members and settings of an earlier run.

    A setting that did not exist then keeps its present value.

    Args:
        competition: As its file defines it now.
        stored: What `resolved` returned for the run.

    Raises:
        ConfigurationError: A member of the run no longer exists.
    """
    members = {member["name"]: member for member in stored["members"]}
    named = {member.name: member for member in choose_members(competition, list(members)).members}
    # In the run's order, which is that of its weights.
    chosen = competition.model_copy(update={"members": tuple(named[name] for name in members)})
    then = _stored({name: stored[name] for name in SECTIONS} | members)
    return assign(chosen, {key: then[key] for key in settings_of(chosen) if key in then})


def _stored(sections: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Every value by its dotted key; a mapping also as a whole, since a setting may be one."""
    found: dict[str, Any] = {}
    for name, value in sections.items():
        found[f"{prefix}{name}"] = value
        if isinstance(value, Mapping):
            found |= _stored(value, f"{prefix}{name}.")
    return found


def settings_of(competition: Competition) -> dict[str, Any]:
    """The value of every setting by its full dotted key."""
    return {
        **{f"{s}.{k}": v for s in SECTIONS for k, v in _leaves(getattr(competition, s))},
        **{f"{m.name}.{k}": v for m in competition.members for k, v in _leaves(m) if k != "name"},
    }


def full_keys(competition: Competition, keys: Sequence[str]) -> frozenset[str]:
    """The full dotted keys of all settings that these keys stand for."""
    return frozenset(".".join(path) for key in keys for path in _resolve(competition, key))


def changes(competition: Competition, defaults: Competition) -> dict[str, Any]:
    """The settings that differ from those of the competition's file, by full dotted key.

    Args:
        competition: As it runs.
        defaults: As its file has it; a member that runs by choice counts as it stands there.
    """
    members = (*defaults.members, *defaults.optional_members)
    before = settings_of(defaults.model_copy(update={"members": members}))
    now = settings_of(competition)
    return {key: value for key, value in now.items() if key in before and value != before[key]}


def _leaves(model: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if field.exclude:
            continue
        if isinstance(value, BaseModel):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _resolve(competition: Competition, key: str) -> Iterator[tuple[str, ...]]:
    """The full paths that a key stands for: one setting, or one of each member that has it."""
    known = settings_of(competition)
    if key in known:
        yield tuple(key.split("."))
        return
    for member in competition.members:
        own = [name for name in known if name.startswith(f"{member.name}.")]
        exact = [name for name in own if name == f"{member.name}.{key}"]
        yield from (tuple(name.split(".")) for name in exact or own if name.endswith(f".{key}"))


def _assigned(competition: Competition, path: tuple[str, ...], value: Any) -> Competition:
    """With the value; a number also stands for a list of one, as `32` beside `32,16`."""
    try:
        return _assign_one(competition, path, value)
    except ValidationError:
        if isinstance(value, int | float) and not isinstance(value, bool):
            with contextlib.suppress(ValidationError):
                return _assign_one(competition, path, [value])
        raise


def _assign_one(competition: Competition, path: tuple[str, ...], value: Any) -> Competition:
    head, *rest = path
    if head in SECTIONS:
        changed = _with(getattr(competition, head), rest, value)
        return competition.model_copy(update={head: changed})
    members = tuple(_with(m, rest, value) if m.name == head else m for m in competition.members)
    return competition.model_copy(update={"members": members})


def _with(model: Model, path: Sequence[str], value: Any) -> Model:
    """The model with one leaf replaced; every model on the path is validated again."""
    name, *rest = path
    fields = {field: getattr(model, field) for field in type(model).model_fields}
    fields[name] = _with(fields[name], rest, value) if rest else value
    return type(model).model_validate(fields)


def _unknown(kind: str, name: str, known: Sequence[str]) -> str:
    tails = {key.split(".", 1)[-1]: key for key in known}
    near = difflib.get_close_matches(name, [*known, *tails], n=1, cutoff=0.5)
    if near:
        return f"unknown {kind} {name!r}: did you mean {near[0]!r}?"
    few = f": known: {', '.join(known)}" if len(known) <= MOST_NAMES else ""
    return f"unknown {kind} {name!r}{few}"


def _refused(key: str, value: Any, error: ValidationError) -> str:
    reason = error.errors()[0]["msg"]
    return f"{key} cannot be {value!r}: {reason[0].lower()}{reason[1:]}"


def resolved(competition: Competition) -> dict[str, Any]:
    """The whole configuration as JSON values: what a run stores and is identified by."""
    return competition.model_dump(mode="json")


def member_settings(member: MemberSettings, encoder: Mapping[str, Any]) -> dict[str, Any]:
    """One member's configuration, with the name and the settings of its encoder."""
    return {**member.model_dump(mode="json"), "encoder": encoder}
