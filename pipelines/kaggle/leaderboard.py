"""A competition's leaderboard, its deadline, and one's own place."""

from __future__ import annotations

import csv
import io
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipelines.kaggle.errors import Subject, as_kaggle_error
from pipelines.kaggle.session import Session, quietly
from pipelines.kaggle.transfer import fetch
from pipelines.secret_texts import redacted

RANK, TEAM, SCORE, LAST = "Rank", "TeamName", "Score", "LastSubmissionDate"
MEMBERS = "TeamMemberUserNames"


@dataclass(frozen=True)
class Facts:
    """What Kaggle has on the page of a competition.

    Attributes:
        title: In words.
        deadline: Of the last submission; None where Kaggle gives none.
        n_teams: How many take part.
        rank: One's own place; None without one.
    """

    title: str
    deadline: datetime | None
    n_teams: int
    rank: int | None


@dataclass(frozen=True)
class Place:
    """A line of the leaderboard.

    Attributes:
        rank: From 1.
        team: Its name.
        score: As Kaggle writes it.
        last: When the team last submitted, as Kaggle writes it.
        users: The accounts of its members.
    """

    rank: int
    team: str
    score: str
    last: str
    users: tuple[str, ...] = ()


@dataclass(frozen=True)
class Leaderboards:
    """The calls that concern a competition and its leaderboard."""

    session: Session

    def facts(self, subject: Subject) -> Facts:
        """What Kaggle has on its page.

        Raises:
            KaggleError: Kaggle refused or could not be reached.
        """
        from kagglesdk.competitions.types.competition_api_service import ApiGetCompetitionRequest

        request = ApiGetCompetitionRequest()
        request.competition_name = subject.slug
        found = self.session.ask(subject, lambda: self._service.get_competition(request))
        return Facts(
            title=found.title or subject.slug,
            deadline=_in_utc(found.deadline),
            n_teams=found.team_count or 0,
            rank=found.user_rank or None,
        )

    def places(self, subject: Subject) -> list[Place]:
        """The whole leaderboard: the public one, or the private one once that is there.

        Raises:
            KaggleError: Kaggle refused, could not be reached, or sent something else.
        """
        with TemporaryDirectory(prefix="foldwise-") as folder:
            with as_kaggle_error(subject, self.session.patience):
                archive = self._fetched(subject.slug, Path(folder))
            try:
                return _places(archive)
            except (zipfile.BadZipFile, KeyError, ValueError) as error:
                raise subject.failed(
                    f"Kaggle's leaderboard of {subject.slug} cannot be read ({error})",
                    f"look at {subject.page}/leaderboard",
                ) from error

    def _fetched(self, slug: str, parts: Path) -> bytes:
        from kagglesdk.competitions.types.competition_api_service import (
            ApiDownloadLeaderboardRequest,
        )

        request = ApiDownloadLeaderboardRequest()
        request.competition_name = slug

        def ask() -> Any:
            return quietly(self._service.download_leaderboard, request)

        http = self.session.client.http_client()._session
        fetched = fetch(ask, http, parts, patience=self.session.patience)
        assert fetched is not None, "there is none that it could equal"
        return fetched[0].read_bytes()

    @property
    def _service(self) -> Any:
        return self.session.client.competitions.competition_api_client


def _places(archive: bytes) -> list[Place]:
    """The lines of the table in the archive."""
    with zipfile.ZipFile(io.BytesIO(archive)) as zipped:
        (name,) = zipped.namelist()
        text = zipped.read(name).decode("utf-8-sig", errors="replace")
    return [
        Place(
            rank=int(line[RANK]),
            team=redacted(" ".join(line[TEAM].split())),
            score=line[SCORE],
            last=line.get(LAST) or "",
            users=tuple(user.strip() for user in (line.get(MEMBERS) or "").split(",")),
        )
        for line in csv.DictReader(io.StringIO(text))
    ]


def _in_utc(moment: datetime | None) -> datetime | None:
    if moment is None or moment.tzinfo is not None:
        return moment
    return moment.replace(tzinfo=UTC)
