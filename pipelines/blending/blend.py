"""`foldwise blend`: from the request to a checked CSV, its summary, ledger line and report."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.ensembling.goal import Goal
from pipelines import faults
from pipelines.blending.basis import Basis, basis_of
from pipelines.blending.by_hand import Unscored, read_unscored, total_of
from pipelines.blending.claims import checked, numbered
from pipelines.blending.findings import Findings, find_out
from pipelines.blending.gathering import Gathered, gather, renamed
from pipelines.blending.outcome import AUTO, Members, blend_members, chosen_methods, with_known_rows
from pipelines.blending.report_page import write_report
from pipelines.blending.request import BlendRequest
from pipelines.faults import Attempt
from pipelines.runs import aftermath
from pipelines.runs.summarising import Outcome, member_lines, summary_of, way_lines
from pipelines.stages import ensemble, publish, submission
from pipelines.stages.ensemble import EnsembleSettings
from pipelines.stages.pipeline import Pipeline
from pipelines.workspace import out, run_folders
from pipelines.workspace.files import fingerprint
from pipelines.workspace.layout import ENSEMBLE, PREPROCESS, SUBMISSION, RunLayout, Workspace
from pipelines.workspace.provenance import code_digest, git_commit, versions
from pipelines.workspace.stage_cache import Stage, StageStore, is_whole
from pipelines.workspace.summary import Summary

if TYPE_CHECKING:
    from features.folds import Folds
    from pipelines.configuration.competition import Competition
    from pipelines.console import Narrator

CODE = ("pipelines.blending.outcome", "pipelines.blending.findings", "pipelines.blending.by_hand")


@dataclass(frozen=True)
class _Job:
    """Everything that is known before anything is fitted."""

    basis: Basis
    gathered: Gathered
    unscored: Unscored | None
    request: BlendRequest

    @property
    def competition(self) -> Competition:
        """With the settings of the newest run."""
        return self.basis.competition

    @property
    def settings(self) -> EnsembleSettings:
        """What an ensemble needs of the competition."""
        return EnsembleSettings.of(self.competition)

    @property
    def goal(self) -> Goal:
        """Target and metric."""
        return self.settings.goal(self.basis.prepared)

    @property
    def members(self) -> Members:
        """The members as arrays."""
        found = self.gathered.members
        return Members(
            tuple(member.name for member in found),
            np.stack([member.oof for member in found]),
            np.stack([member.test for member in found]),
        )


def blend(competition: Competition, request: BlendRequest, narrator: Narrator) -> Summary:
    """Blend runs and files; the same request on the same files gives the earlier blend.

    Raises:
        BlendRequestError: Options that do not go together, or nothing to blend.
        PredictionFileError: A file is not what it should be.
        Exception: What stages raise, each with an `exit_code`.
    """
    start = time.perf_counter()
    out.check(request.out)
    total_of(request.files.weights)
    claims = numbered("--claim", request.files.claims)
    job = _job(competition, request, narrator)
    chosen_methods(job.goal, request.how, len(job.gathered.members))  # before any work
    _check_claims(job, claims, narrator)
    tracker = aftermath.tracker(request.root, narrator) if request.track else None
    folder = _folder(job)
    layout = RunLayout(folder)
    wait = partial(narrator.say, "run")
    with run_folders.locked(folder, wait), faults.logged(layout.error_log):
        summary = _finished(layout)
        if summary is None:
            narrator.say("blend", f"{folder.name} in {folder}")
            summary = _make(job, layout, narrator, start)
        else:
            narrator.say("blend", f"{folder.name} had the same members and settings; nothing to do")
        publish.copies(summary, folder, request.root, request.out)
        aftermath.note(summary, request.root, _label(summary, request), narrator)
        _report(summary, layout, job.competition, narrator)
        pipeline = Pipeline(
            job.competition, job.basis.raw, StageStore(layout), narrator, device="cpu"
        )
        return aftermath.track(tracker, summary, pipeline.contents, narrator)


def _job(competition: Competition, request: BlendRequest, narrator: Narrator) -> _Job:
    basis = basis_of(competition, request, narrator)
    gathered = gather(basis, request, narrator)
    gathered = replace(gathered, members=renamed(gathered.members))
    unscored = read_unscored(request.files.weights, basis.competition, basis.prepared)
    n_foreign = sum(member.is_foreign for member in gathered.members)
    runs = {member.origin for member in gathered.members if not member.is_foreign}
    of_runs = f"{len(gathered.members) - n_foreign} of {len(runs)} run{'s' * (len(runs) > 1)}"
    parts = [of_runs] if runs else []
    parts += [f"{n_foreign} of files"] if n_foreign else []
    narrator.say("members", ", ".join(parts))
    return _Job(replace(basis, folds=gathered.folds), gathered, unscored, request)


def _check_claims(job: _Job, claims: list[Any], narrator: Narrator) -> None:
    if not claims:
        return
    members, goal, folds = job.members, job.goal, job.basis.folds
    rows = folds.held_out
    target = goal.at(rows)
    over_rows = [goal.metric.score(target.target, m[rows], target.weight) for m in members.oof]
    over_folds = [np.nanmean(goal.decide(m, folds.assignment).scores) for m in members.oof]
    scores = np.array(over_rows), np.array(over_folds)
    for holds, line in checked(claims, job.gathered.members, *scores):
        if holds:
            narrator.say("claim", line)
        else:
            narrator.warn(line)


def _folder(job: _Job) -> Path:
    """The folder of the same blend, else a new one."""
    members = [{"name": m.name, "origin": m.origin} for m in job.gathered.members]
    how = asdict(job.request.how)
    identity = {
        "kind": "blend",
        "configuration": {
            "folds": job.competition.model_dump(mode="json", include={"folds"})["folds"],
            "blend": {key: value for key, value in how.items() if key != "without"},
            "members": members,
        },
        "metric": job.competition.metric.name,
        "content": [member.digest for member in job.gathered.members],
        "assignment": job.basis.folds.digest,
        "unscored": _unscored_identity(job.unscored),
        "source": job.basis.raw.source,
        "data": job.basis.raw.digest,
        "device": "cpu",
        "code": code_digest(list(CODE)),
    }
    mark = fingerprint(identity)
    made_with = {"versions": versions(), "git_commit": git_commit()}
    runs = Workspace(job.request.root).runs(job.competition.name)
    return run_folders.found_or_created(runs, mark, identity | made_with)


def _unscored_identity(unscored: Unscored | None) -> list[Any]:
    return [] if unscored is None else [unscored.weights, unscored.digests]


def _finished(layout: RunLayout) -> Summary | None:
    """The summary of a blend that is whole; None while it is unfinished or damaged."""
    with Attempt() as reading:
        summary = Summary.read(layout.folder)
    stages = (PREPROCESS, ENSEMBLE, SUBMISSION)
    if reading.error is not None or not all(is_whole(layout.stages / name) for name in stages):
        return None
    return summary


def _make(job: _Job, layout: RunLayout, narrator: Narrator, start: float) -> Summary:
    """Stages 2, 5 and 6, and the summary last."""
    store = StageStore(layout)
    pipeline = Pipeline(job.competition, job.basis.raw, store, narrator, device="cpu")
    mark = run_folders.describe(layout.folder, keys=("fingerprint",))["fingerprint"]
    with narrator.stages():
        pipeline.prepare()

        def fit(folder: Path) -> None:
            _fit(job, folder, narrator)

        made = store.do(ENSEMBLE, fit, settings={"blend": mark}, upstream=[], code="")
        csv = _submission(job, pipeline, store, made)
    stages = {**pipeline.stages, ENSEMBLE: made, SUBMISSION: csv}
    summary = _summarise(
        job,
        pipeline,
        layout,
        stage_seconds={name: stage.seconds for name, stage in stages.items()},
        spent={name: s.seconds for name, s in stages.items() if s.status == "made"},
        seconds=round(time.perf_counter() - start, 2),
    )
    summary.write(layout.folder)
    return summary


def _summarise(job: _Job, pipeline: Pipeline, layout: RunLayout, **seconds: Any) -> Summary:
    blend, prepared = pipeline.contents.blend, pipeline.prepared
    made = submission.describe(job.competition, prepared, blend, layout.submission)
    outcome = Outcome(job.competition, job.basis.raw, blend, made, job.basis.prepared.holdout)
    found = Findings.read(layout)
    members = found.members
    return summary_of(
        outcome,
        run=layout.run_id,
        kind="blend",
        folds=_folds(job.basis.folds, found),
        members=tuple(member_lines(blend, [m.name for m in members], [m.adds for m in members])),
        ways=tuple(way_lines(blend, found.errors)),
        warnings=(*found.remarks, *_unscored(found)),
        **seconds,
    )


def _folds(folds: Folds, found: Findings) -> str:
    """How the rows were split, in a few words."""
    repeated = f"{folds.n_repeats} × " if folds.n_repeats > 1 else ""
    return f"{repeated}{folds.n_folds} folds {found.fold_origin}"


def _unscored(found: Findings) -> Iterator[str]:
    if found.unscored:
        share = sum(found.unscored.values())
        files = ", ".join(found.unscored)
        yield (
            f"{share:.0%} of the submission is {files}, which nothing can score without "
            "out-of-fold predictions: the score is that of the rest alone"
        )


def _fit(job: _Job, folder: Path, narrator: Narrator) -> None:
    """Fit, choose, measure, and write what stage 5 of a run would write."""
    members, goal, folds = job.members, job.goal, job.basis.folds
    outcome = blend_members(members, job.settings, goal, folds, job.request.how, narrator)
    tables = job.basis.prepared.train, job.basis.prepared.test
    outcome = with_known_rows(outcome, job.settings, goal, folds, members, tables)
    start = time.perf_counter()
    with narrator.stage("what each adds") as line:
        findings = find_out(outcome, members, job.gathered, goal, folds)
        line.end(status="made", seconds=time.perf_counter() - start)
    made = outcome.blend
    if job.unscored is not None:
        made = replace(made, test=job.unscored.mixed_with(made.test))
        findings = findings.model_copy(update={"unscored": job.unscored.by_file})
    ensemble.save(made, folder)
    findings.write(folder)


def _submission(job: _Job, pipeline: Pipeline, store: StageStore, made: Stage) -> Stage:
    def make(folder: Path) -> None:
        prepared, blend = pipeline.prepared, pipeline.contents.blend
        submission.write(job.competition.predicts, prepared, blend, folder)

    upstream = [pipeline.stages[PREPROCESS].content, made.content]
    return store.do(SUBMISSION, make, settings={"of": "blend"}, upstream=upstream, code="")


def _label(summary: Summary, request: BlendRequest) -> publish.Label:
    """What the ledger notes of a blend."""
    n_members = len(summary.members)
    usual = f"blend of {n_members} member{'s' * (n_members > 1)}: {summary.way}"
    note = usual if request.note is None else " ".join(request.note.split())
    settings = {} if request.how.method == AUTO else {"method": request.how.method}
    if request.how.levels > 1:
        settings["levels"] = str(request.how.levels)
    return publish.Label(note, settings)


def _report(
    summary: Summary, layout: RunLayout, competition: Competition, narrator: Narrator
) -> None:
    """Write the report's page; one that fails is a warning."""
    with Attempt() as writing:
        write_report(summary, layout, title=competition.title)
    if writing.error is not None:
        kept = faults.keep(writing.error, layout.error_log)
        narrator.warn(f"the report was not written: {faults.reason(writing.error)}; {kept}")
