"""From a finished run to its score, against the loopback Kaggle, as a person types it."""

import io
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from kaggle_server import KEY, SECRETS, SIGNATURE, TOKEN, USER

from pipelines.commands import app
from pipelines.stages.run_contents import RunContents
from pipelines.workspace.files import sha256
from pipelines.workspace.layout import RunLayout
from pipelines.workspace.summary import Summary
from submissions import ledger

LEDGER = Path("submissions/ledger.jsonl")


@pytest.fixture
def foldwise(kaggle, workspace, patience, capsys):
    """Types a command; gives its exit code, what was printed, and the fault's line."""

    def type_(*words):
        code = app.main(list(words), patience=patience)
        printed = capsys.readouterr()
        for secret in SECRETS:
            assert secret not in printed.out + printed.err
        return code, printed.out, printed.err

    return type_


def runs():
    """Ids of the two runs, newest first."""
    return sorted((path.name for path in Path("runs/titanic").glob("2*")), reverse=True)


def entry(run):
    return next(e for e in ledger.read(LEDGER) if e.run == run)


def change_summary(run, **fields):
    folder = Path("runs/titanic") / run
    Summary.read(folder).model_copy(update=fields).write(folder)


def test_the_file_goes_to_kaggle_and_its_score_comes_back(kaggle, foldwise):
    code, out, err = foldwise("submit", "titanic", "--yes")
    assert (code, err) == (0, "")
    newest, older = runs()
    ((name, content),) = kaggle.uploads.items()
    assert content == Path(f"submissions/titanic/{newest}.csv").read_bytes()
    assert name.endswith(f"{newest}.csv")
    (sent,) = kaggle.submissions
    assert sent["description"].startswith(f"{newest}: cv accuracy 0.")
    for fact in (
        f"{newest}   the newest; {older} has the best cv",
        "418 rows, checked",
        sent["description"],
        "public 0.77511",
        "https://www.kaggle.com/competitions/titanic",
    ):
        assert fact in out, out
    noted = entry(newest)
    assert (noted.public_score, noted.private_score) == (0.77511, None)
    assert noted.message == sent["description"]
    assert noted.kaggle_ref == 1000
    assert abs((datetime.now(UTC) - noted.submitted_utc).total_seconds()) < 60
    assert entry(older).submitted_utc is None
    foldwise("submit", "titanic", older, "--dry-run")
    assert "4 submissions, 1 made" in foldwise("submit", "titanic", older, "--dry-run")[1]


def test_a_named_run_and_a_message(kaggle, foldwise):
    _, older = runs()
    assert foldwise("submit", "titanic", older, "--yes", "--message", "thirty trees")[0] == 0
    assert kaggle.submissions[0]["description"].startswith("thirty trees [")
    assert entry(older).public_score == 0.77511


def test_the_same_bytes_are_never_sent_twice(kaggle, foldwise):
    foldwise("submit", "titanic", "--yes")
    code, out, _ = foldwise("submit", "titanic", "--yes")
    assert code == 0
    assert f"already     sent {datetime.now(UTC):%Y-%m-%d}" in out
    assert "public 0.77511" in out
    assert len(kaggle.submissions) == len(kaggle.uploads) == 1


def test_bytes_that_another_checkout_sent_are_known_by_their_mark(kaggle, foldwise):
    foldwise("submit", "titanic", "--yes")
    LEDGER.unlink()
    kaggle.submissions[0]["fileName"] = "renamed.csv"
    code, out, _ = foldwise("submit", "titanic", "--yes")
    assert (code, len(kaggle.submissions)) == (0, 1)
    assert "not sent again" in out
    assert entry(runs()[0]).public_score == 0.77511


def test_a_file_that_was_sent_by_hand_is_known_by_its_name_and_size(kaggle, foldwise):
    foldwise("submit", "titanic", "--yes")
    kaggle.submissions[0]["description"] = "by hand"
    LEDGER.unlink()
    assert "not sent again" in foldwise("submit", "titanic", "--yes")[1]
    assert len(kaggle.submissions) == 1
    kaggle.submissions[0]["totalBytes"] += 1
    LEDGER.unlink()
    assert foldwise("submit", "titanic", "--yes")[0] == 0
    assert len(kaggle.submissions) == 2


def test_another_file_of_the_same_size_is_another_file(kaggle, foldwise):
    newest, older = runs()
    foldwise("submit", "titanic", newest, "--yes")
    assert foldwise("submit", "titanic", older, "--yes")[0] == 0
    sizes = {Path(f"submissions/titanic/{run}.csv").stat().st_size for run in (newest, older)}
    assert (len(sizes), len(kaggle.submissions)) == (1, 2)


def test_bytes_that_the_ledger_knows_are_not_sent_from_another_account(kaggle, foldwise):
    foldwise("submit", "titanic", "--yes")
    kaggle.submissions.clear()
    code, out, _ = foldwise("submit", "titanic", "--yes")
    assert (code, kaggle.submissions) == (0, [])
    assert "this account's list on Kaggle does not show" in out


@pytest.mark.parametrize(("answer", "n_sent"), [("y\n", 1), ("n\n", 0), ("\n", 0)])
def test_a_person_is_asked(kaggle, foldwise, monkeypatch, answer, n_sent):
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    code, out, _ = foldwise("submit", "titanic")
    assert "send it to titanic?" in out
    assert (code, len(kaggle.submissions)) == (0, n_sent)
    assert (entry(runs()[0]).submitted_utc is not None) == bool(n_sent)


def test_where_nobody_answers_nothing_is_sent(kaggle, foldwise, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    code, _, err = foldwise("submit", "titanic")
    assert (code, kaggle.uploads) == (2, {})
    assert "type --yes" in err
    assert err.count("\n") == 1


def test_a_dry_run_needs_no_credentials(signed_out, workspace, capsys):
    assert app.main(["submit", "titanic", "--dry-run"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for fact in (f"{runs()[0]}.csv   418 rows, checked", "cv accuracy 0.", "no Kaggle credentials"):
        assert fact in out
    assert "nothing was sent" in out
    assert app.main(["submit", "titanic", "--yes"]) == 4


def test_a_dry_run_shows_all_and_sends_nothing(kaggle, foldwise):
    before = LEDGER.read_bytes()
    code, out, _ = foldwise("submit", "titanic", "--dry-run")
    assert code == 0
    assert "dry run" in out
    assert "5 submissions, 0 made" in out
    asked = {"ListSubmissions", "GetSubmissionLimits", "GetCompetition"}
    assert {name for name, _ in kaggle.calls} == asked
    assert LEDGER.read_bytes() == before


def test_a_score_that_stays_pending_is_asked_for_later(kaggle, foldwise, pauses):
    kaggle.n_looks = 99
    code, out, _ = foldwise("submit", "titanic", "--yes", "--wait", "20")
    assert code == 0
    assert f"pending; type foldwise submit titanic {runs()[0]} to get it" in out
    assert sum(pauses) == 20
    assert entry(runs()[0]).public_score is None
    kaggle.n_looks = 0
    code, out, _ = foldwise("submit", "titanic", runs()[0])
    assert "public 0.77511" in out
    assert (code, len(kaggle.submissions)) == (0, 1)
    assert entry(runs()[0]).public_score == 0.77511


def test_without_waiting_the_file_is_sent_all_the_same(kaggle, foldwise, pauses):
    kaggle.n_looks = 99
    code, out, _ = foldwise("submit", "titanic", "--yes", "--wait", "0")
    assert (code, pauses, len(kaggle.submissions)) == (0, [], 1)
    assert "pending" in out


def test_the_private_score_comes_with_a_refresh_of_the_ledger(kaggle, foldwise):
    foldwise("submit", "titanic", "--yes")
    kaggle.submissions[0]["privateScore"] = "0.76"
    code, out, _ = foldwise("runs", "titanic", "--refresh")
    assert code == 0
    assert "1 changed in the ledger" in out
    assert "0.7600" in out
    assert entry(runs()[0]).private_score == 0.76
    before = LEDGER.read_bytes()
    assert "0 changed in the ledger" in foldwise("runs", "titanic", "--refresh")[1]
    assert LEDGER.read_bytes() == before


def test_no_submissions_left_today(kaggle, foldwise):
    foldwise("submit", "titanic", "--yes")
    kaggle.n_left = 1
    code, _, err = foldwise("submit", "titanic", runs()[1], "--yes")
    assert (code, len(kaggle.uploads)) == (4, 1)
    assert "takes no more files for titanic today (1 made)" in err
    assert "midnight UTC" in err


def test_a_changed_csv_is_not_sent(kaggle, foldwise):
    csv = Path(f"submissions/titanic/{runs()[0]}.csv")
    csv.write_text(csv.read_text().replace(",0", ",1", 1))
    code, _, err = foldwise("submit", "titanic", "--yes")
    assert (code, kaggle.calls) == (5, [])
    assert "has changed since its run wrote it" in err
    csv.unlink()
    assert foldwise("submit", "titanic", "--yes")[0] == 5


def test_a_csv_of_wrong_form_is_not_sent(kaggle, foldwise):
    """One that the run itself wrote: the check does not trust the run."""
    csv = Path(f"submissions/titanic/{runs()[0]}.csv")
    csv.write_text(csv.read_text().replace(",0", ",2", 1))
    change_summary(runs()[0], submission_sha256=sha256(csv))
    code, _, err = foldwise("submit", "titanic", "--yes")
    assert (code, kaggle.calls) == (5, [])
    assert "found '2'" in err


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize(
    ("change", "reported"),
    [
        ({"synthetic": True}, "made by a generator"),
        ({"source": "sample", "origin": "1,309 real passengers"}, "1,309 real passengers"),
    ],
    ids=["synthetic", "sample"],
)
def test_rows_that_are_not_kaggles_are_not_sent(kaggle, foldwise, change, reported, named):
    for run in runs():
        change_summary(run, **change)
    code, _, err = foldwise("submit", "titanic", *([runs()[0]] if named else []), "--yes")
    assert (code, kaggle.calls) == (2, [])
    assert reported in err
    assert "cannot be sent" in err
    assert err.count("\n") == 1


def test_the_newest_that_may_be_sent_is_taken(kaggle, foldwise):
    newest, older = runs()
    change_summary(newest, synthetic=True)
    assert foldwise("submit", "titanic", "--yes")[0] == 0
    assert kaggle.submissions[0]["fileName"] == f"{older}.csv"


@pytest.mark.parametrize(
    ("typed", "reported"),
    [
        (["submit", "titanik"], "did you mean 'titanic'"),
        (["submit", "titanic", "20200101-000000-abcdef"], "no finished run"),
        (["runs", "--refresh"], "needs a COMPETITION"),
        (["runs", "--sort", "worst"], "newest or best"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage(kaggle, foldwise, typed, reported):
    code, _, err = foldwise(*typed)
    assert (code, kaggle.calls) == (2, [])
    assert reported in err
    assert err.count("\n") == 1


def test_no_finished_run(kaggle, foldwise):
    shutil.rmtree("runs")
    code, _, err = foldwise("submit", "titanic")
    assert code == 2
    assert "no finished run; type foldwise run titanic" in err


def test_a_data_set_takes_no_submissions(kaggle, workspace, toy, narrator):
    from pipelines.configuration.competition import Kaggle
    from pipelines.runs.submit import SubmitError, SubmitRequest, submit

    pima = toy.model_copy(update={"kaggle": Kaggle(slug="uciml/pima", kind="dataset")})
    with pytest.raises(SubmitError, match="takes no submissions"):
        submit(pima, SubmitRequest(), narrator)


def test_a_token_signs_in_too(kaggle, foldwise, monkeypatch):
    monkeypatch.delenv("KAGGLE_KEY")
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    assert foldwise("submit", "titanic", "--yes")[0] == 0
    assert len(kaggle.submissions) == 1


def test_a_file_of_credentials_that_others_can_read_is_a_warning(
    kaggle, foldwise, monkeypatch, signed_out
):
    monkeypatch.delenv("KAGGLE_KEY")
    (signed_out / ".kaggle").mkdir()
    token = signed_out / ".kaggle" / "access_token"
    token.write_text(TOKEN)
    token.chmod(0o644)
    assert f"can read {token}; type: chmod 600 {token}" in foldwise("submit", "titanic", "--yes")[1]
    token.chmod(0o600)
    assert "warning" not in foldwise("submit", "titanic")[1]


def test_what_kaggle_says_is_reported_without_our_secrets(kaggle, foldwise):
    leak = f"bad key {KEY} of {USER}, see https://x.y/z?X-Signature={SIGNATURE}&a=1 for more"
    kaggle.always("ListSubmissions", lambda handler, _: handler.refuse(400, leak))
    code, _, err = foldwise("submit", "titanic", "--yes")
    assert code == 4
    assert "bad key *** of rose, see https://x.y/z?*** for more" in err


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_scores_stand_in_mlflow_and_secrets_nowhere(kaggle, foldwise, workspace, caplog):
    """All of a run's way, with everything logged that can be: no secret is on the disk after it."""
    from mlflow import MlflowClient

    from pipelines.runs import mlflow_record
    from pipelines.tracking import stores

    caplog.set_level("DEBUG")
    newest = runs()[0]
    folder = Path("runs/titanic") / newest
    run_id = mlflow_record.log_run(
        Summary.read(folder), RunContents(RunLayout(folder)), root=workspace
    )
    change_summary(newest, mlflow_run_id=run_id)
    reason = f"Evaluation failed for {KEY} at https://x.y/z?X-Signature={SIGNATURE}"
    kaggle.verdict["errorDescription"] = reason
    foldwise("submit", "titanic", "--yes")
    kaggle.submissions[0] |= {"privateScore": "0.76", "status": "ERROR"}
    foldwise("runs", "titanic", "--refresh")
    stored = MlflowClient(stores.local_store(workspace)).get_run(run_id)
    assert stored.data.metrics["public_score"] == 0.77511
    assert stored.data.metrics["private_score"] == 0.76
    assert stored.data.tags["kaggle.message"] == kaggle.submissions[0]["description"]
    assert stored.data.tags["kaggle.submitted"].startswith(f"{datetime.now(UTC):%Y-%m-}")
    assert "failed for *** at https://x.y/z?***" in stored.data.tags["kaggle.refused"]
    files = [path for path in workspace.rglob("*") if path.is_file()]
    assert {"mlflow.db", "ledger.jsonl"} <= {path.name for path in files}
    for secret in SECRETS:
        assert not [path for path in files if secret.encode() in path.read_bytes()]
    credentials = (KEY, TOKEN, SECRETS[-1])
    assert not [text for text in credentials if text in caplog.text]


def test_an_mlflow_server_that_is_gone_is_a_warning(kaggle, foldwise, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    change_summary(runs()[0], mlflow_run_id="gone")
    code, out, _ = foldwise("submit", "titanic", "--yes")
    assert code == 0
    assert "cannot be reached" in out
    assert entry(runs()[0]).public_score == 0.77511


def test_a_ledger_of_before_is_still_read(kaggle, foldwise):
    lines = [json.loads(line) for line in LEDGER.read_text().splitlines()]
    assert all("submitted_utc" not in line for line in lines)
    assert foldwise("runs")[0] == 0
