"""Former names of a competition's fields, and suggestions for unknown ones."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

# Competition files written for the former names go on working.
FORMER_NAMES = {
    "separator": "file_format.separator",
    "quoting": "file_format.quoting",
    "numbered": "file_format.row_numbers",
    "stackers": "second_level.stackers",
    "kin": "second_level.context_features",
    "known": "train_test_overlap",
    "spare": "optional_members",
    "also": "extra_metrics",
    "answer": "submission_column",
    "foreign": "other_forms",
}
# Stackers of the shipped competitions, as runs made under their former names stored them.
FORMER_STACKERS = {"kin": "context"}
UNKNOWN = "unknown_field"


def with_present_names(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a competition under their present names.

    A former name is left where it is if the present one is given too: an unknown field, then.
    """
    renamed = {
        former: present.partition(".")
        for former, present in FORMER_NAMES.items()
        if former in fields and present.partition(".")[0] not in fields
    }
    found = {name: value for name, value in fields.items() if name not in renamed}
    for former, (name, _, part) in renamed.items():
        if part:
            found.setdefault(name, {})[part] = fields[former]
        else:
            found[name] = fields[former]
    return found


def with_suggestions(error: ValidationError, known: Sequence[str]) -> ValidationError:
    """The same errors, with a suggestion for each unknown field.

    Args:
        error: What validating a model raised.
        known: The model's fields.
    """
    lines = [_line(dict(details), known) for details in error.errors(include_url=False)]
    return ValidationError.from_exception_data(error.title, lines)


def _line(details: Mapping[str, Any], known: Sequence[str]) -> InitErrorDetails:
    kind, message = details["type"], details["msg"]
    if kind == "extra_forbidden" and len(details["loc"]) == 1:
        kind, message = UNKNOWN, f"unknown field: {_suggestion(str(details['loc'][0]), known)}"
    if kind == UNKNOWN:
        kind = PydanticCustomError(UNKNOWN, "{message}", {"message": message})
    return InitErrorDetails(
        type=kind, loc=details["loc"], input=details["input"], ctx=details.get("ctx", {})
    )


def _suggestion(name: str, known: Sequence[str]) -> str:
    present = FORMER_NAMES.get(name, "")
    if present.partition(".")[0] in known:
        return f"it is the former name of {present}, which is given too; leave one of them out"
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"


def one_line(error: ValidationError) -> str:
    """All errors of a validation on one line, `field: reason`."""
    lines = (
        (".".join(map(str, details["loc"])), details["msg"].removeprefix("Value error, "))
        for details in error.errors(include_url=False)
    )
    return "; ".join(f"{field}: {reason}" if field else reason for field, reason in lines)
