"""Every fault on the way of a notebook on Kaggle, for `kaggle run` as a person types it."""

from pathlib import Path

import pytest
from kaggle_faults import Case, always, nobody_listens, queued, signed_out, wrong_key, wrong_token
from kaggle_kernels import break_log, cut_output, silent_log
from kaggle_server import answer_and_hang_up, hang_up, pass_by, refuse, stall

from pipelines.commands import app
from submissions import ledger

KIND = ("--kind", "predict", "--accelerator", "NvidiaTeslaT4", "--wait", "4000")
RUN = ("kaggle", "run", "titanic", *KIND)
LEDGER = Path("submissions/ledger.jsonl")
NOTHING, SENT = "nothing", "that the dataset was sent"
PUSHED, DONE = "that version 1 was pushed", "the output, and the ledger's line"

LOOK, QUOTA, SEND, UPLOAD = "GetKernel", "GetAcceleratorQuotaStatistics", "CreateDataset", "upload"
PUSH, STATE, OUTPUT = "SaveKernel", "GetKernelSessionStatus", "ListKernelSessionOutput"
PAGE = "https://www.kaggle.com/code/rose/foldwise-titanic-predict"
RESUMES = "version 1 goes on there: the same command resumes"


def kernels(**changes):
    return lambda server, _: [setattr(server.kernels, *change) for change in changes.items()]


def life(*words):
    return kernels(life=list(words))


def fails(server, _):
    server.kernels.life = ["RUNNING", "ERROR"]
    server.kernels.log = ("fold 1 of 3\n", "Traceback:\n", "KeyError: 'Fare'\n")


def no_csv(server, _):
    server.kernels.output = {"__notebook__.ipynb": b"{}"}


def climbs(server, _):
    server.kernels.output["../../escaped.csv"] = b"x"


def no_time(server, _):
    server.kernels.quota["gpuQuota"]["timeUsed"] = "108000s"


def used(server, _):
    """A title that is in use: told in an answer that is no error."""
    answer = {"status": "error", "error": "The requested title is already in use"}
    server.on(SEND, lambda handler, _: handler.tell(answer))


def cut_file(server, _):
    server.on("output", cut_output("submission.csv", 500))


BEFORE = [
    Case("no credentials", signed_out, 4, "no Kaggle credentials found", NOTHING),
    Case("401, user name and key", wrong_key, 4, "KAGGLE_USERNAME and KAGGLE_KEY (401)", NOTHING),
    Case("401, token", wrong_token, 4, "KAGGLE_API_TOKEN (401); nothing was pushed", NOTHING),
    Case("connection refused", nobody_listens, 4, "connection refused; 4 tries", NOTHING),
    Case("the notebook: 500 for ever", always(LOOK, refuse(500)), 4, "500 for rose/", NOTHING),
    Case("the notebook: no answer", always(LOOK, stall), 4, "did not answer in time", NOTHING),
    Case("the notebook: 401", always(LOOK, refuse(401)), 4, "KAGGLE_KEY (401)", NOTHING),
    Case("GPU time: 404", queued(QUOTA, refuse(404)), 0, "Kaggle does not tell", DONE, 1),
    Case("GPU time: 500 for ever", always(QUOTA, refuse(500)), 4, "nothing was pushed", NOTHING),
    Case("GPU time: 429", queued(QUOTA, refuse(429)), 0, "answered 429; trying again", DONE, 1),
    Case("GPU time: none left", no_time, 4, "no GPU time left this week (30.0 h used)", NOTHING),
]
DATASET = [
    Case("dataset: 401", always(SEND, refuse(401)), 4, "KAGGLE_KEY (401)", NOTHING),
    Case("dataset: 403", always(SEND, refuse(403)), 4, "predict (403)", NOTHING),
    Case("dataset: 404", always(SEND, refuse(404)), 4, "no dataset 'rose/fold", NOTHING),
    Case(
        "dataset: 409",
        always(SEND, refuse(409, "being made")),
        4,
        "(409): being made; no notebook was pushed",
        NOTHING,
    ),
    Case(
        "dataset: 429, Retry-After: 7",
        queued(SEND, refuse(429, Retry_After="7")),
        0,
        "answered 429; trying again in 7 s (2 of 4)",
        DONE,
        1,
    ),
    Case("dataset: 500 for ever", always(SEND, refuse(500)), 4, "Kaggle answered 500", NOTHING),
    Case("dataset: its name is in use", used, 4, "title is already in use; no notebook", NOTHING),
    Case(
        "dataset: taken, but the answer is lost",
        queued(SEND, answer_and_hang_up),
        0,
        "the connection broke; trying again in 1 s (2 of 4)",
        DONE,
        1,
    ),
    Case(
        "dataset: no answer to whether it is taken",
        queued(SEND, stall),
        4,
        "Kaggle did not say whether it took the files of rose/",
        NOTHING,
    ),
    Case(
        "dataset: the upload breaks",
        queued(UPLOAD, hang_up),
        0,
        "the connection broke; trying again in 1 s (2 of 4)",
        DONE,
        1,
    ),
    Case(
        "dataset: the storage refuses (400)",
        always(UPLOAD, refuse(400)),
        4,
        "storage answered 400 for rose/foldwise-titanic-predict; no notebook was pushed",
        NOTHING,
    ),
    Case(
        "dataset: unpacked for ever",
        kernels(unpacking=["BLOBS_RECEIVED"]),
        4,
        "still unpacks the dataset rose/foldwise-titanic-predict after 900 s",
        SENT,
    ),
    Case("dataset: unpacked in vain", kernels(unpacking=["FAILED"]), 4, "not unpack", SENT),
]
PUSHES = [
    Case("push: 401", always(PUSH, refuse(401)), 4, "KAGGLE_KEY (401)", SENT),
    Case("push: 403", always(PUSH, refuse(403)), 4, "is the account's phone verified?", SENT),
    Case("push: 404", always(PUSH, refuse(404)), 4, "Kaggle has no notebook 'rose/", SENT),
    Case(
        "push: 409",
        always(PUSH, refuse(409, "two sessions run already")),
        4,
        "(409): two sessions run already; nothing was pushed",
        SENT,
    ),
    Case(
        "push: 429, Retry-After: 7",
        queued(PUSH, refuse(429, Retry_After="7")),
        0,
        "answered 429; trying again in 7 s (2 of 4)",
        DONE,
        1,
    ),
    Case("push: 500 for ever", always(PUSH, refuse(500)), 4, "Kaggle answered 500", SENT),
    Case(
        "push: taken, but the answer is lost",
        queued(PUSH, answer_and_hang_up),
        0,
        "the connection broke; trying again in 1 s (2 of 4)",
        DONE,
        1,
    ),
    Case(
        "push: no answer to whether it is taken",
        queued(PUSH, stall),
        4,
        "Kaggle did not say whether it took rose/foldwise-titanic-predict; look at",
        SENT,
    ),
    Case(
        "push: Notebook not found",
        kernels(answer={"error": "Notebook not found"}),
        4,
        f"was never saved there: open {PAGE}, save a version",
        SENT,
    ),
    Case(
        "push: an input is not taken",
        kernels(answer={"invalidDatasetSources": ["rose/foldwise-titanic-predict"]}),
        4,
        "pushed version 1 without its inputs rose/foldwise-titanic-predict; cancel it at",
        PUSHED,
        1,
    ),
    Case(
        "push: another name",
        kernels(answer={"url": "https://www.kaggle.com/code/rose/another"}),
        0,
        "Kaggle calls it rose/another, not rose/foldwise-titanic-predict",
        DONE,
        1,
    ),
]
THERE = [
    Case("state: 401", always(STATE, refuse(401)), 4, f"(401); {RESUMES}", PUSHED, 1),
    Case(
        "state: 404 right after the push",
        queued(STATE, refuse(404), refuse(403)),
        0,
        "not there yet",
        DONE,
        1,
    ),
    Case("state: 404 for ever", always(STATE, refuse(404)), 4, "180 s after the push", PUSHED, 1),
    Case("state: 409", always(STATE, refuse(409, "locked")), 4, f"locked; {RESUMES}", PUSHED, 1),
    Case("state: 429", queued(STATE, refuse(429)), 0, "answered 429; trying again", DONE, 1),
    Case("state: 500 for ever", always(STATE, refuse(500)), 4, RESUMES, PUSHED, 1),
    Case("state: no answer", always(STATE, stall), 4, RESUMES, PUSHED, 1),
    Case("state: hung up once", queued(STATE, hang_up), 0, "the connection broke", DONE, 1),
    Case("queued for ever", life("QUEUED"), 7, "still queued after 3600 s; it goes on", PUSHED, 1),
    Case("running for ever", life("RUNNING"), 7, "still running after 4000 s", PUSHED, 1),
    Case(
        "a newer version from elsewhere",
        lambda server, _: server.on(
            PUSH, lambda h, a: (a(), setattr(server.kernels, "version", 2))
        ),
        4,
        "version 2 of rose/foldwise-titanic-predict was pushed meanwhile",
        PUSHED,
        1,
    ),
    Case("the notebook fails", fails, 8, "failed: KeyError: 'Fare'; look at", PUSHED, 1),
    Case("it is cancelled", life("CANCEL_ACKNOWLEDGED"), 8, "was cancelled", PUSHED, 1),
]
LOGS = [
    Case("log: 401", always("log", refuse(401)), 0, "complete", DONE, 1),
    Case("log: 403", always("log", refuse(403)), 0, "complete", DONE, 1),
    Case("log: 404", always("log", refuse(404)), 0, "complete", DONE, 1),
    Case("log: 429", always("log", refuse(429)), 0, "complete", DONE, 1),
    Case("log: 500 for ever", always("log", refuse(500)), 0, "complete", DONE, 1),
    Case("log: breaks in the middle", queued("log", break_log(2)), 0, "fold 2 of 3", DONE, 1),
    Case("log: silence", queued("log", silent_log), 0, "fold 2 of 3", DONE, 1),
]
OUTPUTS = [
    Case("output: 401", always(OUTPUT, refuse(401)), 4, "KAGGLE_KEY (401)", PUSHED, 1),
    Case("output: 403", always(OUTPUT, refuse(403)), 4, "(403)", PUSHED, 1),
    Case("output: 404", always(OUTPUT, refuse(404)), 4, "no notebook 'rose/", PUSHED, 1),
    Case("output: 409", always(OUTPUT, refuse(409, "busy")), 4, "(409): busy", PUSHED, 1),
    Case("output: 429", queued(OUTPUT, refuse(429)), 0, "answered 429", DONE, 1),
    Case("output: 500 for ever", always(OUTPUT, refuse(500)), 4, "Kaggle answered 500", PUSHED, 1),
    Case("output: a file breaks", cut_file, 0, "the connection broke", DONE, 1),
    Case(
        "output: the storage refuses (403)",
        always("output", refuse(403)),
        4,
        "storage answered 403 for rose/foldwise-titanic-predict; the files received are kept",
        PUSHED,
        1,
    ),
    Case(
        "output: without the CSV",
        no_csv,
        5,
        "without a submission.csv: found __notebook__.ipynb; its log ends: done",
        PUSHED,
        1,
    ),
    Case("output: a file that climbs out", climbs, 4, "'../../escaped.csv'", PUSHED, 1),
]
PUSHED_AGAIN = {
    "push: an input is not taken",
    "a newer version from elsewhere",
    "the notebook fails",
    "it is cancelled",
    "output: without the CSV",
}
ALL = [*BEFORE, *DATASET, *PUSHES, *THERE, *LOGS, *OUTPUTS]


def notebook_of(run):
    return next(e.notebook for e in ledger.read(LEDGER) if e.run == run)


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.fault)
def test_a_notebook_there(case, suffer, kaggle, predicted, workspace):
    suffer(case, RUN)
    assert len(kaggle.kernels.pushed) == case.n_sent
    assert len(kaggle.kernels.datasets) == (case.left != NOTHING)
    assert (notebook_of(predicted) is not None) == (case.left == DONE)
    assert not list(workspace.parent.rglob("escaped.csv"))


@pytest.mark.parametrize("case", [c for c in ALL if c.code], ids=lambda case: case.fault)
def test_after_the_fault_the_same_command_pushes_once(
    case, suffer, kaggle, predicted, patience, capsys
):
    suffer(case, RUN)
    kaggle.faults.clear()
    fresh, held = type(kaggle.kernels)(), kaggle.kernels
    for name in ("life", "unpacking", "log", "answer", "quota"):
        setattr(held, name, getattr(fresh, name))
    held.output = {"submission.csv": Path(f"submissions/titanic/{predicted}.csv").read_bytes()}
    if case.fault in PUSHED_AGAIN:
        held.life = ["COMPLETE", "RUNNING", "COMPLETE"]
    again = ("--again",) if case.code == 5 else ()
    code = app.main([*RUN, *again], patience=patience)
    assert code == 0, capsys.readouterr().err
    assert len(held.pushed) == case.n_sent + (not case.n_sent or case.fault in PUSHED_AGAIN)
    assert len(held.datasets["rose/foldwise-titanic-predict"]) == 1


def test_a_log_that_breaks_is_told_once(kaggle, predicted, patience, capsys):
    kaggle.kernels.life = ["RUNNING", "RUNNING", "COMPLETE"]
    kaggle.on("log", break_log(2), pass_by)
    assert app.main(list(RUN), patience=patience) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("log")]
    assert lines == [f"log         {text.strip()}" for text in kaggle.kernels.log]


def test_the_last_lines_of_a_log_that_could_not_be_followed(kaggle, predicted, patience, capsys):
    fails(kaggle, None)
    kaggle.always("log", refuse(404))
    assert app.main(list(RUN), patience=patience) == 8
    assert "log ends    KeyError: 'Fare'" in capsys.readouterr().out
