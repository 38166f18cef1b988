"""A competition's run from Python: `foldwise.run`."""

from __future__ import annotations

import html
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console

from pipelines.competitions import load_competition
from pipelines.configuration.assignments import assign, configure
from pipelines.configuration.competition import Competition
from pipelines.console import Narrator
from pipelines.planning.clock import TimeLimit
from pipelines.runs.request import RunRequest
from pipelines.runs.timed_run import run as run_stages
from pipelines.stages import ensemble, preprocess
from pipelines.workspace.layout import RunLayout, Workspace, submission_csv
from pipelines.workspace.summary import Summary

ROW_ID = "id"  # the column of ids where the competition names none


@dataclass(frozen=True)
class RunResult:
    """A finished run.

    Attributes:
        summary: Its scores, members and seconds.
        root: The workspace.
        competition: What was run, with the settings of this run.
    """

    summary: Summary
    root: Path
    competition: Competition = field(repr=False)

    @property
    def folder(self) -> Path:
        """Everything that the run made."""
        return Workspace(self.root).run(self.summary.competition, self.summary.run).folder

    @property
    def score(self) -> float:
        """The cross-validated score; each fold is predicted by what the others taught."""
        return self.summary.cv

    @cached_property
    def scores(self) -> pd.DataFrame:
        """The blend and each member: `score`, `std` over folds, `weight`."""
        summary = self.summary
        rows: list[tuple[str, float, float, float | None]] = [
            (summary.way, summary.cv, summary.cv_std, None)
        ]
        rows += [(m.name, m.score, m.std, m.weight) for m in summary.members]
        table = pd.DataFrame(rows, columns=["", "score", "std", "weight"])
        return table.set_index("")

    @property
    def submission(self) -> Path:
        """The checked CSV for Kaggle."""
        return self.root / submission_csv(self.summary.competition, self.summary.run)

    @property
    def report(self) -> Path:
        """The run on one page."""
        return RunLayout(self.folder).report_file

    @property
    def figures(self) -> dict[str, Path]:
        """The pictures by name, such as `scores_by_fold`."""
        folder = RunLayout(self.folder).figures
        return {Path(name).stem: folder / Path(name).name for name in self.summary.figures}

    @cached_property
    def oof(self) -> pd.DataFrame:
        """Each training row, predicted by models that never saw it; NaN where none held it.

        By id, a column for each class or target. Where the rows have no ids, or one of them comes
        twice, the index is the row number, and the ids are the first column.
        """
        return self._frame(self._prepared.train_ids, self._blend.oof)

    @cached_property
    def test(self) -> pd.DataFrame:
        """Each test row in the same form."""
        return self._frame(self._prepared.test_ids, self._blend.test)

    @cached_property
    def _prepared(self) -> preprocess.Prepared:
        return preprocess.load(RunLayout(self.folder).preprocess)

    @cached_property
    def _blend(self) -> ensemble.Blend:
        return ensemble.load(RunLayout(self.folder).ensemble)

    def _frame(self, ids: pd.Series, values: np.ndarray) -> pd.DataFrame:
        names = self.competition.label_names or self.competition.targets
        columns = list(names) if len(names) == values.shape[1] else range(values.shape[1])
        frame = pd.DataFrame(values, columns=columns)
        if self.competition.id is not None and ids.is_unique:
            return frame.set_axis(pd.Index(ids, name=self.competition.id))
        name = self.competition.id or self.competition.submission_id or ROW_ID
        frame.insert(0, name, ids.to_numpy())
        return frame.rename_axis(index="row")

    def __repr__(self) -> str:
        """The run, its score and its members."""
        summary = self.summary
        members = ", ".join(f"{m.name} {m.score:.4f}" for m in summary.members)
        score = f"{summary.metric} {summary.cv:.4f} ± {summary.cv_std:.4f}"
        return f"RunResult({summary.competition} {summary.run}: {score}; {members})"

    def _repr_html_(self) -> str:
        """The same for a notebook: a table of scores, and where everything is."""
        summary = self.summary
        metric = html.escape(summary.metric)
        head = f"<b>{html.escape(summary.competition)}</b> {summary.run} · {metric}"
        style = self.scores.style.format("{:.4f}", na_rep="").format_index(escape="html")
        places = (f"submission {self.submission}", f"report {self.report}")
        return f"{head}{style.to_html()}{'<br>'.join(map(html.escape, places))}"


def run(
    competition: str | Competition,
    source: str | Path = "auto",
    *,
    members: Sequence[str] = (),
    folds: int | None = None,
    seeds: int | None = None,
    settings: Mapping[str, Any] | None = None,
    time_limit_s: float | None = None,
    device: str = "auto",
    track: bool = False,
    root: str | Path = ".",
    verbose: bool = False,
) -> RunResult:
    """Run a competition from its files to a checked submission.

    The same call on the same data gives the earlier run's result at once.

    Args:
        competition: Its name, as in `foldwise list`, or the competition itself.
        source: `auto`, `kaggle`, `sample`, or the path of a folder or zip.
        members: Only these; all if empty.
        folds: Folds per repeat; None for the file's.
        seeds: Replicas of each network and fold; None for the file's.
        settings: By dotted key, as in `foldwise show`: `{"mlp.train.lr": 3e-3}`.
        time_limit_s: Seconds from this call to the submission: the best one that fits is made, of
            what members, folds, seeds and settings leave open; None for all of it.
        device: `auto`, `cpu` or `cuda`.
        track: Whether to log to MLflow.
        root: The workspace, with `data/`, `runs/` and `submissions/`.
        verbose: Whether to print what the command prints.

    Raises:
        Exception: Each stage's own errors, whose text says what to do.
    """
    start = time.monotonic()
    found = load_competition(competition) if isinstance(competition, str) else competition
    configured = configure(found, members=list(members), folds=folds, seeds=seeds, sets=[])
    configured = assign(configured, dict(settings or {}))
    typed = {"folds.n_folds": folds, "n_seeds": seeds} | dict(settings or {})
    bound = tuple(key for key, value in typed.items() if value is not None)
    limit = None
    if time_limit_s is not None:
        limit = TimeLimit(time_limit_s, start, bound, bool(members))
    request = RunRequest(
        source=str(source), device=device, track=track, limit=limit, root=Path(root)
    )
    narrator = Narrator(Console(quiet=not verbose))
    summary = run_stages(configured, request, narrator)
    return RunResult(summary, Path(root), configured)
