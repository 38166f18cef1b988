"""Where credentials are found, and who else can read them."""

import json

import pytest

from pipelines.kaggle.credentials import exposure, has_credentials, where_credentials

KEY, TOKEN = "s3cr3t-k3y", "KGAT_s3cr3t-t0ken"
STORED = [
    (".kaggle/access_token", TOKEN),
    (".kaggle/access_token.txt", TOKEN),
    (".kaggle/kaggle.json", json.dumps({"username": "rose", "key": KEY})),
    (".config/kaggle/kaggle.json", json.dumps({"username": "rose", "key": KEY})),
    (".kaggle/credentials.json", json.dumps({"refresh_token": KEY})),
]


@pytest.fixture
def home(signed_out):
    return signed_out


def test_nobody_has_credentials(home):
    assert where_credentials() is None
    assert not has_credentials()
    assert exposure() is None
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(("path", "content"), STORED)
def test_credentials_in_a_file(home, path, content):
    (home / path).parent.mkdir(parents=True)
    (home / path).write_text(content)
    assert where_credentials() == str(home / path)
    (home / path).write_text("  \n")
    assert not has_credentials()
    (home / path).write_text('{"username": "rose"}' if path.endswith("json") else "")
    assert not has_credentials()


def test_credentials_in_the_environment(home, monkeypatch):
    monkeypatch.setenv("KAGGLE_USERNAME", "rose")
    assert not has_credentials()
    monkeypatch.setenv("KAGGLE_KEY", KEY)
    assert where_credentials() == "the environment variables KAGGLE_USERNAME and KAGGLE_KEY"
    monkeypatch.setenv("KAGGLE_API_TOKEN", "x" * 5000)
    assert where_credentials() == "the environment variable KAGGLE_API_TOKEN"
    monkeypatch.setenv("KAGGLE_API_TOKEN", str(home))
    assert where_credentials() != "the environment variable KAGGLE_API_TOKEN"


def test_a_configured_folder_goes_before_the_home(home, monkeypatch):
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(home / "elsewhere"))
    (home / "elsewhere").mkdir()
    (home / "elsewhere/kaggle.json").write_text(json.dumps({"username": "rose", "key": KEY}))
    assert where_credentials() == str(home / "elsewhere/kaggle.json")


@pytest.mark.parametrize(("path", "content"), STORED)
@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, True), (0o604, True)])
def test_a_file_that_others_can_read_is_reported(home, path, content, mode, warned):
    (home / path).parent.mkdir(parents=True)
    (home / path).write_text(content)
    (home / path).chmod(mode)
    message = exposure()
    assert (message is not None) == warned
    if warned:
        assert message.endswith(f"chmod 600 {home / path}")


def test_a_token_file_that_the_environment_names_is_looked_at_too(home, monkeypatch):
    token = home / "token"
    token.write_text(TOKEN)
    token.chmod(0o644)
    monkeypatch.setenv("KAGGLE_API_TOKEN", str(token))
    assert str(token) in exposure()
    token.chmod(0o600)
    assert exposure() is None
