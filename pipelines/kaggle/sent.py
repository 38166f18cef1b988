"""Submissions as Kaggle lists them, and how many it still takes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from pipelines.secret_texts import redacted


@dataclass(frozen=True)
class Sent:
    """One of the team's submissions, as Kaggle lists it.

    Attributes:
        ref: Kaggle's number of the submission.
        file_name: As uploaded.
        n_bytes: Size of the file, if Kaggle gives it.
        message: The description given with the upload.
        time_utc: When Kaggle received it.
        status: Where its scoring is.
        public_score: On the public part of the test rows, once Kaggle shows it.
        private_score: On the private part, after the competition.
        reason: Why Kaggle refused the file, if it did.
    """

    ref: int
    file_name: str
    n_bytes: int | None
    message: str
    time_utc: datetime
    status: Literal["pending", "complete", "error"]
    public_score: float | None
    private_score: float | None
    reason: str


@dataclass(frozen=True)
class Quota:
    """How many submissions were made today, and how many more Kaggle takes; days are of UTC."""

    n_today: int
    n_left: int


def sent_of(listed: Any) -> Sent:
    """From an entry of Kaggle's list."""
    time_utc = listed.date or datetime.now(UTC)
    return Sent(
        ref=listed.ref,
        file_name=listed.file_name or "",
        n_bytes=listed.total_bytes or None,
        message=listed.description or "",
        time_utc=time_utc if time_utc.tzinfo else time_utc.replace(tzinfo=UTC),
        status=listed.status.name.lower(),
        public_score=_score(listed.public_score),
        private_score=_score(listed.private_score),
        reason=redacted(" ".join((listed.error_description or "").split())),
    )


def not_listed_yet(ref: int, message: str) -> Sent:
    """A submission that Kaggle took, before Kaggle lists it."""
    now = datetime.now(UTC)
    return Sent(ref, "", None, message, now, "pending", None, None, "")


def _score(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None
