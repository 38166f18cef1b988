"""Words that may not come back: private terms and riddles that a reader from outside trips over."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("foldwise", "pipelines", "features", "models", "submissions", "docs", "examples")
PAGES = ("README.md", "CONTRIBUTING.md", "docs/*.md", "pipelines/**/*.html")
# By word, as a regular expression: what to write instead.
WORDS = {
    r"kin": "context features",
    r"the house|rooms? (that|which|does)": "the project, a module, a package",
    r"sa(ys?|id) of": "predicts for, reports about",
    r"told": "reported, given, shown",
    r"dealt": "split",
    r"anew": "again",
    r"askable": "fold models",
    r"manners": "client settings",
    r"spare": "optional",
    r"(?<!/)unsent": "not sent yet, in the outbox",
    r"brings": "ships, defines, contains",
    r"flatters?": "is optimistic",
    r"is no fault": "is not an error",
    r"which is taken for which": "confusion matrix",
}


def texts() -> Iterator[tuple[str, int, str]]:
    """What people read: pages, docstrings, and the texts of messages; with file and line."""
    for pattern in PAGES:
        for path in sorted(ROOT.glob(pattern)):
            for number, line in enumerate(path.read_text().splitlines(), start=1):
                yield str(path.relative_to(ROOT)), number, line
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for number, text in literals(ast.parse(path.read_text())):
                yield str(path.relative_to(ROOT)), number, text


def literals(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """String literals of more than a word; an f-string as a whole, with `{}` for its values."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
            yield node.lineno, "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value
        else:
            yield from literals(node)


TEXTS = list(texts())


@pytest.mark.parametrize("word", WORDS)
def test_the_word_does_not_come_back(word):
    pattern = re.compile(rf"\b(?:{word})\b", re.IGNORECASE)
    found = [
        f"{file}:{number}: {match.group()!r}, write {WORDS[word]!r}"
        for file, number, text in TEXTS
        for match in pattern.finditer(text)
    ]
    assert not found, "\n".join(found)


def test_a_word_is_found_where_people_read_it():
    tree = ast.parse('"""A docstring."""\ndef f(x):\n    return f"of kin {x}", "word"\n')
    assert list(literals(tree)) == [(1, "A docstring."), (3, "of kin {}")]
    files = {file for file, _, _ in TEXTS}
    assert {"README.md", "pipelines/report/report.html", "foldwise/__init__.py"} <= files
