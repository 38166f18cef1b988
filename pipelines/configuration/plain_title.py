"""A competition's title read from its file's text, without running the file or any library."""

from __future__ import annotations

import ast
from pathlib import Path


def plain_title(path: Path, name: str) -> str | None:
    """The title that stands in the file in plain words.

    None where the file must be run to know: it computes name or title, has another name than
    `name`, defines no competition, or is not Python.

    Args:
        path: The competition's file.
        name: The name that the competition should have.
    """
    try:
        body = ast.parse(path.read_bytes()).body
    except (SyntaxError, ValueError, OSError):
        return None
    calls = [call for node in body if (call := _competition(node)) is not None]
    if len(calls) != 1:
        return None
    words = {keyword.arg: _text(keyword.value) for keyword in calls[0].keywords}
    return words.get("title") if words.get("name") == name else None


def _competition(node: ast.stmt) -> ast.Call | None:
    """The call of `COMPETITION = Competition(...)`."""
    if isinstance(node, ast.AnnAssign):
        targets: list[ast.expr] = [node.target]
    elif isinstance(node, ast.Assign):
        targets = node.targets
    else:
        return None
    is_named = any(isinstance(t, ast.Name) and t.id == "COMPETITION" for t in targets)
    return node.value if is_named and isinstance(node.value, ast.Call) else None


def _text(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return None
