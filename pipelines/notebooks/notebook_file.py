"""The file of a notebook: cells of text and of code, as Jupyter's format 4.5 has them."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        kind: Whether it is text in Markdown or code.
        text: What it holds.
    """

    kind: Literal["markdown", "code"]
    text: str


def text(content: str) -> Cell:
    """A cell of Markdown; indentation that all lines share is left out."""
    return Cell("markdown", textwrap.dedent(content).strip())


def code(content: str) -> Cell:
    """A cell of Python; indentation that all lines share is left out."""
    return Cell("code", textwrap.dedent(content).strip())


def notebook_text(cells: Sequence[Cell]) -> str:
    """The JSON of a notebook without outputs; the same cells give the same text."""
    content = {
        "cells": [_as_json(cell, number) for number, cell in enumerate(cells, start=1)],
        "metadata": {"kernelspec": KERNEL, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _as_json(cell: Cell, number: int) -> dict[str, Any]:
    written = {
        "cell_type": cell.kind,
        "id": f"cell-{number}",
        "metadata": {},
        "source": cell.text.splitlines(keepends=True),
    }
    return written | ({"execution_count": None, "outputs": []} if cell.kind == "code" else {})
