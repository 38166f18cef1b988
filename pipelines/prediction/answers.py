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

from models.decisions import Decision
from pipelines.configuration.competition import Competition
from pipelines.console import plain_table
from pipelines.prediction.new_rows import ROW, NewRows
from pipelines.stages.submission import answers_of
from submissions.build import answers
from submissions.form import SubmissionForm

BAR = 20  # characters of a probability of 1
EIGHTHS = " ▏▎▍▌▋▊▉"
MOST_SHOWN = 6  # classes of a text; if there are more, the likeliest


@dataclass(frozen=True)
class Answers:
    """The predictions of new rows.

    Attributes:
        competition: The one whose rows they are.
        rows: The new rows.
        predictions: `(n_rows, n_columns)`.
        form: The columns of a submission.
        decision: From predictions to answers.
    """

    competition: Competition
    rows: NewRows
    predictions: np.ndarray
    form: SubmissionForm
    decision: Decision

    @property
    def decided(self) -> np.ndarray:
        """The answers: positions of labels, or values."""
        return self.decision.apply(self.predictions, self.competition.predicts)

    def table(self, *, with_probabilities: bool = False) -> pd.DataFrame:
        """The rows in the submission's form, in the order of the input.

        Args:
            with_probabilities: Whether to give labels and a column for each class instead.
        """
        if with_probabilities:
            table = self._labels_and_columns()
        else:
            made = answers_of(self.predictions, self.form, self.competition.predicts, self.decision)
            table = answers(made, self.form)
        if self.rows.id_name is not None:
            table.insert(0, self.rows.id_name, self.rows.ids.to_numpy())
        return table if with_probabilities else self._as_sample(table)

    def _as_sample(self, table: pd.DataFrame) -> pd.DataFrame:
        """The columns in the sample's order, with those that the new rows have too."""
        new = self.rows.table
        for name in self.form.header:
            if name not in table and name in new:
                table[name] = new[name].to_numpy()
        order = [name for name in self.form.header if name in table]
        return table[[*(name for name in table if name not in order), *order]]

    def _labels_and_columns(self) -> pd.DataFrame:
        """The labels, and the prediction's columns by name; of values the values alone."""
        competition = self.competition
        if not competition.classes or competition.predicts.n_targets > 1:
            return pd.DataFrame(self.predictions, columns=list(competition.targets))
        labels = pd.Series(competition.classes).take(self.decided).reset_index(drop=True)
        columns = zip(self._column_labels, self.predictions.T, strict=True)
        return pd.DataFrame({competition.answer_names[0]: labels} | dict(columns))

    @property
    def _column_labels(self) -> list[str]:
        """What each column of the predictions is called in tables and JSON."""
        competition = self.competition
        if competition.predicts.chooses_class:
            return list(map(str, competition.classes))
        if competition.predicts.kind == "ordinal":
            return ["position"]
        return list(competition.targets)

    def as_json(self, **of_the_run: Any) -> str:
        """One line of JSON: facts of the run, then a prediction for each row."""
        return json.dumps({**of_the_run, "predictions": list(self._predictions())})

    def _predictions(self) -> Iterator[dict[str, Any]]:
        competition, decided = self.competition, self.decided
        what = "probabilities" if competition.predicts.predicts_probabilities else "values"
        ids = self.rows.ids.tolist()
        for row, name in enumerate(ids):
            text = {"text": self.rows.texts[row]} if self.rows.texts else {}
            label = {}
            if competition.predicts.has_classes:
                best = competition.classes[decided[row]]
                label = {"label": best, "name": competition.label_name(best)}
            columns = zip(self._column_labels, map(float, self.predictions[row]), strict=True)
            yield {self.rows.id_name or ROW: name, **text, **label, what: dict(columns)}

    def show(self, console: Console) -> None:
        """Print each text with the probabilities of its classes as bars, the likeliest in bold."""
        table, best = plain_table([]), self.decided
        table.add_column("text", ratio=1, overflow="fold")
        names = [self.competition.label_name(label) for label in self.competition.classes]
        has_names = names != [str(label) for label in self.competition.classes]
        for column in ("label", *(("name",) if has_names else ()), "", "probability"):
            table.add_column(column, no_wrap=True)
        for row, text in enumerate(self.rows.texts):
            for place, label in enumerate(self._shown(row)):
                probability = self.predictions[row, label]
                cells = [str(self.competition.classes[label]), *([names[label]] * has_names)]
                table.add_row(
                    Text(text if not place else ""),
                    *(Text(cell) for cell in cells),
                    Text(bar(probability), "cyan"),
                    f"{probability:6.1%}",
                    style="bold" if label == best[row] else "",
                )
            table.add_row()
        console.print(table)

    def _shown(self, row: int) -> np.ndarray:
        """Indices of a row's classes: all in their order, or the likeliest of many."""
        n_classes = len(self.competition.classes)
        if n_classes <= MOST_SHOWN:
            return np.arange(n_classes)
        order = np.argsort(-self.predictions[row], kind="stable")
        return order[:MOST_SHOWN]


def bar(probability: float) -> str:
    """A bar of at most `BAR` characters, exact to an eighth of one."""
    n_eighths = round(float(probability) * BAR * 8)
    whole, rest = divmod(n_eighths, 8)
    return ("█" * whole + EIGHTHS[rest].strip()).ljust(BAR)
