"""`foldwise tune`: studies of a competition's members, from the files to the tuned values.

Tuning uses folds from a different seed than `foldwise run`. The score on them is optimistic, since
it chose the values; so the best values are also scored on the folds of a run, and both scores are
reported.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

from models.executor import LOCAL, Executor
from models.training.device import choose_device
from pipelines import faults
from pipelines.configuration import tuned_values
from pipelines.configuration.assignments import resolved, settings_of
from pipelines.configuration.competition import Competition
from pipelines.configuration.encoders import encoder_identities
from pipelines.console import Narrator, StageLine
from pipelines.executors import opening
from pipelines.faults import Attempt
from pipelines.members.member import Member
from pipelines.raw_files.raw import RawFiles
from pipelines.stages import stage_code
from pipelines.stages.download import fetch
from pipelines.stages.pipeline import Pipeline
from pipelines.tracking.background_writer import StudyWriter
from pipelines.tracking.stores import TrackingError
from pipelines.tracking.tracker import Tracker
from pipelines.tuning import figures as study_figures
from pipelines.tuning import mlflow_records, optimise, results
from pipelines.tuning.optimise import Pruner
from pipelines.tuning.request import TuneRequest, check, searched, shares
from pipelines.tuning.results import Scored, Tuning
from pipelines.tuning.storage import StorageLostError, check_storage
from pipelines.tuning.study import Study, Values
from pipelines.tuning.trials import Bench, with_values
from pipelines.workspace.files import fingerprint
from pipelines.workspace.layout import FIGURES, Workspace
from pipelines.workspace.stage_cache import StageStore

TUNING_SEED = 1_000_003  # added to the folds' seed; nobody types such a seed for a run


class NothingFoundError(RuntimeError):
    """A study without a complete trial."""

    exit_code = 3


def tune(competition: Competition, request: TuneRequest, narrator: Narrator) -> Iterator[Tuning]:
    """Tune one member after the other; each result is yielded when it is complete.

    Raises:
        TuneError: There is nothing to search, the pruner is unknown, or options exclude each other.
        ClusterError: The cluster named in the request does not exist or is not like this machine.
        NothingFoundError: No trial of a study ran to its end.
        StorageError: The studies' storage cannot be opened.
        StorageLostError: It went away, and did not come back.
        Exception: The stages' own errors; every one has an `exit_code`.
    """
    members = searched(competition, request.members)
    check(request)
    request = replace(request, device=choose_device(request.device))
    check_storage(request.study.storage)
    raw = fetch(competition, narrator, source=request.source, root=request.root)
    with opening.opened(request.on, narrator) as executor:
        for member, study in shares(members, request.study):
            one = replace(request, study=study)
            tuner = _Tuner(competition, member, raw, one, narrator, executor)
            if request.join:
                tuner.join()
            else:
                yield tuner.tune()


class _Tuner:
    """The study of one member."""

    def __init__(
        self,
        competition: Competition,
        member: Member,
        raw: RawFiles,
        request: TuneRequest,
        narrator: Narrator,
        executor: Executor = LOCAL,
    ) -> None:
        self._executor = executor
        self._competition = competition.model_copy(update={"members": (member,)})
        self._member, self._raw, self._request = member, raw, request
        self._narrator = narrator
        is_tracked = request.track and not request.join
        self._tracker = Tracker.start(request.root, narrator) if is_tracked else None
        self._folder = tuned_values.study_folder(request.root, competition.name, member.name)
        self._fingerprint = self._trial_fingerprint()
        self._plan = self._make_plan()
        self._known: Study | None = None  # the study as it was last read from its storage
        self._elsewhere = ""  # what an executor says of the trials

    def join(self) -> None:
        """Try trials until the study has enough; its results belong to who did not join."""
        self._narrator.say("study", f"{self._plan.name}, joined")
        with self._narrator.stages():
            study = self._study(StudyWriter())
        n_ours = f"{len(study.ours)} of {len(study.trials)} trials by this worker"
        self._narrator.say(
            "joined", f"{n_ours}; `foldwise tune` without --join scores the best and writes it down"
        )

    def tune(self) -> Tuning:
        """Run the study, write the tuned values, both scores and figures, and log to MLflow."""
        start = time.perf_counter()
        self._narrator.say("study", f"{self._plan.name} in {self._folder}")
        with StudyWriter.maybe(
            self._tracker, self._parent().record, self._competition.name
        ) as writer:
            with self._narrator.stages():
                study = self._study(writer)
                best = self._write_best(study)
                default, tuned = self._both_scores(best)
            tuning = Tuning(
                competition=self._competition.name,
                member=self._member.name,
                metric=self._competition.metric.name,
                source=self._raw.source,
                synthetic=self._raw.synthetic,
                study=study,
                defaults=self._plan.defaults,
                folder=self._folder,
                seconds=0.0,
                default=default,
                tuned=tuned,
            )
            self._write_best(study, gain=tuning.gain, gain_error=tuning.gain_error)
            tuning = replace(
                tuning, figures=self._drawn(tuning), seconds=time.perf_counter() - start
            )
            results.write(tuning)
            return replace(tuning, mlflow_run_id=self._send(writer, tuning))

    def _drawn(self, tuning: Tuning) -> tuple[Path, ...]:
        """The study's figures; where they cannot be drawn, none and a warning."""
        with Attempt() as drawing:
            return study_figures.draw(tuning, self._plan.space, self._folder / FIGURES)
        assert drawing.error is not None, "only a fault ends a block that returns"
        self._narrator.warn(f"no figures of the study: {faults.reason(drawing.error)}")
        return ()

    def _trial_fingerprint(self) -> str:
        """What trials must have in common to be compared: neither the seed nor the storage."""
        space = {key: values.model_dump(mode="json") for key, values in self._member.search.items()}
        return fingerprint(
            {
                "configuration": resolved(self._on_tuning_folds()),
                "encoder": encoder_identities(self._competition)[self._member.name].as_settings(),
                "space": space,
                **self._in_rounds,
                "n_seeds": self._request.n_seeds,
                "data": self._raw.digest,
                "device": self._request.device,
                "code": stage_code.of_run(self._competition),
            }
        )[:8]

    @property
    def _in_rounds(self) -> dict[str, int]:
        """Trials of other rounds learn from others, so they belong to another study."""
        size = self._request.study.round_size
        return {} if size is None else {"round": size}

    def _on_tuning_folds(self) -> Competition:
        """The competition with folds that no run is scored on."""
        plan = self._competition.folds
        folds = plan.model_copy(
            update={"seed": plan.seed + TUNING_SEED, "n_repeats": self._request.n_repeats}
        )
        return self._competition.model_copy(update={"folds": folds})

    def _make_plan(self) -> optimise.StudyPlan:
        request, member = self._request, self._member
        present = settings_of(self._competition)
        return optimise.StudyPlan(
            name=f"{self._competition.name}-{member.name}-{self._fingerprint}",
            folder=self._folder,
            space=member.search,
            defaults={key: present[f"{member.name}.{key}"] for key in member.search},
            greater_is_better=self._competition.greater_is_better,
            pruner=_pruner(request.pruner, member),
            options=replace(request.study, join=request.join),
        )

    def _study(self, writer: StudyWriter) -> Study:
        """Run the trials; what stops them keeps the best of those that are complete."""
        competition = self._on_tuning_folds()
        dataset = self._pipeline(competition, "folds").dataset_of(self._member)
        bench = Bench(
            competition, self._member, dataset, self._request.n_seeds, self._request.device
        )
        with self._narrator.stage(f"tune · {self._member.name}") as line:
            start = time.perf_counter()
            try:
                with self._executor.shown(f"tune · {self._member.name}", self._note(line)):
                    study = optimise.run_study(
                        self._plan,
                        bench,
                        lambda study: self._hear(study, line, writer),
                        self._narrator.warn,
                        self._executor,
                    )
            except (KeyboardInterrupt, StorageLostError):
                left = self._known
                if left is not None and left.best is not None and not self._request.join:
                    self._write_best(left)
                raise
            line.end(status=_progress(study), seconds=time.perf_counter() - start)
        return study

    def _note(self, line: StageLine) -> Callable[[str], None]:
        """Takes how far the executor is, of which the study has its own count."""

        def note(text: str) -> None:
            self._elsewhere = " · " + text.partition(" · ")[2]
            self._show(line)

        return note

    def _show(self, line: StageLine) -> None:
        """The best so far, and how many trials run where."""
        so_far = "" if self._known is None else _progress(self._known)
        line.note(so_far + self._elsewhere)

    def _hear(self, study: Study, line: StageLine, writer: StudyWriter) -> None:
        self._known = study
        n_trials = len(study.trials)
        if not study.ours:
            line.resume(n_trials)
        line.advance(n_trials, max(self._plan.options.n_trials, n_trials))
        self._show(line)
        records = mlflow_records.children(self._parent(), study)
        writer.write([records[number] for number in study.ours])

    def _write_best(
        self, study: Study, *, gain: float | None = None, gain_error: float | None = None
    ) -> Values:
        """Write the tuned values' file; the best values.

        Args:
            study: With a complete trial.
            gain: What the best values gain on the folds of a run, once that is known.
            gain_error: The standard error of the gain.

        Raises:
            NothingFoundError: No trial is complete.
        """
        best = study.best
        if best is None or best.score is None:
            raise NothingFoundError(
                f"{study.name}: none of {len(study.trials)} trials ran to its end; "
                "give it more --trials or a longer --time-limit, or narrow the search space"
            )
        tuned = tuned_values.Tuned(
            member=self._member.name,
            path=self._folder / tuned_values.FILE,
            values=best.values,
            score=best.score,
            n_trials=len(study.trials),
            data=self._raw.digest,
            source=self._raw.source,
            gain=gain,
            gain_error=gain_error,
        )
        tuned_values.write(tuned, competition=self._competition.name, study=study.name)
        return best.values

    def _both_scores(self, best: Values) -> tuple[Scored | None, Scored | None]:
        """The scores of the defaults and of the best values on the folds of a run, if requested."""
        if not self._request.score:
            return None, None
        # The tuned member comes last, so that the next run finds its stage.
        default = self._scored(self._member, self._plan.defaults)
        tuned = with_values(self._competition, self._member, best)
        return default, self._scored(tuned, best)

    def _scored(self, member: Member, values: Values) -> Scored:
        competition = self._competition.model_copy(update={"members": (member,)})
        # In a folder of these values alone: other workers may have found others.
        purpose = f"{fingerprint(dict(values))[:8]}-scored"
        scores = self._pipeline(competition, purpose).predictions_of(member).scores
        return Scored(
            mean=float(scores.mean()),
            std=float(scores.std()),
            n_splits=len(scores),
            scores=tuple(scores.tolist()),
            n_folds=competition.folds.n_folds,
        )

    def _pipeline(self, competition: Competition, purpose: str) -> Pipeline:
        """Stages in a folder beside the runs, so that runs and studies share finished stages."""
        study = f"{self._member.name}-{self._fingerprint}-{purpose}"
        run = Workspace(self._request.root).trial_run(self._competition.name, study)
        return Pipeline(
            competition,
            self._raw,
            StageStore(run),
            self._narrator,
            device=self._request.device,
            executor=self._executor,
        )

    def _parent(self) -> mlflow_records.Parent:
        return mlflow_records.Parent(
            competition=self._competition.name,
            member=self._member.name,
            study=self._plan.name,
            source="synthetic" if self._raw.synthetic else self._raw.source,
            metric=self._competition.metric.name,
        )

    def _send(self, writer: StudyWriter, tuning: Tuning) -> str | None:
        """Finish the MLflow run; where the server fails, warn and keep what it did not get."""
        if self._tracker is None:
            return None
        last = mlflow_records.finished(self._parent(), tuning, self._plan)
        run_id, trouble = None, None
        try:
            run_id = writer.finish(last)
        except TrackingError as error:
            trouble = error
        self._tracker.note(trouble, last, self._competition.name)
        return run_id


def _pruner(name: str, member: Member) -> Pruner:
    """The pruner of that name; `auto` depends on what the member's trials report."""
    known: dict[str, Pruner] = {pruner: pruner for pruner in get_args(Pruner)}
    return known.get(name, "median" if member.splits_advance_together else "wilcoxon")


def _progress(study: Study) -> str:
    """The text beside the progress bar."""
    if study.best is None or study.best.score is None:
        return f"{len(study.trials)} trials"
    pruned = f", {study.n_pruned} pruned" if study.n_pruned else ""
    return f"best {study.best.score:.4f} of {len(study.trials)}{pruned}"
