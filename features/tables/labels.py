"""Labels of a file as positions among the classes, however the file spells them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from features.tables.text_file import Fault, TableError, quoted

Label = bool | int | str
SHOWN = 10


def read_labels(texts: pd.Series, classes: Sequence[Label], *, file: str | Path) -> np.ndarray:
    """Positions among the classes, `(n,) int64`; -1 where the field is empty.

    A text stands for the class that is written like it, else for the class of the same number
    (`1.0` for 1), else for the same truth value (`TRUE` for True).

    Args:
        texts: A column of texts; its name and index appear in messages.
        classes: The labels, in order.
        file: Its name, for messages.

    Raises:
        TableError: A text is none of the classes.
    """
    codes, distinct = pd.factorize(texts)
    spelled = {str(label): at for at, label in enumerate(classes)}
    numbers = {n: at for at, label in enumerate(classes) if (n := _number(str(label))) is not None}
    truths = {str(c).lower(): at for at, c in enumerate(classes) if isinstance(c, bool)}

    def position(text: str) -> int:
        if text in spelled:
            return spelled[text]
        trimmed = text.strip()
        number = _number(trimmed)
        by_number = -1 if number is None else numbers.get(number, -1)
        by_text = spelled.get(trimmed, truths.get(trimmed.lower(), -1))
        return by_number if by_number >= 0 else by_text

    positions = np.array([*(position(str(text)) for text in distinct), -1], dtype=np.int64)
    found = positions[codes]
    unknown = np.flatnonzero((found < 0) & (codes >= 0))
    if unknown.size:
        raise TableError(file, [_fault(texts, unknown, classes)])
    return found


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _fault(texts: pd.Series, rows: np.ndarray, classes: Sequence[Label]) -> Fault:
    first = int(rows[0])
    more = f" (and {len(rows) - 1} more such)" if len(rows) > 1 else ""
    shown = ", ".join(map(str, classes[:SHOWN])) + (", …" if len(classes) > SHOWN else "")
    where = f"column {quoted(str(texts.name))}, line {first + 2}"
    step = "correct the row, or add the label to the competition's classes"
    return Fault(where, quoted(str(texts.iloc[first])) + more, f"one of {shown}", step)
