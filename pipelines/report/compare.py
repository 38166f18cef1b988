"""Two runs side by side on one page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.report import charts
from pipelines.report.evidence import FoldScores
from pipelines.report.find import ReportedRun
from pipelines.report.html import drift_verdict, environment
from pipelines.workspace import files
from pipelines.workspace.layout import Workspace
from pipelines.workspace.summary import Summary

ABSENT = "–"


class CompareError(ValueError):
    """Two runs that cannot be compared."""

    exit_code = 2


@dataclass(frozen=True)
class _Row:
    """One line of a table: both runs' values, and the second run's gain."""

    name: str
    first: str
    second: str
    gain: str = ""
    kind: str = ""


def compare(first: ReportedRun, second: ReportedRun, root: Path) -> Path:
    """Write the page into `runs/compare/`; return its path.

    Raises:
        CompareError: The runs differ in competition or metric, or are the same run.
    """
    _check(first.summary, second.summary)
    path = Workspace(root).comparison(first.folder.name, second.folder.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    return files.write_text(path, render(first, second))


def _check(first: Summary, second: Summary) -> None:
    if first.run == second.run:
        raise CompareError(f"both are run {first.run}; name two different runs")
    for what in ("competition", "metric"):
        one, other = getattr(first, what), getattr(second, what)
        if one != other:
            raise CompareError(
                f"run {first.run} has {what} {one}, run {second.run} has {other}; "
                "name two runs of one competition"
            )


def render(first: ReportedRun, second: ReportedRun) -> str:
    """The page's text."""
    both = (first, second)
    metric = first.summary.metric.replace("_", " ")
    template = environment().get_template("compare.html")
    return template.render(
        both=both,
        metric=metric,
        verdict=_verdict(first, second, metric),
        chart=charts.fold_scores(list(_finals(first, second)), metric=metric),
        scores=list(_scores(first.summary, second.summary, metric)),
        members=list(_members(first.summary, second.summary)),
        settings=list(_settings(first, second)),
        checks=list(_checks(first, second)),
        importances=list(_importances(first, second)),
        drifts=[drift_verdict(run.evidence.drift) for run in both],
        seconds=list(_seconds(first.summary, second.summary)),
        origins=list(_differences(_origin(first), _origin(second))),
    )


def _verdict(first: ReportedRun, second: ReportedRun, metric: str) -> str:
    """Which run is better, by how much, and on how many of the splits."""
    one, other = first.summary, second.summary
    sign = 1 if one.greater_is_better else -1
    gain = sign * (other.cv - one.cv)
    word = "better" if gain > 0 else "worse"
    start = f"The second run's {metric} is {abs(gain):.4f} {word}"
    if gain == 0:
        start = f"Both have the same {metric}"
    if not _same_folds(first, second):
        return f"{start}. Their folds differ, so the splits cannot be paired."
    gains = sign * (_final(second) - _final(first))
    return (
        f"{start}; on the same splits it is better {_times((gains > 0).sum())} and worse "
        f"{_times((gains < 0).sum())}, with a gain of {gains.mean():+.4f} ± {gains.std():.4f} "
        "per split."
    )


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n} times"


def _final(run: ReportedRun) -> np.ndarray:
    return np.array(run.evidence.folds[-1].scores)


def _finals(first: ReportedRun, second: ReportedRun) -> Iterator[FoldScores]:
    for name, run in (("first", first), ("second", second)):
        yield FoldScores(name=name, scores=run.evidence.folds[-1].scores)


def _same_folds(first: ReportedRun, second: ReportedRun) -> bool:
    """Whether both split the same rows into the same folds."""
    same_data = first.evidence.origin.data == second.evidence.origin.data
    plans = [
        {k: v for k, v in run.evidence.settings.items() if k.startswith("folds.")}
        for run in (first, second)
    ]
    return same_data and plans[0] == plans[1]


def _scores(first: Summary, second: Summary, metric: str) -> Iterator[_Row]:
    sign = 1 if first.greater_is_better else -1
    names = {f"{metric}, cross-validated": "cv", "± folds": "cv_std", "held back": "local_score"}
    for name, key in names.items():
        one, other = getattr(first, key), getattr(second, key)
        if one is None and other is None:
            continue
        if one is None or other is None or key == "cv_std":
            yield _Row(name, _number(one), _number(other))
            continue
        gain = sign * (other - one)
        kind = "better" if gain > 0 else "worse" if gain < 0 else ""
        yield _Row(name, _number(one), _number(other), f"{gain:+.4f}", kind)


def _members(first: Summary, second: Summary) -> Iterator[_Row]:
    sides = [{member.name: member for member in side.members} for side in (first, second)]
    for name in dict.fromkeys([*sides[0], *sides[1]]):
        values = [
            f"{side[name].score:.4f} · {side[name].weight:.0%}" if name in side else ABSENT
            for side in sides
        ]
        yield _Row(name, *values)


def _differences(first: Mapping[str, str], second: Mapping[str, str]) -> Iterator[_Row]:
    for key in dict.fromkeys([*first, *second]):
        one, other = first.get(key, ABSENT), second.get(key, ABSENT)
        if one != other:
            yield _Row(key, one, other)


def _settings(first: ReportedRun, second: ReportedRun) -> Iterator[_Row]:
    """Settings that differ; a member that only one run has is one line."""
    sides = [{member.name for member in run.summary.members} for run in (first, second)]
    alone = sides[0] ^ sides[1]
    for row in _differences(first.evidence.settings, second.evidence.settings):
        if row.name.split(".")[0] not in alone:
            yield row
    for name in sorted(alone):
        yield _Row(f"member {name}", *("yes" if name in side else ABSENT for side in sides))


def _checks(first: ReportedRun, second: ReportedRun) -> Iterator[_Row]:
    sides = [{c.name: str(c.outcome) for c in run.evidence.checks} for run in (first, second)]
    for name in dict.fromkeys([*sides[0], *sides[1]]):
        yield _Row(name, *(side.get(name, ABSENT) for side in sides))


def _importances(first: ReportedRun, second: ReportedRun) -> Iterator[_Row]:
    sides: list[dict[str, Any]] = []
    for run in (first, second):
        columns = run.evidence.importance.columns if run.evidence.importance else ()
        sides.append({column.name: f"{column.cost:+.4f}" for column in columns})
    for name in dict.fromkeys([*sides[0], *sides[1]]):
        yield _Row(name, *(side.get(name, ABSENT) for side in sides))


def _seconds(first: Summary, second: Summary) -> Iterator[_Row]:
    for name in dict.fromkeys([*first.stage_seconds, *second.stage_seconds]):
        values = [
            f"{side.stage_seconds[name]:.2f}" if name in side.stage_seconds else ABSENT
            for side in (first, second)
        ]
        yield _Row(name.replace("-", " · ", 1), *values)
    yield _Row("total", f"{first.seconds:.2f}", f"{second.seconds:.2f}")


def _origin(run: ReportedRun) -> dict[str, str]:
    origin = run.evidence.origin
    start = {"device": origin.device, "git commit": origin.git_commit}
    return {**start, "code": origin.code, "data": origin.data, **origin.versions}


def _number(value: float | None) -> str:
    return ABSENT if value is None else f"{value:.4f}"
