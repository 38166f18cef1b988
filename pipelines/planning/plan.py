"""A plan as a person reads it and as `run.json` holds it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict
from rich.table import Table

from pipelines.console import plain_table
from pipelines.pace import spoken
from pipelines.planning.planner import Level

if TYPE_CHECKING:
    from pipelines.configuration.competition import Competition


class Step(BaseModel):
    """One member more.

    Attributes:
        member: What is trained.
        n_folds: Folds per repeat.
        n_repeats: Repeats.
        n_seeds: Replicas of each split.
        length: Epochs or rounds.
        seconds: Predicted, with encoding and safety.
        publishes: Whether a submission is made behind it.
        is_quick: Whether it is only there to have a submission soon, on folds of its own.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    member: str
    n_folds: int
    n_repeats: int
    n_seeds: int
    length: int
    seconds: float
    publishes: bool = True
    is_quick: bool = False

    @property
    def level(self) -> Level:
        """How much of the member's training is done."""
        return Level(self.n_seeds, self.length)


class Plan(BaseModel):
    """What is trained, in this order.

    Attributes:
        limit_s: The time limit.
        planned_at_s: Seconds that were gone when it was made.
        seconds: Predicted for all steps and submissions.
        steps: One for each member.
        left_out: Members that do not fit.
        is_whole: Whether it is all that the competition's file asks for.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    limit_s: float
    planned_at_s: float
    seconds: float
    steps: tuple[Step, ...]
    left_out: tuple[str, ...] = ()
    is_whole: bool = False


def table(plan: Plan, competition: Competition) -> Table:
    """The plan as a person reads it: a line for each member."""
    shown = plain_table(["step", "trains", "folds", "seeds", "epochs or rounds"], ["about"])
    members = {member.name: member for member in competition.members}
    for number, one in enumerate(plan.steps, start=1):
        repeated = f"{one.n_repeats} × " if one.n_repeats > 1 else ""
        shown.add_row(
            f"{number}",
            f"{one.member}{' (a first submission)' if one.is_quick else ''}",
            f"{repeated}{one.n_folds}",
            f"{one.n_seeds}",
            _length(one, members),
            spoken(max(one.seconds, 1.0)),
        )
    return shown


def _length(one: Step, members: Mapping[str, object]) -> str:
    member = members[one.member]
    if getattr(member, "length_key", None) is None:
        return "all"
    whole = int(getattr(member, "length", one.length))
    return f"{one.length} of {whole}" if one.length != whole else f"{whole}"
