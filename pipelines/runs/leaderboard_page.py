"""`foldwise leaderboard`: the places around one's own, and how much time and tries are left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from pipelines.configuration.competition import Competition
from pipelines.console import Narrator, plain_table, print_table
from pipelines.kaggle.client import sign_in
from pipelines.kaggle.errors import Subject
from pipelines.kaggle.leaderboard import Facts, Place
from pipelines.kaggle.retry import Patience
from pipelines.kaggle.sent import Quota
from pipelines.runs.submit import SubmitError

AROUND, TOP = 5, 3  # places on each side of one's own, and at the top
OWN = "<- you"


def show(
    competition: Competition, console: Console, narrator: Narrator, patience: Patience
) -> None:
    """Ask Kaggle, and print.

    Raises:
        SubmitError: A data set, which has no leaderboard.
        KaggleError: Kaggle refused or could not be reached.
    """
    page = competition.on_kaggle
    if page.kind != "competition":
        raise SubmitError(
            f"{competition.name} is a data set on Kaggle, {page.page}: it has no leaderboard; type "
            f"foldwise runs {competition.name} for its scores"
        )
    subject = Subject(page.slug)
    patience = replace(patience, tell=lambda text: narrator.warn(f"Kaggle: {text}"))
    with sign_in(subject, patience) as kaggle:
        facts, quota = kaggle.leaderboards.facts(subject), kaggle.quota(subject)
        places, user = kaggle.leaderboards.places(subject), kaggle.user
    own = own_rank(facts, places, user)
    for label, text in _lines(facts, quota, subject, own, len(places)):
        narrator.say(label, text)
    print_table(console, _table(shown(places, own), own))


def own_rank(facts: Facts, places: Sequence[Place], user: str) -> int | None:
    """One's own place: as the table has it, else as Kaggle says."""
    return next((place.rank for place in places if user and user in place.users), facts.rank)


def shown(places: Sequence[Place], own: int | None) -> list[Place]:
    """The top, and the places around one's own."""
    near = range(0) if own is None else range(own - AROUND, own + AROUND + 1)
    most = TOP if own is not None else TOP + 2 * AROUND
    return [place for place in places if place.rank <= most or place.rank in near]


def _lines(
    facts: Facts, quota: Quota | None, subject: Subject, own: int | None, n_places: int
) -> list[tuple[str, str]]:
    place = "none yet" if own is None else f"{own:,} of {max(n_places, facts.n_teams):,}"
    today = "not given by Kaggle" if quota is None else f"{quota.n_left}, {quota.n_today} made"
    return [
        ("leaderboard", f"{facts.title}   {subject.page}/leaderboard"),
        ("deadline", _until(facts.deadline, datetime.now(UTC))),
        ("left today", today),
        ("your place", place),
    ]


def _until(deadline: datetime | None, now: datetime) -> str:
    if deadline is None:
        return "none"
    days = (deadline - now).days
    left = f"{days:,} days left" if deadline > now else "over"
    return f"{deadline:%Y-%m-%d %H:%M} UTC   {left}"


def _table(places: Sequence[Place], own: int | None) -> Table:
    table = plain_table(["place", "team"], ["score", "last submission", ""])
    before: int | None = None
    for place in places:
        if before is not None and place.rank > before + 1:
            table.add_row("...")
        mark = OWN if place.rank == own else ""
        table.add_row(f"{place.rank:,}", place.team, place.score, place.last, mark)
        before = place.rank
    return table
