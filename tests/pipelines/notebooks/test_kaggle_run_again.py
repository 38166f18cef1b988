"""A notebook on Kaggle, submitted or interrupted: the same command goes on, nothing twice."""

import signal
from pathlib import Path

import pytest
from kaggle_faults import Case, always, queued
from kaggle_server import answer_and_hang_up, refuse, stall

from pipelines.commands import app
from pipelines.workspace import files
from submissions import ledger

RUN = ("kaggle", "run", "titanic", "--kind", "predict", "--accelerator", "NvidiaTeslaT4")
PLACE = Path("notebooks/on-kaggle/foldwise-titanic-predict")
DONE = "the output, and the ledger's line"


def notebook_of(run):
    return next(e.notebook for e in ledger.read("submissions/ledger.jsonl") if e.run == run)


SUBMIT = "CreateCodeSubmission"
UNSURE = "Kaggle did not say whether it took the file for titanic"
SUBMISSIONS = [
    Case("submission: 401", always(SUBMIT, refuse(401)), 4, "KAGGLE_KEY (401)", DONE),
    Case("submission: 403", always(SUBMIT, refuse(403)), 4, "are its rules accepted?", DONE),
    Case("submission: 404", always(SUBMIT, refuse(404)), 4, "no competition 'titanic'", DONE),
    Case(
        "submission: 409",
        always(SUBMIT, refuse(409, "version 1 was submitted before")),
        4,
        "titanic (409): version 1 was submitted before; nothing was sent",
        DONE,
    ),
    Case("submission: 429", queued(SUBMIT, refuse(429)), 0, "answered 429; trying", DONE, 1),
    Case("submission: 500 for ever", always(SUBMIT, refuse(500)), 4, "answered 500", DONE),
    Case(
        "submission: taken, but the answer is lost",
        queued(SUBMIT, answer_and_hang_up),
        0,
        "the connection broke; trying again in 1 s (2 of 4)",
        DONE,
        1,
    ),
    Case("submission: no answer", queued(SUBMIT, stall), 4, UNSURE, DONE),
    Case("the competition: 500", always("GetCompetition", refuse(500)), 4, "500", DONE),
    Case(
        "submission: the score stays pending",
        lambda server, _: setattr(server, "n_looks", 99),
        0,
        "pending; type foldwise submit titanic",
        DONE,
        1,
    ),
]


@pytest.mark.parametrize("case", SUBMISSIONS, ids=lambda case: case.fault)
def test_a_code_submission(case, suffer, kaggle, predicted, patience):
    kaggle.kernels.only = True
    suffer(case, (*RUN, "--submit", "--yes"))
    assert len(kaggle.submissions) == len(kaggle.kernels.code_submissions) == case.n_sent
    assert notebook_of(predicted) is not None
    kaggle.faults.clear()
    assert app.main(["submit", "titanic", predicted, "--yes"], patience=patience) == 0
    assert len(kaggle.submissions) == len(kaggle.kernels.pushed) == 1


ASKED = (
    *("GetAcceleratorQuotaStatistics", "upload", "CreateDataset", "GetDatasetStatus"),
    *("SaveKernel", "GetKernelSessionStatus", "ListKernelSessionOutput", "log", "output"),
)


@pytest.mark.parametrize("endpoint", ASKED)
def test_after_ctrl_c_the_same_command_goes_on(endpoint, kaggle, predicted, patience, capsys):
    """Whatever was being asked when the person pressed it; Kaggle has done what it was asked."""

    def interrupted(handler, answer):
        tell = handler.tell
        handler.tell = lambda *fields: (signal.raise_signal(signal.SIGINT), tell(*fields))
        if endpoint in ("log", "output"):
            signal.raise_signal(signal.SIGINT)
        answer()

    kaggle.on(endpoint, interrupted)
    assert app.main(list(RUN), patience=patience) == 130
    assert "type the same command again to continue" in capsys.readouterr().err
    assert app.main(list(RUN), patience=patience) == 0
    assert len(kaggle.kernels.pushed) == 1
    assert notebook_of(predicted) == "rose/foldwise-titanic-predict/1"


def test_two_commands_at_once(kaggle, predicted, patience, capsys):
    PLACE.mkdir(parents=True)
    with files.locked(PLACE / ".lock"):
        assert app.main(list(RUN), patience=patience) == 2
    assert "is held by another process" in capsys.readouterr().err
    assert kaggle.kernels.pushed == []


def test_a_damaged_record_is_one_line(kaggle, predicted, patience, capsys):
    record = PLACE / "pushed.json"
    record.parent.mkdir(parents=True)
    record.write_text("{}}")
    assert app.main(list(RUN), patience=patience) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert f"remove it: rm {record}" in line
