"""What the columns of a table may hold."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Literal, Self

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator

Kind = Literal["int", "byte", "float", "text", "bool", "date", "image"]

BYTE = re.compile(r"[0-9]+(\.0*)?", re.ASCII)
INT = re.compile(r"-?[0-9]+(\.0*)?")  # 1.0 is a whole number
FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
NUMBERS = ("int", "byte", "float")
TEXTS = ("text", "image")
TRUTHS = {"true": True, "1": True, "1.0": True, "yes": True, "t": True, "y": True}
TRUTHS |= {"false": False, "0": False, "0.0": False, "no": False, "f": False, "n": False}
USUAL_MARKS = ("NA", "N/A", "nan", "NaN", "NAN", "null", "NULL", "None", "none", "?", "-", "--")
UTC = " UTC"


class Column(BaseModel):
    """One column and its valid values.

    A `byte` is a whole number from 0 to 255, read and kept in an eighth of an `int`'s memory. A
    `date` is a date or a time, a `bool` True or False in any of the usual spellings, an `image` the
    name of a file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Kind
    missing: bool | tuple[str, ...] = Field(
        default=False,
        description="an empty field is a missing value; texts that mean a missing value too",
    )
    keep_empty: bool = Field(default=False, description="an empty field is the text '' itself")
    as_it_is: bool = Field(default=False, description="a text of which nothing means missing")
    train_only: bool = Field(default=False, description="the test file lacks it; it is no feature")
    allowed: tuple[int | float | str, ...] | None = Field(default=None, description="None: all")
    minimum: float | None = Field(default=None, description="smallest number allowed")
    maximum: float | None = Field(default=None, description="largest number allowed")
    format: str | None = Field(default=None, description="of dates, as in strptime; None: ISO 8601")
    about: str = Field(default="", description="one line for people")

    @model_validator(mode="after")
    def _agrees_with_kind(self) -> Self:
        is_number = self.kind in NUMBERS
        if not is_number and (self.minimum is not None or self.maximum is not None):
            raise ValueError(f"column {self.name!r}: minimum and maximum are for numbers")
        if self.kind == "byte" and self.missing:
            raise ValueError(f"column {self.name!r}: a byte is never missing; use kind 'int'")
        if self.keep_empty and (self.kind != "text" or self.missing):
            raise ValueError(f"column {self.name!r}: keep_empty is for text that is never missing")
        if any(isinstance(value, str) != (self.kind in TEXTS) for value in self.allowed or ()):
            raise ValueError(f"column {self.name!r}: allowed values must be of kind {self.kind}")
        if self.format is not None and self.kind != "date":
            raise ValueError(f"column {self.name!r}: format is for dates")
        return self

    @property
    def may_be_missing(self) -> bool:
        """Whether a value may be missing."""
        return bool(self.missing)

    @property
    def marks(self) -> tuple[str, ...]:
        """Texts that mean a missing value, beside the empty field."""
        return self.missing if isinstance(self.missing, tuple) else ()

    def with_marks(self, marks: Sequence[str]) -> Column:
        """The column with further texts that mean a missing value."""
        if not marks or self.as_it_is or self.keep_empty or self.kind == "byte":
            return self
        return self.model_copy(update={"missing": tuple(dict.fromkeys((*self.marks, *marks)))})

    @property
    def dtype(self) -> str:
        """The pandas dtype, the same whether or not a value happens to be missing."""
        if self.kind == "int":
            return "Int64" if self.missing else "int64"
        if self.kind == "bool":
            return "boolean" if self.missing else "bool"
        return {"byte": "uint8", "float": "float64", "date": "datetime64[us]"}.get(self.kind, "str")

    def expectation(self, field: str, *, decimal: str = ".") -> str | None:
        """What should have stood in place of the field's text; None when it is right."""
        if self.as_it_is:
            return None if field else "a value (none may be missing)"
        blank = not field.strip(" \t") if self.kind not in TEXTS else not field
        if blank or field.strip(" \t") in map(str.strip, self.marks):
            return None if self.missing or self.keep_empty else "a value (none may be missing)"
        expected = self._expected(field, decimal)
        if expected and self.kind not in TEXTS and field.strip(" \t") in USUAL_MARKS:
            mark = field.strip(" \t")
            return f"{expected} (if {mark!r} means missing, set missing=({mark!r},))"
        return expected

    def _expected(self, field: str, decimal: str) -> str | None:
        if self.kind in TEXTS:
            return self._wanted(field)
        number = field.strip(" \t").replace(decimal, ".")
        if self.kind == "bool":
            return None if number.lower() in TRUTHS else "True or False"
        if self.kind == "date":
            return self._expected_date(field)
        if self.kind == "byte":
            whole = int(number.partition(".")[0]) if BYTE.fullmatch(number) else 256
            return self._wanted(whole) if whole < 256 else "a whole number from 0 to 255"
        if self.kind == "int":
            if not INT.fullmatch(number):
                return "a whole number"
            whole = int(number.partition(".")[0])
            if not -(2**63) <= whole < 2**63:
                return "a whole number within 64 bits; longer ones are of kind 'text' or 'float'"
            return self._wanted(whole)
        if not FLOAT.fullmatch(number):
            return "a number"
        return self._wanted(float(number)) if math.isfinite(float(number)) else "a finite number"

    def _expected_date(self, field: str) -> str | None:
        parsed = to_dates(pd.Series([field]), self.format)
        return (
            f"a date like {self.format or '2024-05-31 or 2024-05-31 12:00:00'}"
            * bool(parsed.isna()[0])
            or None
        )

    def _wanted(self, value: float | str) -> str | None:
        if self.allowed is not None and value not in self.allowed:
            shown = ", ".join(str(choice) for choice in self.allowed[:10])
            return f"one of {shown}" + (", …" if len(self.allowed) > 10 else "")
        if isinstance(value, str):
            return None
        if self.minimum is not None and value < self.minimum:
            return f"at least {self.minimum:g}"
        if self.maximum is not None and value > self.maximum:
            return f"at most {self.maximum:g}"
        return None


def to_dates(texts: pd.Series, written: str | None) -> pd.Series:
    """Texts as `datetime64[us]`; NaT where one is no date.

    Args:
        texts: Dates or times; a trailing " UTC" is passed over.
        written: Their format, as in strptime; None for ISO 8601.
    """
    plain = texts.str.removesuffix(UTC)
    parsed = pd.to_datetime(plain, format=written or "ISO8601", errors="coerce", utc=True)
    return parsed.dt.tz_localize(None).astype("datetime64[us]")
