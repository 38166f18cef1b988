"""Python text as `ruff format` would write it: literals, calls and the lines that they fill."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

WIDTH = 100  # columns
INDENT = 4


@dataclass(frozen=True)
class Bracket:
    """Something in brackets: one line where it fits, else a line for each item.

    Attributes:
        opening: As `Column(`, `[` or `{`.
        items: Each with what stands before it, as `name=` or `"key": `.
        closing: The bracket that closes it.
        comments: By item, a line above it.
        separator: Between the items.
    """

    opening: str
    items: tuple[tuple[str, Node], ...]
    closing: str
    comments: Mapping[int, str] = field(default_factory=dict)
    separator: str = ","


Node = str | Bracket


def literal(value: Any) -> str:
    """A value as Python text; texts in double quotes unless that needs more escapes."""
    if isinstance(value, tuple):
        inner = ", ".join(map(literal, value))
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if not isinstance(value, str):
        return repr(value)
    shown = repr(value)
    is_single = shown.startswith("'")
    if not is_single or value.count('"') > value.count("'"):
        return shown
    body = shown[1:-1].replace("\\'", "'").replace('"', '\\"')
    return f'"{body}"'


def call(name: str, /, *arguments: Node, **named: Node) -> Bracket:
    """A call; arguments are Python text already."""
    items = [("", argument) for argument in arguments]
    items += [(f"{key}=", node) for key, node in named.items()]
    return Bracket(f"{name}(", tuple(items), ")")


def listed(items: Iterable[Node]) -> Bracket:
    """A list."""
    return Bracket("[", tuple(("", item) for item in items), "]")


def tupled(items: Iterable[Node]) -> Bracket:
    """A tuple."""
    return Bracket("(", tuple(("", item) for item in items), ")")


def literals(values: Iterable[Any]) -> Bracket:
    """A tuple of values."""
    return tupled(map(literal, values))


def commented(node: Bracket, comments: Mapping[int, str]) -> Bracket:
    """The same with a line above some of its items."""
    return replace(node, comments=comments)


def mapped(items: Mapping[str, Node]) -> Bracket:
    """A dictionary whose keys are texts."""
    pairs = tuple((f"{literal(key)}: ", node) for key, node in items.items())
    return Bracket("{", pairs, "}")


def for_each(item: Node, loop: str) -> Bracket:
    """`*(item for … in …)`, as it stands among the items of a tuple."""
    return Bracket("*(", (("", item), ("", loop)), ")", separator="")


def names(title: str, values: Sequence[str]) -> str:
    """A list of texts: one line where it fits, else as many on a line as fit."""
    one_line = statement(f"{title} = ", listed(map(literal, values)))
    if "\n" not in one_line:
        return one_line
    lines = [""]
    for value in map(literal, values):
        if lines[-1] and len(f"{lines[-1]} {value},") > WIDTH - INDENT:
            lines.append("")
        lines[-1] += f" {value}," if lines[-1] else f"{value},"
    return "\n".join([f"{title} = [", *(_long(f"    {line}") for line in lines), "]  # fmt: skip"])


def statement(before: str, node: Node, *, indent: int = 0) -> str:
    """One statement, as `NAMES = […]` or `return …`, in lines of at most 100 columns."""
    text = " " * indent + before + _text(node, indent, len(before))
    return "\n".join(_long(line) for line in text.split("\n"))


def _long(line: str) -> str:
    """A name in a file may be longer than a line."""
    return f"{line}  # noqa: E501" if len(line) > WIDTH else line


def _text(node: Node, indent: int, used: int) -> str:
    if isinstance(node, str):
        return node
    line = _one_line(node)
    if not _must_break(node) and indent + used + len(line) + 1 <= WIDTH:
        return line
    inner = indent + INDENT
    lines = [node.opening]
    for at, (before, item) in enumerate(node.items):
        if comment := node.comments.get(at):
            lines.append(f"{' ' * inner}# {comment}")
        is_alone = len(node.items) == 1 and isinstance(item, Bracket) and not before
        ending = "" if is_alone and node.opening != "(" else node.separator
        lines.append(f"{' ' * inner}{before}{_text(item, inner, len(before))}{ending}")
    return "\n".join([*lines, f"{' ' * indent}{node.closing}"])


def _must_break(node: Bracket) -> bool:
    return bool(node.comments) or any(
        isinstance(item, Bracket) and _must_break(item) for _, item in node.items
    )


def _one_line(node: Node) -> str:
    if isinstance(node, str):
        return node
    inner = f"{node.separator} ".join(before + _one_line(item) for before, item in node.items)
    only = "," if node.opening == "(" and len(node.items) == 1 else ""
    return f"{node.opening}{inner}{only}{node.closing}"
