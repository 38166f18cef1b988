"""The real kaggle package, asking a server on loopback; each case in a process and home of its own.

The server knows one competition, one data set and one user; the slug of a request picks the fault.
"""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipelines.kaggle_client import has_credentials, where_credentials

SECRET = "s3cr3t-k3y"
TOKEN = "KGAT_s3cr3t-t0ken"
KEY = {"KAGGLE_USERNAME": "rose", "KAGGLE_KEY": SECRET}
STATUS = {"closed": 403, "titanik": 404, "busy": 429, "broken": 500}
MEMBERS = {"train.csv": b"id,y\n1,0\n", "test.csv": b"id\n2\n"}


def archive_bytes() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as zipped:
        for name, content in MEMBERS.items():
            zipped.writestr(zipfile.ZipInfo(name), content)  # with one date for all time
    return buffer.getvalue()


class Handler(BaseHTTPRequestHandler):
    """Kaggle's answers to signing in and to the two downloads, then the storage's."""

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.calls.append(self.path)  # type: ignore[attr-defined]
        if self.path.endswith("IntrospectToken"):
            known = request["token"] == TOKEN
            answer = {"active": known, "username": "rose"} if known else {"active": False}
            self.answer(200, json.dumps(answer).encode())
        elif not self.is_signed_in():
            self.refuse(401, "Unauthorized")
        else:
            self.fetch(request.get("competitionName") or request["datasetSlug"])

    def fetch(self, slug: str) -> None:
        if slug == "stalled":
            time.sleep(1.5)
        if slug in STATUS:
            self.refuse(STATUS[slug], f"a word about {slug}")
        else:
            self.send_response(302)
            storage = f"http://127.0.0.1:{self.server.server_address[1]}"
            self.send_header("Location", f"{storage}/storage/{slug}.zip?X-Signature={SECRET}")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def do_GET(self) -> None:
        content = archive_bytes()
        if "expired" in self.path:
            self.answer(403, b"<Error>SignatureExpired</Error>", kind="application/xml")
        elif "silent" in self.path:
            self.answer(200, content[:50], announced=len(content), kind="application/zip", wait=1.5)
        elif "short" in self.path:
            self.answer(200, content[:50], announced=len(content), kind="application/zip")
        else:
            self.answer(200, content, kind="application/zip")

    def is_signed_in(self) -> bool:
        basic = base64.b64encode(f"rose:{SECRET}".encode()).decode()
        return self.headers.get("Authorization") in (f"Basic {basic}", f"Bearer {TOKEN}")

    def refuse(self, status: int, message: str) -> None:
        self.answer(status, json.dumps({"code": status, "message": message}).encode())

    def answer(
        self,
        status: int,
        body: bytes,
        *,
        announced: int | None = None,
        kind: str = "application/json",
        wait: float = 0.0,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(announced or len(body)))
        self.end_headers()
        self.wfile.write(body)
        time.sleep(wait)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Keep the tests' own output clean."""


@dataclass
class Kaggle:
    """The server's port and what it was asked, and a home to ask it from."""

    port: int
    home: Path
    calls: list[str] = field(default_factory=list)

    def ask(
        self, expression: str, *, setup: str = "", port: int | None = None, **credentials: str
    ) -> dict[str, str]:
        """Evaluate `expression`, which may use `into`, and tell its result or its error."""
        environment = {
            **{name: text for name, text in os.environ.items() if not name.startswith("KAGGLE")},
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / ".config"),
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
            "VERBOSE": "1",  # makes the package print what it sends, credentials too
            **credentials,
        }
        program = PROGRAM.format(
            port=port or self.port, into=str(self.into), setup=setup, expression=expression
        )
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("\n") == 1, f"only our own line on standard output: {done.stdout}"
        for secret in (SECRET, TOKEN):
            assert secret not in done.stdout + done.stderr
        answer: dict[str, str] = json.loads(done.stdout)
        return answer

    @property
    def into(self) -> Path:
        folder = self.home / "into"
        folder.mkdir(exist_ok=True)
        return folder

    def left(self) -> list[str]:
        return sorted(path.name for path in self.into.iterdir())


PROGRAM = """
import json, traceback
from pathlib import Path
from kagglesdk.kaggle_env import KaggleEnv, _env_to_endpoint
_env_to_endpoint[KaggleEnv.PROD] = "http://127.0.0.1:{port}"
from pipelines import kaggle_client
from pipelines.kaggle_client import download_competition, download_dataset
kaggle_client.READ_TIMEOUT_S = 0.5
into = Path({into!r})
{setup}
try:
    answer = dict(result=str({expression}))
except kaggle_client.KaggleError as error:
    traceback.print_exc()
    answer = dict(error=str(error), exit_code=error.exit_code)
print(json.dumps(answer))
"""


@pytest.fixture
def kaggle(tmp_path: Path) -> Iterator[Kaggle]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    asked = Kaggle(server.server_address[1], tmp_path)
    server.calls = asked.calls  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_competition_is_fetched_with_name_and_key(kaggle: Kaggle) -> None:
    answer = kaggle.ask("download_competition('titanic', into)", **KEY)
    assert answer == {"result": str(kaggle.into / "titanic.zip")}
    assert (kaggle.into / "titanic.zip").read_bytes() == archive_bytes()
    assert kaggle.left() == ["titanic.zip"]
    assert kaggle.calls == ["/v1/competitions.CompetitionApiService/DownloadDataFiles"]


def test_a_data_set_is_fetched_with_a_token_and_its_bytes_are_told(kaggle: Kaggle) -> None:
    answer = kaggle.ask(
        "(download_dataset('uciml/pima', into, progress=lambda *n: seen.append(n)), seen)[1]",
        setup="seen = []",
        KAGGLE_API_TOKEN=TOKEN,
    )
    n_bytes = len(archive_bytes())
    assert answer == {"result": f"[({n_bytes}, {n_bytes})]"}
    assert (kaggle.into / "pima.zip").read_bytes() == archive_bytes()


def test_without_credentials_nothing_is_asked(kaggle: Kaggle) -> None:
    answer = kaggle.ask("download_competition('titanic', into)")
    assert answer["exit_code"] == 4
    assert "kaggle auth login" in answer["error"]
    assert "--source sample" in answer["error"]
    assert answer["error"].count("\n") == 1
    assert kaggle.calls == []
    assert not (kaggle.home / ".config").exists()


@pytest.mark.parametrize(
    ("slug", "credentials", "said"),
    [
        ("titanic", KEY | {"KAGGLE_KEY": "old"}, "refused the credentials in the environment"),
        ("titanic", {"KAGGLE_API_TOKEN": "KGAT_old"}, "refused the credentials in the environment"),
        ("closed", KEY, "open https://www.kaggle.com/competitions/closed/rules"),
        ("titanik", KEY, "no competition 'titanik' (404)"),
        ("busy", KEY, "asked too often (429)"),
        ("broken", KEY, "answered 500 for broken: a word about broken"),
        ("expired", KEY, "answered 403 for expired"),
        ("short", KEY, "broke before short was whole"),
        ("stalled", KEY, "did not answer in time"),
        ("silent", KEY, "did not answer in time"),
    ],
    ids=["401", "token", "403", "404", "429", "500", "storage 403", "cut off", "stalled", "silent"],
)
def test_each_refusal_is_one_line_and_leaves_nothing(
    kaggle: Kaggle, slug: str, credentials: dict[str, str], said: str
) -> None:
    answer = kaggle.ask(f"download_competition({slug!r}, into)", **credentials)
    assert answer["exit_code"] == 4
    assert said in answer["error"]
    assert "--source sample" in answer["error"]
    assert "\n" not in answer["error"]
    assert kaggle.left() == []


@pytest.mark.parametrize("credentials", [KEY, {"KAGGLE_API_TOKEN": TOKEN}], ids=["key", "token"])
def test_a_refused_connection_is_told(kaggle: Kaggle, credentials: dict[str, str]) -> None:
    answer = kaggle.ask("download_competition('titanic', into)", port=1, **credentials)
    assert "could not be reached for titanic (connection refused)" in answer["error"]
    assert answer["exit_code"] == 4


STAGE_1 = """
from types import SimpleNamespace
from pipelines.download import download
from pipelines.sources import Source

def stage_1(slug):
    page = "https://www.kaggle.com/competitions/" + slug
    competition = SimpleNamespace(
        name="titanic",
        sample=None,
        files=dict(train="train.csv", test="test.csv"),
        kaggle=SimpleNamespace(slug=slug, kind="competition", page=page),
    )
    raw = download(competition, Source("kaggle", None, ""), into)
    return raw.source, sorted(raw.files), raw.folder.name, raw.note
"""


def test_stage_1_fetches_once_and_needs_no_credentials_after(kaggle: Kaggle) -> None:
    expected = "('kaggle', ['test.csv', 'train.csv'], 'kaggle', None)"
    assert kaggle.ask("stage_1('titanic')", setup=STAGE_1, **KEY) == {"result": expected}
    folder = kaggle.into / "titanic/kaggle"
    assert {p.name for p in folder.iterdir()} == {"train.csv", "test.csv", "manifest.json"}
    assert (folder / "train.csv").read_bytes() == MEMBERS["train.csv"]
    kaggle.calls.clear()
    assert kaggle.ask("stage_1('titanic')", setup=STAGE_1) == {"result": expected}
    assert kaggle.calls == []


def test_stage_1_fetches_anew_what_was_changed(kaggle: Kaggle) -> None:
    kaggle.ask("stage_1('titanic')", setup=STAGE_1, **KEY)
    train = kaggle.into / "titanic/kaggle/train.csv"
    train.write_bytes(b"id,y\n1,1\n")
    answer = kaggle.ask("stage_1('titanic')", setup=STAGE_1, **KEY)
    assert "changed on the disk: train.csv" in answer["result"]
    assert train.read_bytes() == MEMBERS["train.csv"]


def test_stage_1_keeps_what_it_has_when_kaggle_refuses(kaggle: Kaggle) -> None:
    kaggle.ask("stage_1('titanic')", setup=STAGE_1, **KEY)
    answer = kaggle.ask("stage_1('closed')", setup=STAGE_1, **KEY)
    assert "/competitions/closed/rules" in answer["error"]
    names = {path.name for path in (kaggle.into / "titanic/kaggle").iterdir()}
    assert names == {"train.csv", "test.csv", "manifest.json"}
    assert {path.name for path in (kaggle.into / "titanic").iterdir()} == {".lock", "kaggle"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    for name in [name for name in os.environ if name.startswith("KAGGLE_")]:
        monkeypatch.delenv(name)
    return tmp_path


def test_nobody_has_credentials(home: Path) -> None:
    assert where_credentials() is None
    assert not has_credentials()
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "content"),
    [
        (".kaggle/access_token", TOKEN),
        (".kaggle/access_token.txt", TOKEN),
        (".kaggle/kaggle.json", json.dumps({"username": "rose", "key": SECRET})),
        (".config/kaggle/kaggle.json", json.dumps({"username": "rose", "key": SECRET})),
        (".kaggle/credentials.json", json.dumps({"refresh_token": SECRET})),
    ],
)
def test_credentials_in_a_file(home: Path, path: str, content: str) -> None:
    (home / path).parent.mkdir(parents=True)
    (home / path).write_text(content)
    assert where_credentials() == str(home / path)
    (home / path).write_text("  \n")
    assert not has_credentials()
    (home / path).write_text('{"username": "rose"}' if path.endswith("json") else "")
    assert not has_credentials()


def test_credentials_in_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_USERNAME", "rose")
    assert not has_credentials()
    monkeypatch.setenv("KAGGLE_KEY", SECRET)
    assert where_credentials() == "the environment variables KAGGLE_USERNAME and KAGGLE_KEY"
    monkeypatch.setenv("KAGGLE_API_TOKEN", "x" * 5000)
    assert where_credentials() == "the environment variable KAGGLE_API_TOKEN"
    monkeypatch.setenv("KAGGLE_API_TOKEN", str(home))
    assert where_credentials() != "the environment variable KAGGLE_API_TOKEN"


def test_a_configured_folder_goes_before_the_home(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(home / "elsewhere"))
    (home / "elsewhere").mkdir()
    (home / "elsewhere/kaggle.json").write_text(json.dumps({"username": "rose", "key": SECRET}))
    assert where_credentials() == str(home / "elsewhere/kaggle.json")
