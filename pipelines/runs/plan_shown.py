"""What a run with a time limit shows while it goes on: its plan, changes of it, and submissions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.console import Narrator, print_table
from pipelines.pace import spoken
from pipelines.planning.plan import table

if TYPE_CHECKING:
    from pipelines.planning.going import Going
    from pipelines.planning.options import Options
    from pipelines.planning.schedule import Schedule
    from pipelines.runs.submissions_so_far import Submissions
    from pipelines.workspace.summary import Summary


def plan(narrator: Narrator, options: Options, schedule: Schedule) -> None:
    """The plan as a table, and what it does without."""
    made = schedule.plan
    ends = made.planned_at_s + made.seconds
    what = "all that the competition asks for" if made.is_whole else "what fits"
    narrator.say(
        "time limit",
        f"{spoken(made.limit_s)}, {made.planned_at_s:.0f} s of it gone; the plan is {what} and "
        f"ends after about {spoken(ends)}",
    )
    print_table(narrator.console, table(made, options.competition))
    if options.without and options.reduced & set(schedule.choice.levels):
        narrator.say("without", f"{', '.join(options.without)}: they take long to encode")
    if made.left_out:
        narrator.say("left out", f"{', '.join(made.left_out)}: no time for them")


def submission(narrator: Narrator, submissions: Submissions, spent_s: float) -> None:
    """The submission that was made last, and whether an earlier one is kept instead."""
    last, best = submissions.last, submissions.best
    assert last is not None, "one was made"
    assert best is not None, "one was made"
    kept = last.summary.submission
    if best is not last:
        kept = f"worse than {_score(best.summary)} before, which is kept: {best.summary.submission}"
    narrator.say(f"after {spent_s:.0f} s", f"{_described(last.summary)}: {kept}")


def changes(narrator: Narrator, going: Going) -> None:
    """What changed of the plan since it was shown last."""
    if going.changes:
        narrator.say("plan", f"changed to what fits now: {'; '.join(going.changes)}")
        going.changes.clear()


def _described(summary: Summary) -> str:
    members = ", ".join(line.name for line in summary.members)
    return f"{summary.metric} {_score(summary)} by {members} on {summary.folds}"


def _score(summary: Summary) -> str:
    return f"{summary.cv:.4f} ± {summary.cv_std:.4f}"
