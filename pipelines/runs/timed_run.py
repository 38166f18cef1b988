"""A run within a time limit: a submission soon, and a better one as long as there is time."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from models.training.device import choose_device
from pipelines.configuration.competition import Competition
from pipelines.console import Narrator
from pipelines.faults import Attempt, reason
from pipelines.members.member import members_of
from pipelines.planning import probe
from pipelines.planning.clock import (
    MARGIN,
    Clock,
    TimeLimit,
    TimeLimitError,
    TimeUpError,
    checked,
    too_short,
)
from pipelines.planning.costs import Costs
from pipelines.planning.going import SAFETY, TOO_SHORT_S, Going
from pipelines.planning.measure import Measuring
from pipelines.planning.options import Options
from pipelines.planning.plan import Plan, Step
from pipelines.planning.planner import Choices, cost_of, is_everything, least
from pipelines.planning.schedule import Budget, Schedule, member_step, schedule
from pipelines.planning.speeds import Speeds
from pipelines.runs import aftermath, plan_shown
from pipelines.runs import run as runs
from pipelines.runs.request import RunRequest
from pipelines.runs.submissions_so_far import Submissions
from pipelines.stages.pipeline import Pipeline
from pipelines.workspace import out, run_folders
from pipelines.workspace.layout import (
    ENSEMBLE,
    PREPROCESS,
    Workspace,
    dataset_stage,
    train_stage,
)
from pipelines.workspace.summary import Summary, TimeLine

FIRST_S, FIRST_SHARE = 60.0, 0.5  # a submission is there after a minute, or half of the limit
WORTHWHILE = 0.02  # gain of a further plan
START = "start"  # of the process, among the seconds of the stages
PLAN = "plan"  # its seconds among those of the stages, and its key in `run.json`
Ended = Literal["planned", "time", "interrupted"]


def run(competition: Competition, request: RunRequest, narrator: Narrator) -> Summary:
    """Run within the request's time limit; without one all that the competition asks for.

    Raises:
        TimeLimitError: Nothing can be done within the limit, or a cluster is to train.
        Exception: Each stage's own errors; every one has an `exit_code`.
    """
    if request.limit is None:
        return runs.run(competition, request, narrator)
    if request.on is not None:
        raise TimeLimitError(
            f"--time-limit plans by the speed of this machine, found --on {request.on}; leave --on "
            "out, or --time-limit"
        )
    clock = Clock(checked(request.limit.limit_s), request.limit.started)
    quieter = Narrator(narrator.console, hides_unchanged=True)
    return _TimedRun(competition, request, request.limit, clock, quieter).run()


@dataclass(frozen=True)
class Found:
    """A plan and what it was found in.

    Attributes:
        options: What was left open.
        choices: What it costs.
        schedule: The plan.
    """

    options: Options
    choices: Choices
    schedule: Schedule


@dataclass
class _TimedRun:
    """One run within a limit.

    Attributes:
        competition: As it would run without a limit.
        request: What else was asked for.
        limit: The limit, and what binds the plan.
        clock: How much of it is left.
        narrator: Tells what is done.
        submissions: What was made so far.
        plan: What was planned at first.
        steps: What was trained, in order.
    """

    competition: Competition
    request: RunRequest
    limit: TimeLimit
    clock: Clock
    narrator: Narrator
    submissions: Submissions | None = None
    plan: Plan | None = None

    def __post_init__(self) -> None:
        self.steps: list[Step] = []

    def run(self) -> Summary:
        """Make submissions until time is up, and report the best one."""
        ended: Ended = "planned"
        try:
            with self.clock.watched():
                self._make_submissions()
        except TimeUpError:
            ended = "time"
        except KeyboardInterrupt:
            ended = "interrupted"
            if self.submissions is None or self.submissions.best is None:
                raise
        if self.submissions is None or self.submissions.best is None:
            raise too_short(self.clock, None)
        return self._reported(self.submissions, ended)

    def _make_submissions(self) -> None:
        start, started_s = time.perf_counter(), self.clock.spent
        request = replace(self.request, device=choose_device(self.request.device))
        out.check(request.out)
        begun = runs.begin(self.competition, request, self.narrator, start=start)
        self.submissions = Submissions(
            begun, self.narrator, spent={START: started_s, "download": begun.download_s}
        )
        variants = self._measured(self.submissions)
        found: Found | None = self._scheduled(self.submissions, variants)
        while found is not None:
            going = Going(found.choices, found.schedule.choice)
            if found.schedule.quick is not None:
                going.learn_pace(*self._make_quick(self.submissions, found))
            self._carry_out(self.submissions, found.options, going)
            found = self._better(variants, going)

    def _measured(self, submissions: Submissions) -> list[tuple[Options, Costs]]:
        """What was left open, and what it costs on this machine; last without what takes long.

        Before anything is measured there is a first submission.
        """
        begun = submissions.begun
        with submissions.pipeline(begun.competition) as pipeline, self.narrator.stages():
            prepared = pipeline.prepare()
        refits = int(prepared.folds.refit is not None)
        options = Options(begun.competition, self.limit, prepared.folds.n_folds, refits)
        speeds = Speeds(Workspace(begun.request.root).speeds)
        with probe.work_folder() as place:
            data, device = begun.raw.digest, begun.request.device
            measuring = Measuring(begun.competition, prepared, data, device, speeds, Path(place))
            if not measuring.knows_all:
                self._make_first(submissions, options, len(prepared.train))
            costs = self._costs(submissions, measuring)
        speeds.write()
        self.measuring = measuring
        lean = options.lean(costs)
        if lean is None:
            return [(options, costs)]
        return [(options, costs), (lean, measuring.known(members_of(lean.competition), costs))]

    def _costs(self, submissions: Submissions, measuring: Measuring) -> Costs:
        start = time.perf_counter()
        with self.narrator.stages(), self.narrator.stage(PLAN) as line:
            costs = measuring.costs(submissions.spent[PREPROCESS], line.note)
            submissions.spent[PLAN] = time.perf_counter() - start
            line.end(status="made", seconds=submissions.spent[PLAN])
        return costs

    def _make_first(self, submissions: Submissions, options: Options, n_rows: int) -> None:
        """A submission of a cheap member, before it is known what the others take."""
        first = options.first(n_rows, max(self._first_by, FIRST_SHARE * self._left))
        if first is None:
            return
        with Attempt() as attempt:
            submissions.make(options.run_of(first.folds, first.levels, first.levels))
        if attempt.error is not None:  # so short a training may give nothing; a planned one does
            self.narrator.say("note", f"no first submission: {reason(attempt.error)}")
            return
        self.steps += [
            member_step(first.folds, name, level, first.seconds, publishes=True, quick=True)
            for name, level in first.levels.items()
        ]
        plan_shown.submission(self.narrator, submissions, self.clock.spent)

    def _scheduled(
        self, submissions: Submissions, variants: Sequence[tuple[Options, Costs]]
    ) -> Found | None:
        """The best plan, shown; None where nothing more than the first submission fits.

        Raises:
            TimeLimitError: Nothing fits.
        """
        found = self._found(variants, self._first_by_of(submissions), SAFETY)
        if found is None and submissions.best is not None and not self.limit.binds_members:
            self.narrator.say("plan", "nothing more fits; the first submission is the result")
            return None
        if found is None:
            cheapest = [least(options.choices(costs, SAFETY)) for options, costs in variants]
            raise too_short(self.clock, min(choice.seconds for choice in cheapest))
        self.plan = found.schedule.plan
        self._show(found)
        return found

    def _better(self, variants: Sequence[tuple[Options, Costs]], going: Going) -> Found | None:
        """What fits into the rest of the time and promises more than what is done."""
        reached = cost_of(going.choices, going.done)
        options, costs = variants[0]
        if is_everything(options.choices(costs, 1.0), reached) and not going.choices.is_reduced:
            return None
        found = self._found(variants, math.inf, going.choices.safety)
        if found is None or found.schedule.choice.gain < reached.gain + WORTHWHILE:
            return None
        self._show(found)
        return found

    def _found(
        self, variants: Sequence[tuple[Options, Costs]], first_by: float, safety: float
    ) -> Found | None:
        """The best plan of all variants; the first one if it is all that was asked for."""
        budget = Budget(self.clock.limit_s, self.clock.spent, self._left, first_by)
        best: Found | None = None
        for options, costs in variants:
            choices = replace(options.choices(costs, safety), prepared=variants[0][0].folds[0])
            made = schedule(choices, options.quick_folds, budget)
            if made is None:
                continue
            if best is None or made.choice.gain > best.schedule.choice.gain + WORTHWHILE:
                best = Found(options, choices, made)
            if made.plan.is_whole:
                break
        return best

    def _show(self, found: Found) -> None:
        plan_shown.plan(self.narrator, found.options, found.schedule)

    def _make_quick(self, submissions: Submissions, found: Found) -> tuple[float, float]:
        """The first submission, on few folds; the seconds expected, and those that it took."""
        quick = found.schedule.quick
        assert quick is not None, "the caller looks"
        options = found.options
        seconds = submissions.make(options.run_of(quick.folds, quick.levels, quick.levels))
        self.steps += [one for one in found.schedule.plan.steps if one.is_quick]
        plan_shown.submission(self.narrator, submissions, self.clock.spent)
        return quick.seconds / found.choices.safety, sum(seconds.values())

    def _carry_out(self, submissions: Submissions, options: Options, going: Going) -> None:
        """Train one member after the other, and make submissions of them."""
        is_published = True
        while (step := going.next(self._left, self._first_by_of(submissions))) is not None:
            plan_shown.changes(self.narrator, going)
            self._train(submissions, options, going, step)
            is_published = step.publishes
            if is_published:
                self._publish(submissions, options, going)
        plan_shown.changes(self.narrator, going)
        if not is_published:
            self._publish(submissions, options, going)

    def _train(self, submissions: Submissions, options: Options, going: Going, step: Step) -> None:
        """One member, with its encoder where it is the first to use it."""
        levels = {**going.done, step.member: going.choice.levels[step.member]}
        competition = options.run_of(going.choice.folds, levels, going.readers)
        start = time.perf_counter()
        with submissions.pipeline(competition) as pipeline, self.narrator.stages():
            try:
                pipeline.train()
            except TimeUpError:
                self._learn_overrun(going, step, pipeline, time.perf_counter() - start)
                raise
        self.steps.append(step)
        self._learn(going, step, pipeline)

    def _learn(self, going: Going, step: Step, pipeline: Pipeline) -> None:
        """Compare what a member took with what was expected, for the plan and for later runs."""
        name = train_stage(step.member)
        if pipeline.stages[name].status != "made":
            going.learn(step, None)
            return
        self._remember(going, step, pipeline, pipeline.seconds[name])
        going.learn(step, sum(pipeline.seconds.values()) - pipeline.seconds[PREPROCESS])

    def _learn_overrun(self, going: Going, step: Step, pipeline: Pipeline, seconds: float) -> None:
        """Of a training that the end of the time cut off."""
        encoder = pipeline.encoders[step.member].name
        trained_s = seconds - sum(pipeline.seconds.values())
        if dataset_stage(encoder) in pipeline.stages and trained_s > going.expected(step)[1]:
            self._remember(going, step, pipeline, trained_s)

    def _remember(self, going: Going, step: Step, pipeline: Pipeline, seconds: float) -> None:
        """Keep a member's cost for later runs, unless its training was too short to show it."""
        if seconds <= TOO_SHORT_S:
            return
        _, alone = going.expected(step)
        one = next(m for m in members_of(pipeline.competition) if m.name == step.member)
        cost = going.choices.costs.members[step.member]
        self.measuring.remember(one, cost, seconds / max(alone, 1e-6))

    def _publish(self, submissions: Submissions, options: Options, going: Going) -> None:
        competition = options.run_of(going.choice.folds, going.done, going.readers)
        seconds = submissions.make_in_time(
            competition,
            self.clock,
            blend_s=going.blend_seconds(),
            is_asked=self._is_asked(options, going),
        )
        going.learn_blend(len(going.done), seconds.get(ENSEMBLE, 0.0))
        plan_shown.submission(self.narrator, submissions, self.clock.spent)

    def _is_asked(self, options: Options, going: Going) -> bool:
        """Whether what is trained is all of the file, or all members that were asked for."""
        members = {member.name for member in options.competition.members}
        if self.limit.binds_members and members <= set(going.done):
            return True
        reached = cost_of(going.choices, going.done)
        return is_everything(options.choices(going.choices.costs, 1.0), reached)

    def _reported(self, submissions: Submissions, ended: Ended) -> Summary:
        """Ledger and summary of the best submission, then figures, report and MLflow."""
        best = submissions.best
        assert best is not None, "the caller looks"
        with submissions.pipeline(best.competition) as pipeline:
            folder = pipeline.contents.layout.folder
            summary = best.summary.model_copy(
                update={"spent": submissions.spent, "time": self._time(submissions, ended)}
            )
            runs.note(pipeline, submissions.begun, summary, self.narrator)
            self._keep_plan(folder)
            summary = self._timed(summary)
            summary.write(folder)
            submissions.clear()
            return summary if ended == "interrupted" else self._completed(pipeline, summary)

    def _completed(self, pipeline: Pipeline, summary: Summary) -> Summary:
        """With figures, report and MLflow, whose seconds come after the limit's."""
        start, request = time.monotonic(), self.request
        tracker = aftermath.tracker(request.root, self.narrator) if request.track else None
        summary = aftermath.complete(pipeline, summary, self.narrator)
        summary = aftermath.track(tracker, summary, pipeline.contents, self.narrator)
        assert summary.time is not None, "it was set before"
        after_s = round(time.monotonic() - start, 2)
        line = summary.time.model_copy(update={"after_s": after_s})
        summary = summary.model_copy(update={"time": line})
        summary.write(pipeline.contents.layout.folder)
        return summary

    def _time(self, submissions: Submissions, ended: Ended) -> TimeLine:
        assert submissions.best is not None, "the caller looks"
        trained = {line.name for line in submissions.best.summary.members}
        members = members_of(submissions.begun.competition)
        return TimeLine(
            limit_s=self.clock.limit_s,
            within_s=round(self.clock.spent, 2),
            ended=ended,
            left_out=tuple(m.name for m in members if m.name not in trained),
            n_steps=submissions.n_made,
        )

    def _timed(self, summary: Summary) -> Summary:
        assert summary.time is not None, "it was set before"
        within_s = round(self.clock.spent, 2)
        line = summary.time.model_copy(update={"within_s": within_s})
        return summary.model_copy(update={"time": line, "seconds": within_s})

    def _keep_plan(self, folder: Path) -> None:
        """Write what was planned and what was done into `run.json`."""
        planned = {} if self.plan is None else self.plan.model_dump(mode="json")
        done = [step.model_dump(mode="json") for step in self.steps]
        run_folders.describe_further(folder, {PLAN: {**planned, "done": done}})

    @property
    def _left(self) -> float:
        """Seconds that a plan may use."""
        return self.clock.left - MARGIN * self.clock.limit_s

    @property
    def _first_by(self) -> float:
        """Seconds from now by which there should be a submission."""
        return min(FIRST_S, FIRST_SHARE * self.clock.limit_s) - self.clock.spent

    def _first_by_of(self, submissions: Submissions) -> float:
        return self._first_by if submissions.best is None else math.inf
