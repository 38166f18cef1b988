"""Predictions of new rows: as a CSV in the submission's form, as JSON, as a table with bars."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.text import Text

from pipelines.configuration.competition import Competition
from pipelines.console import plain_table
from pipelines.prediction.new_rows import NewRows
from pipelines.stages.submission import submit_form
from submissions.build import answer

BAR = 20  # characters of a probability of 1
EIGHTHS = " ▏▎▍▌▋▊▉"
MOST_SHOWN = 6  # classes of a text; if there are more, the likeliest


@dataclass(frozen=True)
class Answers:
    """The probabilities of new rows.

    Attributes:
        competition: The one whose classes they are.
        rows: The new rows.
        probabilities: `(n_rows, n_classes)`.
    """

    competition: Competition
    rows: NewRows
    probabilities: np.ndarray

    @property
    def best(self) -> np.ndarray:
        """The index of each row's likeliest class, `(n_rows,)`."""
        best: np.ndarray = self.probabilities.argmax(axis=1)
        return best

    def table(self, *, with_probabilities: bool = False) -> pd.DataFrame:
        """The rows in the submission's form, in the order of the input.

        Args:
            with_probabilities: Whether to give labels and a probability for each class instead.
        """
        form = submit_form(self.competition)
        if with_probabilities:
            classes = self.competition.classes
            labels = pd.Series(classes).take(self.best).reset_index(drop=True)
            named = {str(c): p for c, p in zip(classes, self.probabilities.T, strict=True)}
            name = self.competition.submission_column or self.competition.target
            table = pd.DataFrame({name: labels, **named})
        else:
            table = answer(self.probabilities, form)
        table.insert(0, self.rows.id_name, self.rows.ids.to_numpy())
        return table

    def as_json(self, **of_the_run: Any) -> str:
        """One line of JSON: facts of the run, then a prediction for each row."""
        return json.dumps({**of_the_run, "predictions": list(self._predictions())})

    def _predictions(self) -> Iterator[dict[str, Any]]:
        competition = self.competition
        ids = self.rows.ids.tolist()
        for row, (name, best) in enumerate(zip(ids, self.best, strict=True)):
            label = competition.classes[best]
            text = {"text": self.rows.texts[row]} if self.rows.texts else {}
            yield {
                self.rows.id_name: name,
                **text,
                "label": label,
                "name": competition.label_name(label),
                "probabilities": {
                    str(c): float(p)
                    for c, p in zip(competition.classes, self.probabilities[row], strict=True)
                },
            }

    def show(self, console: Console) -> None:
        """Print each text with the probabilities of its classes as bars, the likeliest in bold."""
        table = plain_table([])
        table.add_column("text", ratio=1, overflow="fold")
        names = [self.competition.label_name(label) for label in self.competition.classes]
        has_names = names != [str(label) for label in self.competition.classes]
        for column in ("label", *(("name",) if has_names else ()), "", "probability"):
            table.add_column(column, no_wrap=True)
        for row, text in enumerate(self.rows.texts):
            for place, label in enumerate(self._shown(row)):
                probability = self.probabilities[row, label]
                cells = [str(self.competition.classes[label]), *([names[label]] * has_names)]
                table.add_row(
                    Text(text if not place else ""),
                    *(Text(cell) for cell in cells),
                    Text(bar(probability), "cyan"),
                    f"{probability:6.1%}",
                    style="bold" if label == self.best[row] else "",
                )
            table.add_row()
        console.print(table)

    def _shown(self, row: int) -> np.ndarray:
        """Indices of a row's classes: all in their order, or the likeliest of many."""
        n_classes = len(self.competition.classes)
        if n_classes <= MOST_SHOWN:
            return np.arange(n_classes)
        order = np.argsort(-self.probabilities[row], kind="stable")
        return order[:MOST_SHOWN]


def bar(probability: float) -> str:
    """A bar of at most `BAR` characters, exact to an eighth of one."""
    n_eighths = round(float(probability) * BAR * 8)
    whole, rest = divmod(n_eighths, 8)
    return ("█" * whole + EIGHTHS[rest].strip()).ljust(BAR)
