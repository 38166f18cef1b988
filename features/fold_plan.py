"""How rows are assigned to folds: the settings of a fold plan."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class FoldPlan(BaseModel):
    """How rows are assigned to folds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_folds: int = Field(default=5, ge=2, le=1000, description="folds per repeat")
    n_repeats: int = Field(
        default=1, ge=1, le=1000, description="times the rows are assigned again"
    )
    seed: int = Field(default=0, ge=0, description="each repeat derives its seed from this one")
    stratify: bool = Field(default=True, description="each fold has the classes in proportion")
    group: str | None = Field(
        default=None, description="column; rows that share its value stay in one fold"
    )
    column: str | None = Field(
        default=None, description="column that holds each row's fold; n_folds does not count then"
    )
    time: str | None = Field(
        default=None, description="column; each fold is held out by models of earlier rows"
    )
    window: Literal["expanding", "sliding"] = Field(
        default="expanding",
        description="with time: train on all earlier rows, or on as many as the first fold has",
    )
    gap: float = Field(
        default=0.0,
        ge=0,
        description="with time: earlier rows nearer than this are left out (of dates: days)",
    )
    purge: bool = Field(
        default=False, description="with time and group: leave out rows of held-out groups"
    )
    test_share: float | None = Field(
        default=None, gt=0, lt=1, description="a single split that holds this share out"
    )

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if self.column is not None and (self.time or self.group or self.test_share):
            raise ValueError("column gives the folds, so leave time, group and test_share out")
        if self.n_repeats > 1 and (self.column is not None or self.time is not None):
            raise ValueError("folds by time or by a column never differ: set n_repeats=1")
        if self.time is None and (self.gap or self.purge or self.window != "expanding"):
            raise ValueError("gap, purge and window need time, the column that orders the rows")
        if self.purge and self.group is None:
            raise ValueError("purge needs group: name the column")
        return self
