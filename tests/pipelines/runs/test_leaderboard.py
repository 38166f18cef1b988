"""`foldwise leaderboard` and `runs --import` against the loopback Kaggle, as a person types."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from kaggle_faults import Case, always, queued, signed_out, suffering, wrong_key
from kaggle_server import SECRETS, USER, cut, hang_up, refuse, stall, zipped

from pipelines.commands import app
from submissions import ledger

HEADINGS = "Rank,TeamId,TeamName,LastSubmissionDate,Score,SubmissionCount,TeamMemberUserNames"
LEDGER = Path("submissions/ledger.jsonl")


def board(n_teams, own=None):
    """A leaderboard as Kaggle packs it."""
    lines = [
        f'{rank},{rank},"Team {rank}, the best",2026-11-20 10:00:00,{1 - rank / 1e4:.4f},3,'
        + (f'"ann,{USER}"' if rank == own else "bob")
        for rank in range(1, n_teams + 1)
    ]
    text = "\n".join([HEADINGS, *lines]) + "\n"
    return zipped({"titanic-publicleaderboard.csv": text.encode()})


@pytest.fixture
def foldwise(kaggle, tmp_path, monkeypatch, patience, capsys):
    """Types a command in an empty folder; gives its exit code, what was printed, and the fault."""
    monkeypatch.chdir(tmp_path)
    kaggle.archives["titanic-leaderboard"] = board(100, own=42)
    kaggle.page |= {
        "title": "Titanic - Machine Learning from Disaster",
        "deadline": "2030-01-01T00:00:00Z",
        "teamCount": 100,
        "userRank": 41,
    }

    def type_(*words):
        code = app.main(list(words), patience=patience)
        printed = capsys.readouterr()
        for secret in SECRETS:
            assert secret not in printed.out + printed.err
        return code, printed.out, printed.err

    return type_


def places(out):
    return [int(found) for found in re.findall(r"^\s*(\d+)\s+Team", out, re.MULTILINE)]


def test_the_places_around_ones_own_are_shown(foldwise, kaggle):
    kaggle.submissions.append({"ref": 1, "status": "COMPLETE"})
    code, out, err = foldwise("leaderboard", "titanic")
    assert (code, err) == (0, "")
    assert places(out) == [1, 2, 3, *range(37, 48)]
    (own,) = [line for line in out.splitlines() if "<- you" in line]
    assert own.split()[:5] == ["42", "Team", "42,", "the", "best"]
    assert "your place  42 of 100" in re.sub(" {2,}", "  ", out)
    assert re.search(r"deadline +2030-01-01 00:00 UTC +[\d,]+ days left", out)
    assert re.search(r"left today +4, 1 made", out)


def test_without_a_place_the_top_is_shown(foldwise, kaggle):
    kaggle.archives["titanic-leaderboard"] = board(100)
    kaggle.page |= {"userRank": 0, "deadline": "2020-01-01T00:00:00Z"}
    code, out, _ = foldwise("leaderboard", "titanic")
    assert code == 0
    assert places(out) == list(range(1, 14))
    assert re.search(r"your place +none yet", out)
    assert re.search(r"deadline +2020-01-01 00:00 UTC +over", out)
    assert re.search(r"left today +5, 0 made", out)


def test_a_data_set_has_none(foldwise):
    code, _, err = foldwise("leaderboard", "diabetes")
    assert code == 2
    assert "has no leaderboard; type foldwise runs diabetes" in err


CASES = [
    Case("no credentials", signed_out, 4, "no Kaggle credentials found", ""),
    Case("a wrong key", wrong_key, 4, "refused the credentials", ""),
    Case("rules", always("GetCompetition", refuse(403)), 4, "are its rules accepted?", ""),
    Case("no such", always("GetCompetition", refuse(404)), 4, "no competition 'titanic'", ""),
    Case("too many", always("DownloadLeaderboard", refuse(429)), 4, "too many requests", ""),
    Case("down", always("DownloadLeaderboard", refuse(503)), 4, "Kaggle answered 503", ""),
    Case("once down", queued("DownloadLeaderboard", refuse(503)), 0, "", ""),
    Case("a break", queued("storage", cut(300)), 0, "", ""),
    Case("a hang-up", queued("GetCompetition", hang_up), 0, "", ""),
    Case("silence", always("GetCompetition", stall), 4, "did not answer in time", ""),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.fault)
def test_a_fault_is_one_line_or_none(foldwise, kaggle, case):
    with suffering(case, kaggle):
        code, out, err = foldwise("leaderboard", "titanic")
    assert code == case.code
    if case.code:
        assert case.message in err.splitlines()[-1]
    else:
        assert places(out)


@pytest.mark.parametrize("archive", [b"no zip", zipped({"a.csv": b"x,y\n1,2\n"}), zipped({})])
def test_a_leaderboard_that_cannot_be_read_is_one_line(foldwise, kaggle, archive):
    kaggle.archives["titanic-leaderboard"] = archive
    code, _, err = foldwise("leaderboard", "titanic")
    assert code == 4
    (line,) = err.splitlines()
    assert "leaderboard of titanic cannot be read" in line


def sent(ref, message, **fields):
    return {
        "ref": ref,
        "date": "2026-11-20T10:00:00Z",
        "description": message,
        "fileName": "mine.csv",
        "status": "COMPLETE",
        "publicScore": "0.77",
        "privateScore": "",
    } | fields


def test_submissions_made_elsewhere_come_into_the_ledger_once(foldwise, kaggle):
    refused = sent(8, "broken", status="ERROR", errorDescription="bad ids", publicScore="")
    kaggle.submissions += [sent(9, "by hand"), refused]
    code, out, err = foldwise("runs", "titanic", "--import")
    assert (code, err) == (0, "")
    assert "2 submissions; 2 new and 0 changed" in out
    first, second = ledger.read(LEDGER)
    assert (first.run, first.refused, first.public_score) == ("kaggle-8", "bad ids", None)
    assert (second.run, second.note, second.public_score) == ("kaggle-9", "by hand", 0.77)
    assert second.submitted_utc == datetime(2026, 11, 20, 10, tzinfo=UTC)
    assert second.cv is None
    assert "kaggle-9" in out
    kaggle.submissions.insert(0, sent(10, "later", publicScore="0.79"))
    assert "3 submissions; 1 new and 0 changed" in foldwise("runs", "titanic", "--import")[1]
    assert [e.run for e in ledger.read(LEDGER)] == ["kaggle-8", "kaggle-9", "kaggle-10"]
    best_first = foldwise("runs", "titanic", "--sort", "best")[1]
    assert "kaggle-10" in best_first


def test_import_needs_a_competition(foldwise):
    code, _, err = foldwise("runs", "--import")
    assert code == 2
    assert "--import needs a COMPETITION" in err
