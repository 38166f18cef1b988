"""Search spaces: the values that a study may try for a member's settings."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Value = bool | int | float | str | tuple[Any, ...]


class Range(BaseModel):
    """The base of all ranges: frozen, without unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Real(Range):
    """A number from `low` to `high`, both included; `log` samples orders of magnitude."""

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
        """The smallest and the largest value."""
        return self.low, self.high

    def holds(self, value: Any) -> bool:
        """Whether the range contains the value."""
        return _is_number(value) and self.low <= value <= self.high


class Whole(Range):
    """A whole number from `low` to `high`, both included, in steps of `step` or by `log`."""

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
                f"step must divide {self.high} - {self.low}, and be 1 with log, found {self.step}"
            )
        return self

    @property
    def ends(self) -> tuple[Value, ...]:
        """The smallest and the largest value."""
        return self.low, self.high

    def holds(self, value: Any) -> bool:
        """Whether the range contains the value."""
        is_whole = _is_number(value) and value == int(value)
        return is_whole and self.low <= value <= self.high and not (value - self.low) % self.step


class Choice(Range):
    """One of several values without an order."""

    kind: Literal["choice"] = "choice"
    values: tuple[Value, ...] = Field(min_length=1)

    @property
    def ends(self) -> tuple[Value, ...]:
        """All the values."""
        return self.values

    def holds(self, value: Any) -> bool:
        """Whether the range contains the value."""
        return value in self.values


Search = dict[str, Real | Whole | Choice]


def _check_ends(low: float, high: float, *, log: bool) -> None:
    if not low < high or not math.isfinite(high - low) or (log and low <= 0):
        raise ValueError(f"low must be below high, and above 0 with log, found {low} and {high}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
