"""Every fault on the way from Kaggle to the raw files, for `run` as a person types it."""

import io
import random
import zipfile
from pathlib import Path

import pytest
from kaggle_faults import (
    Case,
    always,
    limit_files,
    nobody_listens,
    queued,
    signed_out,
    suffering,
    wrong_key,
    wrong_token,
)
from kaggle_server import cut, hang_up, pass_by, refuse, stall, stall_at, zipped

from pipelines.commands import app
from pipelines.kaggle.transfer import CHUNK_BYTES

RUN = ("run", "titanic", "--source", "kaggle", "--no-track", "--members", "trees", "--folds", "3")
QUICK = ("--set", "folds.n_repeats=1", "--set", "trees.n_estimators=1")
BROKE_AT = 2 * CHUNK_BYTES
NOTHING, KEPT, FILES = "nothing", "the bytes that came", "the files"


def corrupt(server, _):
    content = bytearray(server.archives["titanic"])
    content[CHUNK_BYTES] ^= 0xFF
    server.archives["titanic"] = bytes(content)


def not_a_zip(server, _):
    server.archives["titanic"] = b"<!doctype html><title>Sign in</title>"


def bomb(server, _):
    server.archives["titanic"] = zipped({"train.csv": bytes(80 << 20)}, zipfile.ZIP_DEFLATED)


def bigger(server):
    """The same files in another archive, as after a change at Kaggle."""
    with zipfile.ZipFile(io.BytesIO(server.archives["titanic"])) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    return zipped(members | {"notes.txt": random.Random(0).randbytes(50_000)})


def changed_meanwhile(server, _):
    server.on("storage", cut(BROKE_AT, then=bigger(server)))


def full_disk(_, patch):
    limit_files(patch, 2 * CHUNK_BYTES)


API, STORAGE = "DownloadDataFiles", "storage"
RULES = "open https://www.kaggle.com/competitions/titanic/rules, accept them"
DOWNLOADS = [
    Case("no credentials", signed_out, 4, "no Kaggle credentials found", NOTHING),
    Case("401, user name and key", wrong_key, 4, "KAGGLE_USERNAME and KAGGLE_KEY (401)", NOTHING),
    Case("401, token", wrong_token, 4, "KAGGLE_API_TOKEN (401); make a new token", NOTHING),
    Case("403, rules not accepted", always(API, refuse(403)), 4, RULES, NOTHING),
    Case("403 of the storage", always(STORAGE, refuse(403)), 4, "storage answered 403", NOTHING),
    Case("404", always(API, refuse(404)), 4, "no competition 'titanic' (404)", NOTHING),
    Case("400 with a message", always(API, refuse(400, "no")), 4, "titanic (400): no;", NOTHING),
    Case("409 with a message", always(API, refuse(409, "no")), 4, "titanic (409): no;", NOTHING),
    Case(
        "429, Retry-After: 7",
        queued(API, refuse(429, Retry_After="7")),
        0,
        "answered 429; trying again in 7 s (2 of 4)",
        FILES,
    ),
    Case(
        "429, no Retry-After",
        queued(API, refuse(429), refuse(429)),
        0,
        "answered 429; trying again in 2 s (3 of 4)",
        FILES,
    ),
    Case(
        "429, Retry-After: 3600",
        always(API, refuse(429, Retry_After="3600")),
        4,
        "too many requests to Kaggle (429); wait 3600 s",
        NOTHING,
    ),
    Case(
        "500 twice, then fine",
        queued(API, refuse(500), refuse(500)),
        0,
        "answered 500; trying again in 2 s (3 of 4)",
        FILES,
    ),
    Case(
        "500 for ever", always(API, refuse(500)), 4, "answered 500 for titanic (4 tries)", NOTHING
    ),
    Case("connection refused", nobody_listens, 4, "(connection refused; 4 tries)", NOTHING),
    Case(
        "reset in the middle of the file",
        queued(STORAGE, cut(BROKE_AT, reset=True)),
        0,
        "the connection broke; trying again in 1 s (2 of 4)",
        FILES,
    ),
    Case(
        "reset, and then no connection",
        lambda server, patch: (
            server.on(STORAGE, cut(BROKE_AT)),
            server.on(API, pass_by, hang_up, hang_up, hang_up),
        ),
        4,
        "the bytes received are kept: the same command resumes there",
        KEPT,
    ),
    Case("no answer", always(API, stall), 4, "did not answer in time for titanic", NOTHING),
    Case(
        "a stall in the middle of the file",
        queued(STORAGE, stall_at(BROKE_AT)),
        0,
        "no answer in time; trying again in 1 s (2 of 4)",
        FILES,
    ),
    Case(
        "body shorter than announced, always",
        always(STORAGE, cut(BROKE_AT, etag=False)),
        4,
        "broke before titanic was whole (4 tries)",
        NOTHING,
    ),
    Case(
        "another ETag when it goes on",
        changed_meanwhile,
        0,
        "the connection broke; trying again in 1 s (2 of 4)",
        FILES,
    ),
    Case("a corrupt zip", corrupt, 3, "titanic.zip: member", NOTHING),
    Case("a zip bomb", bomb, 3, "unpacks to more than 67,108,864 bytes", NOTHING),
    Case("a web page for a zip", not_a_zip, 3, "a web page (signed out", NOTHING),
    Case("disk full", full_disk, 3, "the disk is full", NOTHING),
]


@pytest.fixture
def kaggle_files(kaggle, titanic_files):
    members = {path.name: path.read_bytes() for path in sorted(titanic_files.iterdir())}
    kaggle.archives["titanic"] = zipped(members)
    return members


def held():
    """All that stage 1 left, by path below `data/titanic`."""
    root = Path("data/titanic")
    files = [path for path in root.rglob("*") if path.is_file() and path.name != ".lock"]
    return {str(path.relative_to(root)): path.stat().st_ino for path in files}


@pytest.mark.parametrize("case", DOWNLOADS, ids=lambda case: case.fault)
def test_a_download(case, suffer, kaggle_files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    suffer(case, [*RUN, *QUICK])
    left = held()
    if case.left == FILES:
        assert set(left) == {f"kaggle/{name}" for name in [*kaggle_files, "manifest.json"]}
        for name, content in kaggle_files.items():
            assert Path("data/titanic/kaggle", name).read_bytes() == content
        return
    assert not Path("submissions").exists()
    if case.left == KEPT:
        (part,) = left
        assert part.startswith(".kaggle.parts/")
        assert Path("data/titanic", part).stat().st_size == BROKE_AT
    else:
        assert left == {}


@pytest.mark.parametrize(
    "case", [c for c in DOWNLOADS if c.left == NOTHING], ids=lambda case: case.fault
)
def test_what_is_there_stays_when_a_refresh_fails(
    case, kaggle, kaggle_files, patience, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    answers = Path("answers.csv")
    answers.write_bytes(kaggle_files["gender_submission.csv"])
    check = ["check", "titanic", str(answers), "--source", "kaggle"]
    assert app.main(check, patience=patience) == 0
    before = held()
    kaggle.archives["titanic"] = bigger(kaggle)
    with suffering(case, kaggle):
        assert app.main([*RUN, *QUICK, "--refresh"], patience=patience) == case.code
    assert case.message in capsys.readouterr().err
    assert held() == before


@pytest.mark.parametrize("harm", [bomb, corrupt, not_a_zip])
def test_an_archive_that_is_no_good_is_fetched_once(
    harm, kaggle, kaggle_files, patience, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    harm(kaggle, None)
    assert app.main([*RUN, *QUICK], patience=patience) == 3
    assert len(kaggle.asked(API)) == 1
    assert held() == {}
