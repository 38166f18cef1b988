"""A run from the request to its summary: its folder, its stages, figures, report and MLflow run."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from features.folds import FoldPlan
from models.ensembling.selection import standard_error
from models.executor import LOCAL, Executor
from models.training.device import choose_device
from pipelines import faults
from pipelines.configuration.assignments import changes, resolved
from pipelines.configuration.competition import Competition
from pipelines.configuration.encoders import encoder_identities
from pipelines.configuration.tuned_values import still_used, withdrawn
from pipelines.console import Narrator
from pipelines.executors import opening
from pipelines.faults import Attempt
from pipelines.members.member import file_digests, members_of
from pipelines.raw_files.raw import RawFiles
from pipelines.runs import aftermath, mlflow_process
from pipelines.runs.request import RunRequest
from pipelines.runs.summarising import Outcome, member_lines, summary_of, way_lines
from pipelines.stages import publish, stage_code
from pipelines.stages.download import fetch
from pipelines.stages.ensemble import Blend
from pipelines.stages.pipeline import Pipeline
from pipelines.workspace import out, run_folders
from pipelines.workspace.files import fingerprint
from pipelines.workspace.layout import RunLayout, Workspace
from pipelines.workspace.provenance import git_commit, versions
from pipelines.workspace.stage_cache import StageStore
from pipelines.workspace.summary import BLEND, Summary, TunedLine


@dataclass(frozen=True)
class Begun:
    """A run whose raw files are there.

    Attributes:
        competition: With those tuned values that it uses.
        request: With the device that was chosen.
        raw: The files.
        tuned: The tuned values.
        download_s: Seconds of stage 1, and of what comes before it.
    """

    competition: Competition
    request: RunRequest
    raw: RawFiles
    tuned: tuple[TunedLine, ...]
    download_s: float


def run(competition: Competition, request: RunRequest, narrator: Narrator) -> Summary:
    """Run all six stages, or those that no earlier run has finished.

    The same request on the same data gives the earlier run's summary.

    Raises:
        RunFolderError: The run named in the request cannot be continued.
        ClusterError: The cluster named in the request does not exist or is not like this machine.
        Exception: Each stage's own errors; every one has an `exit_code`.
    """
    request = replace(request, device=choose_device(request.device))
    out.check(request.out)
    with opening.opened(request.on, narrator) as executor:
        return _run(competition, request, narrator, executor)


def _run(
    competition: Competition, request: RunRequest, narrator: Narrator, executor: Executor
) -> Summary:
    start = time.perf_counter()
    tracker = aftermath.tracker(request.root, narrator) if request.track else None
    begun = begin(competition, request, narrator, start=start)
    with (
        opened(begun, begun.competition, narrator, executor) as pipeline,
        mlflow_process.loading(tracker, pipeline.contents.layout) as process,
    ):
        summary = made(pipeline, begun, narrator)
        note(pipeline, begun, summary, narrator)
        summary = aftermath.complete(pipeline, summary, narrator)
        return aftermath.track(tracker, summary, pipeline.contents, narrator, process)


def begin(
    competition: Competition, request: RunRequest, narrator: Narrator, *, start: float
) -> Begun:
    """Stage 1, and which tuned values the run uses.

    Args:
        competition: As it is to run.
        request: With a device that was chosen.
        narrator: Tells what is done.
        start: When the run began, of `time.perf_counter`.
    """
    raw = fetch(
        competition,
        narrator,
        source=request.source,
        root=request.root,
        refresh=request.refresh,
        patience=request.patience,
    )
    download_s = time.perf_counter() - start
    competition, tuned = _tuned(competition, raw, request, narrator)
    return Begun(competition, request, raw, tuned, download_s)


@contextlib.contextmanager
def opened(
    begun: Begun, competition: Competition, narrator: Narrator, executor: Executor = LOCAL
) -> Iterator[Pipeline]:
    """The stages of a run of this competition, in its folder, which is held for this process."""
    folder = _folder(competition, begun.raw, begun.request)
    layout = RunLayout(folder)
    wait = partial(narrator.say, "run")
    with run_folders.locked(folder, wait), faults.logged(layout.error_log):
        store = StageStore(layout)
        device = begun.request.device
        yield Pipeline(competition, begun.raw, store, narrator, device=device, executor=executor)


def made(pipeline: Pipeline, begun: Begun, narrator: Narrator, *, is_named: bool = True) -> Summary:
    """Run the stages that are not finished, and copy the CSV to where a person looks for it.

    Args:
        pipeline: The stages.
        begun: What they are run for.
        narrator: Tells what is done.
        is_named: Whether the run's id is shown.
    """
    folder, request = pipeline.contents.layout.folder, begun.request
    summary = _finished(pipeline, narrator)
    where = f"{folder.name} in {folder}"
    if summary is not None:
        where = f"{folder.name} had the same data, settings and code; nothing to do"
    if is_named:
        narrator.say("run", where)
    if summary is None:
        summary = _make(pipeline, folder, narrator, begun.download_s)
    if summary.tuned != begun.tuned:
        summary = summary.model_copy(update={"tuned": begun.tuned})
        summary.write(folder)
    publish.copies(summary, folder, request.root, request.out)
    return summary


def note(pipeline: Pipeline, begun: Begun, summary: Summary, narrator: Narrator) -> None:
    """Note the run in the ledger."""
    competition, request = pipeline.competition, begun.request
    text = None if request.note is None else " ".join(request.note.split())
    label = publish.Label(text, changes(competition, request.defaults or competition))
    aftermath.note(summary, request.root, label, narrator)


def _finished(pipeline: Pipeline, narrator: Narrator) -> Summary | None:
    """The run's summary; None while it is unfinished, or where something of it was damaged."""
    layout = pipeline.contents.layout
    with Attempt() as reading:
        summary = Summary.read(layout.folder)
    if reading.error is not None:
        narrator.warn(f"{faults.reason(reading.error)}; it is made again now")
        return None
    if summary is not None and (damaged := pipeline.damaged_stages()):
        which = ", ".join(str(layout.stages / name) for name in damaged)
        narrator.warn(f"{which}: changed since its run wrote it, or gone; it is made again now")
        return None
    return summary


def _tuned(
    competition: Competition, raw: RawFiles, request: RunRequest, narrator: Narrator
) -> tuple[Competition, tuple[TunedLine, ...]]:
    """The competition with those tuned values that the run uses; which, and why not the others."""
    used, left_out = [], []
    for tuned in still_used(competition, request.tuned):
        if dict(tuned.values) == {key: tuned.defaults.get(key) for key in tuned.values}:
            continue  # the defaults were the best trial
        reason = tuned.why_not(competition.name, raw.digest)
        if reason is None or request.always_tuned:
            used.append(tuned)
            narrator.say("tuned", f"{tuned.member}: {tuned.summary()} ({tuned.path})")
            if reason is not None:
                narrator.warn(f"{tuned.member}'s tuned values are used, although {reason}")
        else:
            left_out.append(tuned)
            narrator.say(
                "not tuned",
                f"{tuned.member} keeps its defaults, not the values of {tuned.path}: {reason}; "
                "--tuned uses them",
            )
    return withdrawn(competition, left_out), tuple(
        TunedLine(
            name=tuned.member,
            values=tuned.summary(),
            score=tuned.score,
            n_trials=tuned.n_trials,
            file=str(tuned.path),
        )
        for tuned in used
    )


def _folder(competition: Competition, raw: RawFiles, request: RunRequest) -> Path:
    """The run's folder: the one named, else that of the same request, else a new one."""
    runs = Workspace(request.root).runs(competition.name)
    encoders = encoder_identities(competition)
    identity = {
        "configuration": resolved(competition),
        "encoders": {member: encoder.name for member, encoder in encoders.items()},
        "encoder_settings": {encoder.name: encoder.settings for encoder in encoders.values()},
        "source": raw.source,
        "data": raw.digest,
        "device": request.device,
        **file_digests(members_of(competition)),
        "code": stage_code.of_run(competition),
    }
    mark = fingerprint(identity)
    if request.run_id is not None:
        return run_folders.by_id(runs, request.run_id, mark)
    made_with = {"versions": versions(), "git_commit": git_commit()}
    return run_folders.found_or_created(runs, mark, identity | made_with)


def _make(pipeline: Pipeline, folder: Path, narrator: Narrator, downloaded: float) -> Summary:
    """Run the stages, and write the summary last."""
    start = time.perf_counter()
    with narrator.stages():
        pipeline.run()
    for member in pipeline.predictions:
        for note in member.notes:
            narrator.say("note", f"{member.member}: {note}")
    for warning in _warnings(pipeline):
        narrator.warn(warning)
    made = {name: stage.seconds for name, stage in pipeline.stages.items()}
    summary = _summarise(
        pipeline,
        run=folder.name,
        stage_seconds={"download": downloaded} | made,
        spent={"download": downloaded} | pipeline.seconds,
        seconds=round(downloaded + time.perf_counter() - start, 2),
    )
    summary.write(folder)
    return summary


def _warnings(pipeline: Pipeline) -> Iterator[str]:
    yield from pipeline.prepared.warnings
    for member in pipeline.predictions:
        yield from (f"{member.member}: {warning}" for warning in member.warnings)
    yield from _leaks(pipeline)
    local = pipeline.submission.local_score
    if local is not None and not np.isfinite(local):
        metric = pipeline.competition.metric.name
        yield f"{metric} is undefined on the held-back rows, so it is left out"


def _leaks(pipeline: Pipeline) -> Iterator[str]:
    """A warning where scores are better than honest models can be."""
    competition, blend = pipeline.competition, pipeline.blend
    beyond, metric = competition.leak_beyond, competition.metric
    if beyond is None:
        return
    names = ("the blend", *blend.members)
    found = np.array([blend.cv, *np.nanmean(blend.member_scores, axis=1)])
    # Test rows with a known label count as correct in the scores, which is no leak.
    of_new = (found - blend.overlap_share) / (1 - blend.overlap_share)
    scores = dict(zip(names, of_new if blend.overlap_share else found, strict=True))
    suspects = [f"{n} {s:.4f}" for n, s in scores.items() if metric.is_better(s, beyond)]
    if suspects:
        yield (
            f"{competition.metric.name} of {', '.join(suspects)}: beyond {beyond:g}, which honest "
            "models do not reach here; look for a column that contains the target, or for "
            "something that was fitted on rows outside the fold"
        )


def _summarise(pipeline: Pipeline, *, run: str, **of_the_run: Any) -> Summary:
    prepared, blend = pipeline.prepared, pipeline.blend
    outcome = Outcome(
        pipeline.competition, pipeline.raw, blend, pipeline.submission, prepared.holdout
    )
    return summary_of(
        outcome,
        run=run,
        folds=_folds(pipeline.competition.folds),
        members=tuple(member_lines(blend, blend.members)),
        ways=tuple(way_lines(blend, _errors(blend, prepared.folds.n_folds))),
        warnings=tuple(_warnings(pipeline)),
        **of_the_run,
    )


def _folds(plan: FoldPlan) -> str:
    """How the rows were split, in a few words."""
    if plan.column is not None:
        return f"folds given by {plan.column}"
    if plan.test_share is not None:
        return f"one split, {plan.test_share:.0%} held out"
    if plan.time is not None:
        return f"{plan.n_folds} folds by time {plan.time}, {plan.window} window"
    repeated = f"{plan.n_repeats} × " if plan.n_repeats > 1 else ""
    grouped = f" by {plan.group}" if plan.group else ""
    return f"{repeated}{plan.n_folds} folds{grouped}"


def _errors(blend: Blend, n_folds: int) -> list[float | None]:
    """By candidate, the standard error of its difference to the weighted blend."""
    first = blend.candidate_scores[0]
    return [
        standard_error(scores - first, n_folds) if name != BLEND else None
        for name, scores in zip(blend.candidates, blend.candidate_scores, strict=True)
    ]
