"""`foldwise tune`: studies of a competition's members, from the files to the tuned values.

The folds that are tuned on are dealt by another seed than those of `foldwise run`. Their score
flatters, since it chose the values; so the best trial is trained once more on the folds of a run,
which had no say, and both scores are told.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np

from models.training.hardware import choose_device
from pipelines.configuration import tuned_values
from pipelines.configuration.assignments import fingerprint, resolved, settings_of
from pipelines.configuration.competition import Competition, Member, NetworkMember
from pipelines.configuration.encoders import encoder_identities
from pipelines.console import Narrator, StageLine
from pipelines.runs.run import fetch
from pipelines.stages.download import RawFiles
from pipelines.stages.pipeline import CODE, Pipeline
from pipelines.tracking.background_writer import StudyWriter
from pipelines.tracking.stores import TrackingError
from pipelines.tracking.tracker import Tracker
from pipelines.tuning import figures as study_figures
from pipelines.tuning import mlflow_records, optimise, results
from pipelines.tuning.results import Scored, Tuning
from pipelines.tuning.study import Study, Values
from pipelines.tuning.trials import Bench, member_named, with_values
from pipelines.workspace.provenance import code_digest
from pipelines.workspace.stage_cache import StageStore

TUNING_SEED = 1_000_003  # added to the folds' seed: nobody types a number like that for a run


class TuneError(ValueError):
    """A member that has nothing to search, or a pruner that there is not."""

    exit_code = 2


class NothingFoundError(RuntimeError):
    """A study in which no trial ran to its end."""

    exit_code = 3


@dataclass(frozen=True)
class Request:
    """What a person asked for, beside the configuration.

    Attributes:
        member: the one to tune; None for all that have a search space.
        n_trials: that each study is to have in the end.
        timeout_s: for all studies together.
        storage: an address that Optuna knows; None for a journal file.
        seed: of the proposals.
        at_once: trials of networks that share a stack.
        pruner: `auto` is median for networks, wilcoxon for members that go fold by fold.
        source: `auto`, `kaggle`, `sample` or a path.
        n_repeats: times that the rows are dealt for tuning.
        n_seeds: replicas per fold in tuning.
        device: `auto`, `cpu` or `cuda`.
        score: whether to train the best trial on the folds of a run.
        track: whether to write MLflow runs.
        root: the folder that holds `data/`, `runs/` and `studies/`.
    """

    member: str | None = None
    n_trials: int = 100
    timeout_s: float | None = None
    storage: str | None = None
    seed: int = 0
    at_once: int = 1
    pruner: str = "auto"
    source: str = "auto"
    n_repeats: int = 1
    n_seeds: int = 1
    device: str = "auto"
    score: bool = True
    track: bool = True
    root: Path = Path()


def tune(competition: Competition, request: Request, narrator: Narrator) -> Iterator[Tuning]:
    """Study one member after the other; each is given when it is done.

    Raises:
        TuneError: there is nothing to search.
        NothingFoundError: no trial of a study ran to its end.
        Exception: the stages' own errors; every one has an `exit_code`.
    """
    members = _searched(competition, request.member)
    if request.pruner not in ("auto", *get_args(optimise.Pruner)):
        known = ", ".join(("auto", *get_args(optimise.Pruner)))
        raise TuneError(f"unknown pruner {request.pruner!r}; known: {known}")
    request = replace(request, device=choose_device(request.device))
    raw = fetch(competition, narrator, source=request.source, root=request.root)
    end = time.monotonic() + (np.inf if request.timeout_s is None else request.timeout_s)
    for n_done, member in enumerate(members):
        left = (end - time.monotonic()) / (len(members) - n_done)
        timeout_s = None if request.timeout_s is None else max(0.0, left)
        one = replace(request, member=member.name, timeout_s=timeout_s)
        yield _Tuner(competition, member, raw, one, narrator).tune()


def _searched(competition: Competition, name: str | None) -> list[Member]:
    able = [member for member in competition.members if member.search]
    if name is None and able:
        return able
    if name is not None and (member := member_named(competition, name)).search:
        return [member]
    known = ", ".join(member.name for member in able) or "none"
    raise TuneError(
        f"{competition.name}: {name or 'no member'} has a search space; those that have: {known}; "
        f"give the member one in the competition's file, `search={{...}}`"
    )


class _Tuner:
    """The study of one member."""

    def __init__(
        self,
        competition: Competition,
        member: Member,
        raw: RawFiles,
        request: Request,
        narrator: Narrator,
    ) -> None:
        self._competition = competition.model_copy(update={"members": (member,)})
        self._member, self._raw, self._request = member, raw, request
        self._narrator = narrator
        self._tracker = Tracker.start(request.root, narrator) if request.track else None
        self._folder = tuned_values.study_folder(request.root, competition.name, member.name)
        self._mark = self._fingerprint()
        self._plan = self._planned()

    def tune(self) -> Tuning:
        """The whole of it: study, file, both scores, figures, MLflow."""
        start = time.perf_counter()
        self._narrator.say("study", f"{self._plan.name} in {self._folder}")
        with StudyWriter.maybe(self._tracker, self._parent()) as writer:
            with self._narrator.stages():
                study = self._study(writer)
                seconds = time.perf_counter() - start
                best = self._keep_best(study)
                default, best_scored = self._both_scores(best)
            made = Tuning(
                competition=self._competition.name,
                member=self._member.name,
                metric=self._competition.metric,
                source=self._raw.source,
                synthetic=self._raw.synthetic,
                study=study,
                defaults=self._plan.defaults,
                folder=self._folder,
                seconds=seconds,
                default=default,
                tuned=best_scored,
            )
            figures = study_figures.draw(made, self._plan.space, self._folder / "figures")
            results.write(made)
            return replace(made, figures=figures, mlflow_run_id=self._sent(writer, made))

    def _fingerprint(self) -> str:
        """What trials must have in common to be compared: not the seed, not the storage."""
        space = {key: own.model_dump(mode="json") for key, own in self._member.search.items()}
        return fingerprint(
            {
                "configuration": resolved(self._on_tuning_folds()),
                "encoder": encoder_identities(self._competition)[self._member.name].as_settings(),
                "space": space,
                "n_seeds": self._request.n_seeds,
                "data": self._raw.digest,
                "device": self._request.device,
                "code": code_digest((*CODE, self._competition.features.__module__)),
            }
        )[:8]

    def _on_tuning_folds(self) -> Competition:
        """The competition with folds that no run is scored on."""
        plan = self._competition.folds
        folds = plan.model_copy(
            update={"seed": plan.seed + TUNING_SEED, "n_repeats": self._request.n_repeats}
        )
        return self._competition.model_copy(update={"folds": folds})

    def _planned(self) -> optimise.StudyPlan:
        request, member = self._request, self._member
        now = settings_of(self._competition)
        return optimise.StudyPlan(
            name=f"{self._competition.name}-{member.name}-{self._mark}",
            folder=self._folder,
            storage=request.storage,
            space=member.search,
            defaults={key: now[f"{member.name}.{key}"] for key in member.search},
            greater_is_better=self._competition.greater_is_better,
            pruner=_pruner(request.pruner, member),
            seed=request.seed,
            n_trials=request.n_trials,
            timeout_s=request.timeout_s,
            at_once=request.at_once,
        )

    def _study(self, writer: StudyWriter) -> Study:
        """The trials; Ctrl-C keeps the best of those that there are."""
        competition = self._on_tuning_folds()
        dataset = self._pipeline(competition, "folds").dataset_of(self._member)
        bench = Bench(
            competition, self._member, dataset, self._request.n_seeds, self._request.device
        )
        with self._narrator.stage(f"tune · {self._member.name}") as line:
            start = time.perf_counter()
            try:
                study = optimise.run_study(
                    self._plan, bench, lambda study: self._hear(study, line, writer)
                )
            except KeyboardInterrupt:
                if (left := optimise.read_study(self._plan)).best is not None:
                    self._keep_best(left)
                raise
            line.end(status=_progress(study), seconds=time.perf_counter() - start)
        return study

    def _hear(self, study: Study, line: StageLine, writer: StudyWriter) -> None:
        line.advance(len(study.trials), max(self._plan.n_trials, len(study.trials)))
        line.note(_progress(study))
        records = mlflow_records.children(self._parent(), study)
        writer.write([records[number] for number in study.ours])

    def _keep_best(self, study: Study) -> Values:
        """Write the tuned file; the best values.

        Raises:
            NothingFoundError: there are none.
        """
        best = study.best
        if best is None or best.score is None:
            raise NothingFoundError(
                f"{study.name}: none of {len(study.trials)} trials ran to its end; "
                "give it more --trials or a longer --timeout, or narrow the search space"
            )
        found = tuned_values.Tuned(
            member=self._member.name,
            path=self._folder / tuned_values.FILE,
            values=best.values,
            score=best.score,
            n_trials=len(study.trials),
            data=self._raw.digest,
            source=self._raw.source,
        )
        tuned_values.write(found, competition=self._competition.name, study=study.name)
        return best.values

    def _both_scores(self, best: Values) -> tuple[Scored | None, Scored | None]:
        """The defaults and the best values on the folds of a run, if that was asked."""
        if not self._request.score:
            return None, None
        # The tuned member comes last: its stage stays there for the next run to link.
        default = self._scored(self._member)
        return default, self._scored(with_values(self._competition, self._member, best))

    def _scored(self, member: Member) -> Scored:
        competition = self._competition.model_copy(update={"members": (member,)})
        scores = self._pipeline(competition, "scored").predictions_of(member).scores
        return Scored(float(scores.mean()), float(scores.std()), len(scores))

    def _pipeline(self, competition: Competition, what: str) -> Pipeline:
        """Stages in a folder beside the runs, so that runs and studies share what they can."""
        name = f"tune-{self._member.name}-{self._mark}-{what}"
        folder = self._request.root / "runs" / self._competition.name / name
        return Pipeline(
            competition,
            self._raw,
            StageStore(folder),
            self._narrator,
            device=self._request.device,
        )

    def _parent(self) -> mlflow_records.Parent:
        return mlflow_records.Parent(
            competition=self._competition.name,
            member=self._member.name,
            study=self._plan.name,
            source="synthetic" if self._raw.synthetic else self._raw.source,
            metric=self._competition.metric,
        )

    def _sent(self, writer: StudyWriter, made: Tuning) -> str | None:
        """The MLflow run, finished; a server's trouble is a warning, and what it missed is kept."""
        if self._tracker is None:
            return None
        last = mlflow_records.finished(self._parent(), made, self._plan)
        run_id, trouble = None, None
        try:
            run_id = writer.finish(last)
        except TrackingError as error:
            trouble = error
        self._tracker.note(trouble, last.parent, last.children, self._competition.name)
        return run_id


def _pruner(asked: str, member: Member) -> optimise.Pruner:
    """Networks report the mean of all folds after an epoch; other members fold after fold."""
    names = {name: name for name in get_args(optimise.Pruner)}
    pruner: optimise.Pruner = names.get(
        asked, "median" if isinstance(member, NetworkMember) else "wilcoxon"
    )
    return pruner


def _progress(study: Study) -> str:
    """What stands beside the bar."""
    if study.best is None or study.best.score is None:
        return f"{len(study.trials)} trials"
    pruned = f", {study.n_pruned} pruned" if study.n_pruned else ""
    return f"best {study.best.score:.4f} of {len(study.trials)} trials{pruned}"
