"""Files of the workspace that are read back: one that is damaged is reported with its path."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)


class DamagedFileError(ValueError):
    """A file of the workspace that is empty, cut, or holds something else."""

    exit_code = 3

    def __init__(self, path: Path, found: str, next_step: str) -> None:
        self.path = path
        super().__init__(f"{path}: found {found}, expected what foldwise wrote there; {next_step}")


class PassedOverWarning(UserWarning):
    """A damaged file that the command could do without."""


def read(model: type[Model], path: Path, next_step: str) -> Model:
    """The file's content, checked.

    Args:
        model: What it should hold.
        path: The file.
        next_step: What a person does about one that is damaged.

    Raises:
        DamagedFileError: It holds something else, or cannot be read.
    """
    data = _bytes(path, next_step)
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        raise DamagedFileError(path, _first(error, data), next_step) from error


def read_json(path: Path, next_step: str, *, keys: tuple[str, ...] = ()) -> dict[str, Any]:
    """The file's JSON object, which has these keys.

    Raises:
        DamagedFileError: It holds something else, or cannot be read.
    """
    data = _bytes(path, next_step)
    try:
        content = json.loads(data, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(path, _broken(data), next_step) from error
    if not isinstance(content, dict):
        raise DamagedFileError(path, f"a {type(content).__name__}", next_step)
    if lacking := [key for key in keys if key not in content]:
        raise DamagedFileError(path, f"no {', '.join(map(repr, lacking))}", next_step)
    return content


def pass_over(error: Exception) -> None:
    """Tell of a damaged file that is passed over."""
    warnings.warn(f"passed over: {error}", PassedOverWarning, stacklevel=2)


def _bytes(path: Path, next_step: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        what = "a folder" if path.is_dir() else (error.strerror or str(error)).lower()
        raise DamagedFileError(path, what, next_step) from error


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def _broken(data: bytes) -> str:
    return "an empty file" if not data.strip() else "no JSON"


def _first(error: ValidationError, data: bytes) -> str:
    """The first of the faults, in a few words."""
    fault = error.errors(include_url=False)[0]
    if fault["type"] == "json_invalid":
        return _broken(data)
    place = ".".join(map(str, fault["loc"]))
    return " ".join(f"{place}: {fault['msg']}".split())
