"""A competition's facts and settings as text, each setting with what it means."""

from __future__ import annotations

import inspect
import json
import re
import textwrap
from collections.abc import Iterator

from pydantic import BaseModel

from pipelines.configuration.assignments import SECTIONS, settings_of
from pipelines.configuration.competition import Competition

VALUE_WIDTH = 44  # columns of `key = value` before its description
INDENT = " " * 4
ATTRIBUTE = re.compile(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", re.MULTILINE)


def describe(competition: Competition, width: int) -> str:
    """A competition's facts, then each of its settings, `key = value` and its description.

    Args:
        competition: As `run` would use it.
        width: Columns of a line, where values and descriptions leave a choice.
    """
    facts = {
        "title": competition.title,
        "page": competition.kaggle.page if competition.kaggle else "not on Kaggle",
        "metric": competition.metric.name,
        "submission": competition.answer_form,
        "sample": competition.sample.origin if competition.sample else "none",
    }
    if competition.optional_members:
        names = ", ".join(member.name for member in competition.optional_members)
        facts["optional"] = f"{names} (with --members)"
    lines = [f"{key:<12}{value}" for key, value in facts.items()]
    meanings = descriptions_of(competition)
    settings = (
        _line(f"{key} = {json.dumps(value)}", meanings.get(key, ""), width)
        for key, value in settings_of(competition).items()
    )
    return "\n".join([*lines, "", *settings])


def descriptions_of(competition: Competition) -> dict[str, str]:
    """What each setting means, by its full dotted key."""
    models = {section: getattr(competition, section) for section in SECTIONS}
    models |= {member.name: member for member in competition.members}
    return {
        f"{name}.{key}": text for name, model in models.items() for key, text in _meanings(model)
    }


def _meanings(model: BaseModel, prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _meanings(value, f"{prefix}{name}.")
        else:
            text = field.description or _documented(type(model), name)
            yield f"{prefix}{name}", text


def _documented(kind: type[BaseModel], name: str) -> str:
    """An attribute in the docstring of the class, or of one that it derives from."""
    for base in kind.__mro__:
        for found in ATTRIBUTE.finditer(f"    {inspect.cleandoc(base.__doc__ or '')}"):
            if found[1] == name:
                text = " ".join(found[2].split()).rstrip(".")
                return text[:1].lower() + text[1:]
    return ""


def _line(setting: str, meaning: str, width: int) -> str:
    """On one line where both fit, else the description below, indented."""
    if not meaning:
        return setting
    line = f"{setting:<{VALUE_WIDTH}}  {meaning}"
    if len(line) <= width:
        return line
    return "\n".join(
        [setting, *textwrap.wrap(meaning, width, initial_indent=INDENT, subsequent_indent=INDENT)]
    )
