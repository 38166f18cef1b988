"""Search spaces: which values of a member's settings a study may try."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Value = bool | int | float | str | tuple[Any, ...]


class Range(BaseModel):
    """What all ranges have: frozen, and closed to keys that they do not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Real(Range):
    """A number between `low` and `high`, both included; `log` looks at orders of magnitude."""

    kind: Literal["real"] = "real"
    low: float
    high: float
    log: bool = False

    @model_validator(mode="after")
    def _ascends(self) -> Real:
        _check_ends(self.low, self.high, log=self.log)
        return self

    @property
    def ends(self) -> tuple[Value, ...]:
        """The outermost values."""
        return self.low, self.high

    def holds(self, value: Any) -> bool:
        """Whether a study could try this value."""
        return _is_number(value) and self.low <= value <= self.high


class Whole(Range):
    """A whole number between `low` and `high`, both included; `step` apart, or by `log`."""

    kind: Literal["whole"] = "whole"
    low: int
    high: int
    step: int = Field(1, ge=1)
    log: bool = False

    @model_validator(mode="after")
    def _ascends(self) -> Whole:
        _check_ends(self.low, self.high, log=self.log)
        if (self.high - self.low) % self.step or (self.log and self.step > 1):
            raise ValueError(
                f"step must lead from {self.low} to {self.high}, and be 1 with log, "
                f"however: {self.step}"
            )
        return self

    @property
    def ends(self) -> tuple[Value, ...]:
        """The outermost values."""
        return self.low, self.high

    def holds(self, value: Any) -> bool:
        """Whether a study could try this value."""
        is_whole = _is_number(value) and value == int(value)
        return is_whole and self.low <= value <= self.high and not (value - self.low) % self.step


class Choice(Range):
    """One of these values, between which there is no order."""

    kind: Literal["choice"] = "choice"
    values: tuple[Value, ...] = Field(min_length=1)

    @property
    def ends(self) -> tuple[Value, ...]:
        """All the values."""
        return self.values

    def holds(self, value: Any) -> bool:
        """Whether a study could try this value."""
        return value in self.values


Search = dict[str, Real | Whole | Choice]


def _check_ends(low: float, high: float, *, log: bool) -> None:
    if not low < high or not math.isfinite(high - low) or (log and low <= 0):
        raise ValueError(f"low must be below high, and above 0 with log, however: {low}, {high}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
