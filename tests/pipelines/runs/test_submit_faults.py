"""Every fault on the way from a finished run to its score, for `submit` as a person types it."""

from pathlib import Path

import pytest
from kaggle_faults import (
    Case,
    always,
    limit_files,
    nobody_listens,
    queued,
    signed_out,
    wrong_key,
    wrong_token,
)
from kaggle_server import answer_and_hang_up, hang_up, pass_by, refuse, stall

from pipelines.commands import app
from submissions import ledger

SUBMIT = ("submit", "titanic", "--yes")
LEDGER = Path("submissions/ledger.jsonl")
NOT_SENT, NOTED = "the ledger as it was", "ledger: the message alone"
SENT, SCORED, REFUSED = "ledger: sent, no score", "ledger: sent, scored", "ledger: sent, refused"


def full_ledger(_, patch):
    limit_files(patch, LEDGER.stat().st_size)


RULES = "open https://www.kaggle.com/competitions/titanic/rules, accept them"
LIST, START = "ListSubmissions", "StartSubmissionUpload"
UPLOAD, CREATE = "upload", "CreateSubmission"
UNSURE = "Kaggle did not say whether it took the file for titanic"
UPLOADED = {"message": "Submission not allowed: too few rows", "ref": 0}
LATE = "Submission not allowed: the deadline has passed"
SUBMITS = [
    Case("no credentials", signed_out, 4, "no Kaggle credentials found", NOT_SENT),
    Case("401, user name and key", wrong_key, 4, "KAGGLE_USERNAME and KAGGLE_KEY (401)", NOT_SENT),
    Case("401, token", wrong_token, 4, "KAGGLE_API_TOKEN (401); nothing was sent", NOT_SENT),
    Case("403, rules not accepted", always(START, refuse(403)), 4, RULES, NOTED),
    Case("404", always(LIST, refuse(404)), 4, "no competition 'titanic' (404)", NOT_SENT),
    Case(
        "400 with a message",
        always(CREATE, refuse(400, LATE)),
        4,
        f"titanic (400): {LATE}; nothing was sent",
        NOTED,
    ),
    Case(
        "409 with a message",
        always(CREATE, refuse(409, "another submission is being made")),
        4,
        "titanic (409): another submission is being made; nothing was sent",
        NOTED,
    ),
    Case(
        "429, Retry-After: 7",
        queued(CREATE, refuse(429, Retry_After="7")),
        0,
        "answered 429; trying again in 7 s (2 of 4)",
        SCORED,
        1,
    ),
    Case(
        "429, no Retry-After",
        queued(START, refuse(429), refuse(429)),
        0,
        "answered 429; trying again in 2 s (3 of 4)",
        SCORED,
        1,
    ),
    Case(
        "500 twice, then fine",
        queued(CREATE, refuse(500), refuse(500)),
        0,
        "answered 500; trying again in 2 s (3 of 4)",
        SCORED,
        1,
    ),
    Case("500 for ever", always(CREATE, refuse(500)), 4, "500 for titanic (4 tries)", NOTED),
    Case("connection refused", nobody_listens, 4, "connection refused; 4 tries", NOT_SENT),
    Case(
        "the connection breaks in the upload",
        queued(UPLOAD, hang_up),
        0,
        "the connection broke; trying again in 1 s (2 of 4)",
        SCORED,
        1,
    ),
    Case("no answer", always(LIST, stall), 4, "did not answer in time for titanic", NOT_SENT),
    Case(
        "the file is taken, but the answer is lost",
        queued(CREATE, answer_and_hang_up),
        0,
        "the connection broke; trying again in 1 s (2 of 4)",
        SCORED,
        1,
    ),
    Case("no answer to whether the file is taken", queued(CREATE, stall), 4, UNSURE, NOTED),
    Case(
        "an upload that fails (400 of the storage)",
        always(UPLOAD, refuse(400)),
        4,
        "storage answered 400 for titanic; nothing was sent",
        NOTED,
    ),
    Case(
        "an upload that fails without raising (200, no reference)",
        queued(CREATE, lambda handler, _: handler.tell(UPLOADED)),
        4,
        "Kaggle did not take the file: Submission not allowed: too few rows",
        NOTED,
    ),
    Case(
        "a score that stays pending",
        lambda server, _: setattr(server, "n_looks", 99),
        0,
        "pending; type foldwise submit titanic",
        SENT,
        1,
    ),
    Case(
        "a submission with status error",
        lambda server, _: server.verdict.update(
            status="ERROR", publicScore="", errorDescription="Evaluation Exception: wrong ids"
        ),
        4,
        "Evaluation Exception: wrong ids; look at https://www.kaggle.com/competitions/titanic/",
        REFUSED,
        1,
    ),
    Case(
        "no answer while the score is waited for",
        lambda server, _: server.on(LIST, *[pass_by] * 3, *[stall] * 4),
        4,
        "Kaggle has the file; type foldwise submit titanic",
        SENT,
        1,
    ),
    Case("disk full (the ledger)", full_ledger, 3, "cannot be written", NOT_SENT),
]


@pytest.mark.parametrize("case", SUBMITS, ids=lambda case: case.fault)
def test_a_submit(case, suffer, kaggle, workspace):
    newest = max(path.name for path in Path("runs/titanic").glob("2*"))
    csv = Path(f"submissions/titanic/{newest}.csv")
    before, content = LEDGER.read_bytes(), csv.read_bytes()
    suffer(case, SUBMIT)
    noted = next(e for e in ledger.read(LEDGER) if e.run == newest)
    assert csv.read_bytes() == content
    assert len(kaggle.submissions) == case.n_sent
    assert (noted.submitted_utc is not None) == bool(case.n_sent)
    assert (noted.public_score is not None) == (case.left == SCORED)
    assert (noted.refused is not None) == (case.left == REFUSED)
    assert (LEDGER.read_bytes() == before) == (case.left == NOT_SENT)


@pytest.mark.parametrize("case", [c for c in SUBMITS if c.code], ids=lambda case: case.fault)
def test_after_the_fault_the_same_command_sends_it_once(
    case, suffer, kaggle, workspace, patience, capsys
):
    suffer(case, SUBMIT)
    kaggle.faults.clear()
    code = app.main(list(SUBMIT), patience=patience)
    assert code == (4 if case.left == REFUSED else 0), capsys.readouterr().err
    assert len(kaggle.submissions) == 1
