"""`foldwise kaggle run` as a person types it, against the loopback Kaggle, with the real client."""

import json
import shutil
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from kaggle_server import SECRETS, TOKEN, USER, pass_by

from pipelines.commands import app
from submissions import ledger

LEDGER = Path("submissions/ledger.jsonl")
RUN = ("kaggle", "run", "titanic")


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


def files_of(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def trained(kaggle, workspace, newest):
    """Lets the notebook make the newest run there, which is not here any more; gives its id."""
    run = Path("runs/titanic") / newest
    csv = Path(f"submissions/titanic/{newest}.csv")
    made = {f"{run}/{name}": content for name, content in files_of(run).items()}
    kaggle.kernels.output = made | {
        "submission.csv": csv.read_bytes(),
        f"{csv}": csv.read_bytes(),
        f"{LEDGER}": LEDGER.read_bytes(),
        "data/titanic/train.csv": b"Kaggle's own rows",
    }
    shutil.rmtree(run)
    csv.unlink()
    others = [line for line in LEDGER.read_text().splitlines() if newest not in line]
    LEDGER.write_text("".join(f"{line}\n" for line in others))
    return newest


def entry(run):
    return next((e for e in ledger.read(LEDGER) if e.run == run), None)


def test_a_run_trains_there_and_comes_here(kaggle, foldwise, trained):
    content = kaggle.kernels.output[f"submissions/titanic/{trained}.csv"]
    code, out, err = foldwise(*RUN)
    assert (code, err) == (0, "")
    (pushed,) = kaggle.kernels.pushed
    assert pushed["slug"] == f"{USER}/foldwise-titanic-train"
    assert pushed["isPrivate"] is True
    assert pushed["enableInternet"] is False
    assert pushed["enableGpu"] is True
    assert pushed["datasetDataSources"] == [f"{USER}/foldwise-titanic-train"]
    ((version,),) = kaggle.kernels.datasets.values()
    assert version["private"] is True
    (wheel,) = version["files"]
    assert wheel.endswith(".whl")
    assert [line for line in out.splitlines() if line.startswith("log")] == [
        f"log         {text.strip()}" for text in kaggle.kernels.log
    ]
    for fact in (
        "25.0 h of 30.0 h left, renewed 2026-12-05 00:00 UTC",
        "version 1, private   https://www.kaggle.com/code/rose/foldwise-titanic-train",
        "in the form that Kaggle wants",
        f"{trained}   accuracy 0.",
        f"foldwise submit titanic {trained}",
    ):
        assert fact in out, out
    order = [name for name, _ in kaggle.calls]
    assert order.index("GetAcceleratorQuotaStatistics") < order.index("StartBlobUpload")
    assert order.index("CreateDataset") < order.index("SaveKernel")
    assert Path(f"submissions/titanic/{trained}.csv").read_bytes() == content
    assert entry(trained).notebook == f"{USER}/foldwise-titanic-train/1"
    assert not list(Path("notebooks").rglob("train.csv"))
    assert app.main(["report", trained]) == 0
    assert kaggle.submissions == []


def test_a_run_predicts_there(kaggle, foldwise, predicted):
    code, out, err = foldwise(*RUN, predicted)
    assert (code, err) == (0, "")
    ((version,),) = kaggle.kernels.datasets.values()
    with zipfile.ZipFile(BytesIO(version["files"]["runs.zip"])) as sent:
        assert f"titanic/{predicted}/summary.json" in sent.namelist()
    assert kaggle.kernels.pushed[0]["enableGpu"] is False
    assert "gpu time" not in out
    assert "differs" not in out
    assert entry(predicted).notebook == f"{USER}/foldwise-titanic-predict/1"


def test_predictions_that_differ_from_the_run_s_own_are_a_warning(kaggle, foldwise, predicted):
    csv = kaggle.kernels.output["submission.csv"]
    kaggle.kernels.output["submission.csv"] = csv.replace(b",0", b",1", 1)
    code, out, _ = foldwise(*RUN, predicted)
    assert code == 0
    assert f"differs from the run's own submissions/titanic/{predicted}.csv" in out


def test_a_csv_of_wrong_form_is_refused(kaggle, foldwise, predicted):
    csv = kaggle.kernels.output["submission.csv"]
    kaggle.kernels.output["submission.csv"] = csv.replace(b",0", b",2", 1)
    code, _, err = foldwise(*RUN, predicted, "--submit", "--yes")
    assert (code, kaggle.submissions) == (5, [])
    assert "found '2'" in err
    assert entry(predicted).notebook is None


def test_what_runs_or_has_run_is_not_pushed_again(kaggle, foldwise, trained):
    foldwise(*RUN)
    before = LEDGER.read_bytes()
    code, out, _ = foldwise(*RUN)
    assert (code, len(kaggle.kernels.pushed), len(kaggle.uploads)) == (0, 1, 1)
    assert "earlier, as version 1; not pushed again" in out
    assert LEDGER.read_bytes() == before
    kaggle.kernels.life = ["RUNNING", "COMPLETE"]
    assert foldwise(*RUN, "--again")[0] == 4  # it runs: nothing is pushed beside it
    kaggle.kernels.life = ["COMPLETE", "QUEUED", "COMPLETE"]
    code, out, _ = foldwise(*RUN, "--again")
    assert (code, len(kaggle.kernels.pushed), len(kaggle.uploads)) == (0, 2, 1)
    assert "unchanged, version 1" in out
    assert entry(trained).notebook.endswith("/2")


def test_a_file_competition_gets_the_csv(kaggle, foldwise, trained):
    code, out, err = foldwise(*RUN, "--submit", "--yes")
    assert (code, err) == (0, "")
    assert kaggle.submissions[0]["fileName"] == f"{trained}.csv"
    assert "public 0.77511" in out
    assert entry(trained).public_score == 0.77511


def test_a_code_competition_gets_the_notebook_s_version(kaggle, foldwise, predicted):
    kaggle.kernels.only = True
    code, _, err = foldwise("submit", "titanic", "--yes")
    assert (code, kaggle.submissions) == (2, [])
    assert f"type foldwise kaggle run titanic {predicted} --submit" in err
    kaggle.n_looks = 99
    code, out, err = foldwise(*RUN, predicted, "--submit", "--yes", "--message", "hidden test")
    assert (code, err) == (0, "")
    (sent,) = kaggle.kernels.code_submissions
    assert sent["kernelOwner"] == USER
    assert sent["kernelSlug"] == "foldwise-titanic-predict"
    assert (sent["kernelVersion"], sent["fileName"]) == (1, "submission.csv")
    assert sent["submissionDescription"].startswith("hidden test [")
    assert f"version 1 of {USER}/foldwise-titanic-predict" in out
    kaggle.n_looks = 0
    foldwise("runs", "titanic", "--refresh")
    foldwise("runs", "titanic", "--refresh")
    assert entry(predicted).public_score == 0.77511
    assert "not sent again" in foldwise("submit", "titanic", predicted, "--yes")[1]
    assert len(kaggle.kernels.code_submissions) == 1


def test_the_accelerator_is_passed_on_and_checked(kaggle, foldwise, predicted):
    kaggle.kernels.machine = "NvidiaTeslaP100"
    code, out, _ = foldwise(*RUN, predicted, "--accelerator", "NvidiaTeslaT4")
    assert code == 0
    assert kaggle.kernels.pushed[0]["machineShape"] == "NvidiaTeslaT4"
    assert "25.0 h of 30.0 h left" in out
    assert "asked for NvidiaTeslaT4, Kaggle gave NvidiaTeslaP100" in out
    kaggle.kernels.machine = None
    kaggle.kernels.life = ["COMPLETE", "RUNNING", "COMPLETE"]
    out = foldwise(*RUN, predicted, "--accelerator", "NvidiaTeslaT4", "--again")[1]
    assert "asked for" not in out


def test_public_shows_the_notebook_and_never_a_run_s_rows(kaggle, foldwise, predicted):
    assert foldwise(*RUN, predicted, "--public")[0] == 0
    assert kaggle.kernels.pushed[0]["isPrivate"] is False
    ((version,),) = kaggle.kernels.datasets.values()
    assert version["private"] is True


def test_a_notebook_of_one_s_own_is_pushed_as_it_is(kaggle, foldwise, predicted):
    assert foldwise("notebook", "titanic", predicted, "--user", USER)[0] == 0
    folder = Path("notebooks/titanic-predict")
    (path,) = (folder / "kernel").glob("*.ipynb")
    path.write_text(path.read_text().replace("## Score", "## My score"))
    assert foldwise(*RUN, "--folder", str(folder))[0] == 0
    assert "## My score" in kaggle.kernels.pushed[0]["text"]
    assert entry(predicted).notebook == f"{USER}/foldwise-titanic-predict/1"


TRAPS = {
    "a title that gives another name": ({"title": "My best notebook"}, "turns into"),
    "a dataset source with a prefix": (
        {"dataset_sources": ["datasets/rose/extra"]},
        "the dataset source 'datasets/rose/extra', expected OWNER/NAME",
    ),
    "a competition source with a prefix": (
        {"competition_sources": ["c/titanic"]},
        "the competition source 'c/titanic', expected its name alone",
    ),
    "another account's": (
        {"id": "jack/foldwise-titanic-predict"},
        "belongs to 'jack', and the account is 'rose'",
    ),
    "no notebook": ({"code_file": "gone.ipynb"}, "there is no notebook"),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_is_told_before_anything_is_sent(kaggle, foldwise, predicted, trap):
    change, message = TRAPS[trap]
    foldwise("notebook", "titanic", predicted, "--user", USER)
    path = Path("notebooks/titanic-predict/kernel/kernel-metadata.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    code, _, err = foldwise(*RUN, "--folder", "notebooks/titanic-predict")
    assert (code, kaggle.calls) == (2, [])
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_notebook_without_a_kernel_s_name_is_not_pushed(kaggle, foldwise, predicted):
    foldwise("notebook", "titanic", predicted, "--user", USER)
    (path,) = Path("notebooks/titanic-predict/kernel").glob("*.ipynb")
    path.write_text(path.read_text().replace('"name": "python3"', '"names": "python3"'))
    code, _, err = foldwise(*RUN, "--folder", "notebooks/titanic-predict")
    assert (code, kaggle.calls) == (2, [])
    assert "names no kernel in metadata.kernelspec.name" in err


def test_the_end_of_the_version_before_is_not_taken_for_this_one_s(kaggle, foldwise, predicted):
    foldwise(*RUN, predicted)
    before = {"metadata": {"currentVersionNumber": 1}}
    kaggle.on("GetKernel", pass_by, lambda handler, _: handler.tell(before))
    code, out, _ = foldwise(*RUN, predicted, "--again")
    assert code == 0
    assert "notebook    not there yet" in out
    assert entry(predicted).notebook.endswith("/2")


def test_the_account_s_name_comes_with_a_token_too(kaggle, foldwise, predicted, monkeypatch):
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    assert foldwise(*RUN, predicted)[0] == 0
    assert kaggle.kernels.pushed[0]["slug"] == f"{USER}/foldwise-titanic-predict"


def test_kaggle_s_silence_on_a_version_s_number_pushes_nothing_twice(kaggle, foldwise, predicted):
    kaggle.always("GetKernel", lambda handler, _: handler.tell({"metadata": {}}))
    kaggle.kernels.life = ["COMPLETE"]
    assert foldwise(*RUN, predicted)[0] == 0
    assert foldwise(*RUN, predicted)[0] == 0
    assert len(kaggle.kernels.pushed) == 1


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ((*RUN, "20200101-000000-abcdef"), "no finished run"),
        ((*RUN, "--kind", "both"), "--kind is train or predict, found 'both'"),
        (("kaggle", "run", "titanik"), "did you mean 'titanic'?"),
        (("kaggle", "run", "names"), "is not on Kaggle"),
        ((*RUN, "--folder", "gone"), "gone/kernel/kernel-metadata.json: there is no such file"),
        (("kaggle", "rum"), "rum"),
    ],
)
def test_wrong_usage_is_one_line(kaggle, foldwise, typed, message):
    code, _, err = foldwise(*typed)
    assert (code, kaggle.calls) == (2, [])
    (line,) = err.splitlines()
    assert message in line
