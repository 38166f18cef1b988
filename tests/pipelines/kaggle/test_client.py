"""Signing in with the real kaggle package, and stage 1 with Kaggle as its source.

What the package does when it is imported is seen in processes and homes of their own.
"""

import json
import subprocess
import sys

import pytest
from kaggle_server import KEY, REFRESH, SECRETS, TOKEN, USER, refuse, stall, zipped

from pipelines.kaggle import client
from pipelines.kaggle.errors import KaggleError, Subject
from pipelines.raw_files.sources import Source
from pipelines.stages.download import UNCHANGED, download

FILES = {"train.csv": b"id,y\n1,0\n", "test.csv": b"id\n2\n", "sample.csv": b"id,y\n2,0\n"}
PROGRAM = """
import json, sys, traceback
from pathlib import Path
from kagglesdk.kaggle_env import KaggleEnv, _env_to_endpoint
_env_to_endpoint[KaggleEnv.PROD] = sys.argv[1]
from pipelines.kaggle.client import download
from pipelines.kaggle.errors import KaggleError
from pipelines.kaggle.retry import Patience
patience = Patience(tries=2, first_wait_s=0.0, read_timeout_s=0.3)
into = Path(sys.argv[2])
try:
    download("toy", "competition", into / "toy.zip", into / "parts", patience=patience)
    answer = "fetched"
except KaggleError as error:
    traceback.print_exc()
    answer = str(error)
print(json.dumps(answer))
"""


@pytest.fixture
def stage_1(kaggle, toy, patience, tmp_path):
    """Stage 1 of the toy, as Kaggle has it."""
    kaggle.archives["toy"] = zipped(FILES)

    def stage_1(**options):
        source = Source("kaggle", None, "")
        return download(toy, source, tmp_path / "data", patience=patience, **options)

    return stage_1


@pytest.fixture
def in_a_process(kaggle, tmp_path, monkeypatch):
    """Fetches the toy's archive in a new process; gives what it says, having looked for secrets."""
    kaggle.archives["toy"] = zipped(FILES)
    monkeypatch.delenv("KAGGLE_USERNAME")
    monkeypatch.delenv("KAGGLE_KEY")
    monkeypatch.setenv("VERBOSE", "1")  # makes the package print what it sends, credentials too
    (tmp_path / "into").mkdir()

    def fetch():
        words = [sys.executable, "-c", PROGRAM, kaggle.url, str(tmp_path / "into")]
        done = subprocess.run(words, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("\n") == 1, f"only our own line on standard output: {done.stdout}"
        for secret in SECRETS:
            assert secret not in done.stdout + done.stderr
        return json.loads(done.stdout)

    return fetch


@pytest.mark.parametrize(
    ("path", "content"),
    [
        (".kaggle/access_token", TOKEN),
        (".kaggle/kaggle.json", json.dumps({"username": USER, "key": KEY})),
        (".config/kaggle/kaggle.json", json.dumps({"username": USER, "key": KEY})),
        (".kaggle/credentials.json", json.dumps({"refresh_token": REFRESH, "username": USER})),
    ],
    ids=["token", "user name and key", "the same, elsewhere", "OAuth"],
)
def test_credentials_of_a_file_sign_in(in_a_process, signed_out, path, content):
    (signed_out / path).parent.mkdir(parents=True)
    (signed_out / path).write_text(content)
    (signed_out / path).chmod(0o644)  # the package warns too, on standard output
    assert in_a_process() == "fetched"


def test_credentials_of_the_environment_sign_in(in_a_process, monkeypatch):
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    assert in_a_process() == "fetched"


def test_a_token_that_nobody_answers_for_is_waited_for_a_bounded_time(
    in_a_process, kaggle, monkeypatch
):
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    kaggle.always("IntrospectToken", stall)
    assert "did not answer in time for toy" in in_a_process()


def test_without_credentials_nothing_is_asked_and_no_folder_is_made(
    in_a_process, kaggle, signed_out
):
    message = in_a_process()
    assert "kaggle auth login" in message
    assert "--source sample" in message
    assert message.count("\n") == 0
    assert kaggle.calls == []
    assert list(signed_out.iterdir()) == []


def test_refused_credentials_are_reported_in_a_process_without_secrets(in_a_process, monkeypatch):
    monkeypatch.setenv("KAGGLE_USERNAME", USER)
    monkeypatch.setenv("KAGGLE_KEY", "an-old-key")
    assert "refused the credentials in the environment variables" in in_a_process()


def test_a_data_set_is_fetched(kaggle, patience, tmp_path):
    kaggle.archives["pima"] = zipped(FILES)
    target = tmp_path / "pima.zip"
    client.download("uciml/pima", "dataset", target, tmp_path / "parts", patience=patience)
    assert target.read_bytes() == kaggle.archives["pima"]


def test_a_data_set_that_is_refused_names_its_page(kaggle, patience, tmp_path):
    kaggle.on("DownloadDataset", refuse(403))
    with pytest.raises(KaggleError, match=r"open https://www\.kaggle\.com/datasets/uciml/pima"):
        client.download(
            "uciml/pima", "dataset", tmp_path / "a.zip", tmp_path / "parts", patience=patience
        )


def test_an_answer_of_200_that_holds_a_refusal_is_a_refusal(kaggle, stage_1):
    body = {"code": 403, "message": "You must accept the rules"}
    kaggle.on("DownloadDataFiles", lambda handler, _: handler.tell(body))
    with pytest.raises(KaggleError, match=r"\(403\): You must accept the rules: are its rules"):
        stage_1()


def test_the_package_is_bounded_only_while_we_use_it(kaggle, stage_1):
    from kagglesdk.kaggle_http_client import KaggleHttpClient

    before = KaggleHttpClient._init_session
    stage_1()
    assert KaggleHttpClient._init_session is before


def test_stage_1_fetches_once_and_needs_no_credentials_after(kaggle, stage_1, monkeypatch):
    raw = stage_1()
    assert {name: file.path.read_bytes() for name, file in raw.files.items()} == FILES
    assert {path.name for path in raw.folder.iterdir()} == {*FILES, "manifest.json"}
    kaggle.calls.clear()
    monkeypatch.delenv("KAGGLE_KEY")
    assert stage_1() == raw
    assert kaggle.calls == []


def test_stage_1_fetches_anew_what_was_changed(stage_1):
    train = stage_1().folder / "train.csv"
    train.write_bytes(b"id,y\n1,1\n")
    assert "changed on the disk: train.csv" in stage_1().note
    assert train.read_bytes() == FILES["train.csv"]


def inodes(folder):
    return {path.name: path.stat().st_ino for path in folder.iterdir()}


def test_a_refresh_downloads_nothing_that_is_unchanged(kaggle, stage_1):
    before = inodes(stage_1().folder)
    message = []
    raw = stage_1(refresh=True, progress=lambda *n: message.append(n))
    assert raw.note == UNCHANGED
    assert inodes(raw.folder) == before
    assert message == []
    assert len(kaggle.asked("storage")) == 2


def test_a_refresh_fetches_what_kaggle_has_changed(kaggle, stage_1):
    stage_1()
    kaggle.archives["toy"] = zipped(FILES | {"train.csv": b"id,y\n1,1\n"})
    raw = stage_1(refresh=True)
    assert raw.note is None
    assert raw.files["train.csv"].path.read_bytes() == b"id,y\n1,1\n"
    assert stage_1(refresh=True).note == UNCHANGED


def test_a_refresh_mends_what_was_changed_on_the_disk(kaggle, stage_1):
    train = stage_1().folder / "train.csv"
    train.write_bytes(b"id,y\n1,1\n")
    assert "changed on the disk" in stage_1(refresh=True).note
    assert train.read_bytes() == FILES["train.csv"]


def test_a_refresh_of_files_that_are_not_kaggles_says_so(toy, toy_folder, tmp_path):
    raw = download(toy, Source("path", toy_folder, ""), tmp_path / "data")
    again = download(toy, Source("path", toy_folder, ""), tmp_path / "data", refresh=True)
    assert again.files == raw.files
    assert "not Kaggle's" in again.note


def test_a_manifest_of_before_is_still_read(kaggle, stage_1):
    raw = stage_1()
    manifest = raw.folder / "manifest.json"
    fields = json.loads(manifest.read_text())
    assert fields.pop("remote")["n_bytes"] == len(kaggle.archives["toy"])
    manifest.write_text(json.dumps(fields))
    kaggle.calls.clear()
    assert stage_1().digest == raw.digest
    assert kaggle.calls == []
    assert stage_1(refresh=True).note is None  # nobody knows what it was: fetched again


def test_all_pages_of_kaggles_list_are_read(kaggle, patience):
    listed = {"date": "2026-01-02T03:04:05.678Z", "status": "COMPLETE", "fileName": "a.csv"}

    def page(number, token):
        page = {"submissions": [listed | {"ref": number}], "nextPageToken": token}
        return lambda handler, _: handler.tell(page)

    kaggle.on("ListSubmissions", page(1, "next"), page(2, ""))
    subject = Subject("titanic")
    with client.sign_in(subject, patience) as signed_in:
        assert [sent.ref for sent in signed_in.submissions(subject)] == [1, 2]


def test_a_team_that_has_sent_nothing_is_not_refused(kaggle, patience):
    kaggle.n_left = 0
    with client.sign_in(Subject("titanic"), patience) as signed_in:
        assert signed_in.quota(Subject("titanic")) is None
