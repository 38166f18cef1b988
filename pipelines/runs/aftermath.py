"""What follows a submission: ledger, figures, report and MLflow. None of it is a condition.

What fails is a line each, and tried again by the same command or by `foldwise report`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from pipelines import faults
from pipelines.console import Narrator
from pipelines.faults import Attempt
from pipelines.figures.gallery import draw
from pipelines.prediction import mlflow_model
from pipelines.report import gather as report
from pipelines.runs import mlflow_record
from pipelines.runs.mlflow_process import MLflowProcess
from pipelines.stages import publish
from pipelines.stages.pipeline import Pipeline
from pipelines.stages.run_contents import RunContents
from pipelines.tracking.tracker import Tracker
from pipelines.workspace.layout import Workspace
from pipelines.workspace.summary import Summary
from submissions.ledger import LedgerError

FIGURES, REPORT = "figures", "report"  # the names of their seconds among those of the stages


def note(summary: Summary, root: Path, label: publish.Label, narrator: Narrator) -> None:
    """Note the run in the ledger; one that cannot be written is a warning."""
    try:
        publish.note(summary, root, label)
    except LedgerError as error:
        narrator.warn(f"{error}; the submission is whole, and the same command notes it later")


def complete(pipeline: Pipeline, summary: Summary, narrator: Narrator) -> Summary:
    """Draw and measure what the run still lacks, and write its page; gives the new summary."""
    start, layout = time.perf_counter(), pipeline.contents.layout
    is_first = REPORT not in summary.stage_seconds
    with _line(narrator, FIGURES, is_shown=is_first):
        drawn_now, undrawn = _with_figures(pipeline, summary)
    if drawn_now is not summary:
        summary = drawn_now
        _update(summary, pipeline.contents, narrator)
    drawn = time.perf_counter()
    lacking: dict[str, str] = {}
    with _line(narrator, REPORT, is_shown=is_first) as tell, Attempt() as reporting:
        lacking = report.write(pipeline.competition, pipeline.raw, summary, pipeline.contents, tell)
    for what in (*undrawn, *_together("the report lacks", lacking)):
        narrator.warn(f"{what}; {_again(summary)}")
    _tell(reporting, "the report was not written", summary, pipeline.contents, narrator)
    if is_first and reporting.error is None:
        seconds = {FIGURES: drawn - start, REPORT: time.perf_counter() - drawn}
        summary = _later(summary, seconds)
        _update(summary, pipeline.contents, narrator)
    if not layout.model_file.is_file():
        with Attempt() as describing:
            mlflow_model.describe(layout.folder, pipeline.competition)
        _tell(describing, "no MLflow model was described", summary, pipeline.contents, narrator)
    return summary


@contextlib.contextmanager
def _line(narrator: Narrator, name: str, *, is_shown: bool) -> Iterator[Callable[[str], None]]:
    """A stage's line, if it is to be shown; gives what to call with the part that is made."""
    if not is_shown:
        yield lambda _: None
        return
    start = time.perf_counter()
    with narrator.stages(), narrator.stage(name) as line:
        yield line.note
        line.end(status="made", seconds=time.perf_counter() - start)


def _later(summary: Summary, seconds: dict[str, float]) -> Summary:
    """The summary with the seconds of what was made after it was first written."""
    return summary.model_copy(
        update={
            "stage_seconds": summary.stage_seconds | seconds,
            "spent": summary.spent | seconds,
            "seconds": round(summary.seconds + sum(seconds.values()), 2),
        }
    )


def _with_figures(pipeline: Pipeline, summary: Summary) -> tuple[Summary, list[str]]:
    """The summary with the figures, drawn now where some are lacking; which failed, and why."""
    if summary.figures and not summary.undrawn:
        return summary, []
    layout = pipeline.contents.layout
    gallery = draw(pipeline, layout.figures)
    log = layout.error_log
    reasons = {name: faults.noted(error, log) for name, error in gallery.faults.items()}
    undrawn = list(_together("cannot draw", reasons))
    drawn = tuple(str(path) for path in gallery.paths)
    return summary.model_copy(update={"figures": drawn, "undrawn": tuple(gallery.faults)}), undrawn


def _update(summary: Summary, run: RunContents, narrator: Narrator) -> None:
    """Write the summary again; an earlier one stays where that fails."""
    with Attempt() as writing:
        summary.write(run.layout.folder)
    _tell(writing, "the summary lacks figures and report", summary, run, narrator)


def _together(what: str, reasons: dict[str, str]) -> Iterator[str]:
    """A line for each reason, with the names of all that have it."""
    for why in dict.fromkeys(reasons.values()):
        names = ", ".join(name for name, reason in reasons.items() if reason == why)
        yield f"{what} {names}: {why}"


def tracker(root: Path, narrator: Narrator) -> Tracker | None:
    """Where the run is tracked; None where nothing can be, which is a warning."""
    with Attempt() as starting:
        return Tracker.start(root, narrator)
    assert starting.error is not None, "only a fault ends a block that returns"
    why = faults.noted(starting.error, Workspace(root).error_log)
    narrator.warn(f"MLflow: {why}; the run is not tracked")
    return None


def track(
    tracker: Tracker | None,
    summary: Summary,
    run: RunContents,
    narrator: Narrator,
    process: MLflowProcess | None = None,
) -> Summary:
    """Log the run to MLflow, from the process that has loaded it; what fails is a warning."""
    if tracker is None:
        return summary
    elsewhere = None
    if process is not None:
        elsewhere = partial(process.log, run.layout.folder, tracker.root, tracker.store)
    with Attempt() as tracking:
        return mlflow_record.track(tracker, summary, run, elsewhere)
    _tell(tracking, "MLflow did not take the run", summary, run, narrator)
    return summary


def _tell(
    attempt: Attempt, what: str, summary: Summary, run: RunContents, narrator: Narrator
) -> None:
    """Warn of a fault, if there was one."""
    if attempt.error is not None:
        why = faults.noted(attempt.error, run.layout.error_log)
        narrator.warn(f"{what}: {why}; {_again(summary)}")


def _again(summary: Summary) -> str:
    return f"type foldwise report {summary.run} to try again"
