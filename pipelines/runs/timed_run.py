"""A run within a time limit: a submission soon, and a better one as long as there is time."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from models.training.hardware import choose_device
from pipelines.configuration.competition import Competition
from pipelines.console import Narrator, print_table
from pipelines.members.member import members_of
from pipelines.pace import spoken
from pipelines.planning import probe
from pipelines.planning.clock import Clock, TimeLimit, TimeLimitError, TimeUpError, checked
from pipelines.planning.costs import Costs
from pipelines.planning.going import SAFETY, TOO_SHORT_S, Going
from pipelines.planning.measure import Measuring
from pipelines.planning.options import Options
from pipelines.planning.plan import Plan, Step, table
from pipelines.planning.planner import Choices, cost_of, is_everything, least
from pipelines.planning.schedule import Budget, Schedule, schedule
from pipelines.planning.speeds import Speeds
from pipelines.runs import aftermath
from pipelines.runs import run as runs
from pipelines.runs.request import RunRequest
from pipelines.runs.submissions_so_far import Submissions
from pipelines.stages.pipeline import Pipeline
from pipelines.workspace import out, run_folders
from pipelines.workspace.layout import PREPROCESS, Workspace, train_stage
from pipelines.workspace.summary import Summary, TimeLine

MARGIN = 0.03  # share of the limit that no plan uses
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
        """Make submissions until time is up, and report the last one."""
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
            raise self._too_short(None)
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
        found: Found | None = self._scheduled(variants)
        while found is not None:
            if found.schedule.quick is not None:
                self._make_quick(self.submissions, found)
            going = Going(found.choices, found.schedule.choice)
            self._carry_out(self.submissions, found.options, going)
            found = self._better(variants, going)

    def _measured(self, submissions: Submissions) -> list[tuple[Options, Costs]]:
        """What was left open, and what it costs on this machine; last without what takes long."""
        begun = submissions.begun
        with submissions.pipeline(begun.competition) as pipeline, self.narrator.stages():
            prepared = pipeline.prepare()
        refits = int(prepared.folds.refit is not None)
        options = Options(begun.competition, self.limit, prepared.folds.n_folds, refits)
        start = time.perf_counter()
        speeds = Speeds(Workspace(begun.request.root).speeds)
        with (
            self.narrator.stages(),
            self.narrator.stage(PLAN) as line,
            probe.work_folder() as place,
        ):
            data, device = begun.raw.digest, begun.request.device
            measuring = Measuring(begun.competition, prepared, data, device, speeds, Path(place))
            costs = measuring.costs(submissions.spent[PREPROCESS], line.note)
            submissions.spent[PLAN] = time.perf_counter() - start
            line.end(status="made", seconds=submissions.spent[PLAN])
        speeds.write()
        self.measuring = measuring
        lean = options.lean(costs)
        if lean is None:
            return [(options, costs)]
        return [(options, costs), (lean, measuring.known(members_of(lean.competition), costs))]

    def _scheduled(self, variants: Sequence[tuple[Options, Costs]]) -> Found:
        """The best plan, shown.

        Raises:
            TimeLimitError: Nothing fits.
        """
        found = self._found(variants, self._first_by, SAFETY)
        if found is None:
            cheapest = [least(options.choices(costs, SAFETY)) for options, costs in variants]
            raise self._too_short(min(choice.seconds for choice in cheapest))
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
        plan, options = found.schedule.plan, found.options
        ends = plan.planned_at_s + plan.seconds
        what = "all that the competition asks for" if plan.is_whole else "what fits"
        self.narrator.say(
            "time limit",
            f"{spoken(plan.limit_s)}, {plan.planned_at_s:.0f} s of it gone; the plan is {what} and "
            f"ends after about {spoken(ends)}",
        )
        print_table(self.narrator.console, table(plan, options.competition))
        if options.without and options.reduced & set(found.schedule.choice.levels):
            self.narrator.say("without", f"{', '.join(options.without)}: they take long to encode")
        if plan.left_out:
            self.narrator.say("left out", f"{', '.join(plan.left_out)}: no time for them")

    def _make_quick(self, submissions: Submissions, found: Found) -> None:
        """The first submission, on few folds."""
        quick = found.schedule.quick
        assert quick is not None, "the caller looks"
        submissions.make(found.options.run_of(quick.folds, quick.levels, quick.levels))
        self.steps += [step for step in found.schedule.plan.steps if step.is_quick]
        self._tell_submission(submissions)

    def _carry_out(self, submissions: Submissions, options: Options, going: Going) -> None:
        """Train one member after the other, and make submissions of them."""
        is_published = True
        while (step := going.next(self._left, self._first_by_of(submissions))) is not None:
            self._tell_changes(going)
            self._train(submissions, options, going, step)
            is_published = step.publishes
            if is_published:
                self._publish(submissions, options, going)
        self._tell_changes(going)
        if not is_published:
            self._publish(submissions, options, going)

    def _train(self, submissions: Submissions, options: Options, going: Going, step: Step) -> None:
        """One member, with its encoder where it is the first to use it."""
        levels = {**going.done, step.member: going.choice.levels[step.member]}
        competition = options.run_of(going.choice.folds, levels, going.readers)
        with submissions.pipeline(competition) as pipeline, self.narrator.stages():
            pipeline.train()
        self.steps.append(step)
        self._learn(going, step, pipeline)

    def _learn(self, going: Going, step: Step, pipeline: Pipeline) -> None:
        """Compare what a member took with what was expected, for the plan and for later runs."""
        name = train_stage(step.member)
        if pipeline.stages[name].status != "made":
            going.learn(step, None)
            return
        _, alone = going.expected(step)
        if pipeline.seconds[name] > TOO_SHORT_S:
            one = next(m for m in members_of(pipeline.competition) if m.name == step.member)
            cost = going.choices.costs.members[step.member]
            self.measuring.remember(one, cost, pipeline.seconds[name] / max(alone, 1e-6))
        going.learn(step, sum(pipeline.seconds.values()) - pipeline.seconds[PREPROCESS])

    def _publish(self, submissions: Submissions, options: Options, going: Going) -> None:
        competition = options.run_of(going.choice.folds, going.done, going.readers)
        seconds = submissions.make(competition)
        going.learn_blend(len(going.done), seconds)
        self._tell_submission(submissions)

    def _tell_submission(self, submissions: Submissions) -> None:
        best = submissions.best
        assert best is not None, "one was made"
        summary = best.summary
        members = ", ".join(line.name for line in summary.members)
        self.narrator.say(
            f"after {self.clock.spent:.0f} s",
            f"{summary.metric} {summary.cv:.4f} ± {summary.cv_std:.4f} by {members} on "
            f"{summary.folds}: {summary.submission}",
        )

    def _tell_changes(self, going: Going) -> None:
        if going.changes:
            self.narrator.say("plan", f"changed to what fits now: {'; '.join(going.changes)}")
            going.changes.clear()

    def _reported(self, submissions: Submissions, ended: Ended) -> Summary:
        """Ledger and summary of the last submission, then figures, report and MLflow."""
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

    def _too_short(self, least_s: float | None) -> TimeLimitError:
        spent = self.clock.spent
        what = "time was up before the first submission"
        enough = 2 * self.clock.limit_s
        if least_s is not None:
            what = (
                f"{spent:.0f} s are gone, and the cheapest submission takes {spoken(least_s)} more"
            )
            enough = (spent + least_s) / (1 - MARGIN)
        again = math.ceil(max(enough, self.clock.limit_s + 1) / 10) * 10
        return TimeLimitError(
            f"--time-limit {self.clock.limit_s:g}: {what}; type --time-limit {again}, or leave "
            "--members, --folds and --set to the plan"
        )

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
