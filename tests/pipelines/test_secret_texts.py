"""What is hidden in a text, and what stays as it is."""

import base64
import json

import pytest

from pipelines import secret_texts
from pipelines.secret_texts import redacted, without_password

KEY, TOKEN = "s3cr3t-k3y", "KGAT_s3cr3t-t0ken"
STORED = {
    ".kaggle/access_token": TOKEN,
    ".kaggle/access_token.txt": TOKEN,
    ".kaggle/kaggle.json": json.dumps({"username": "rose", "key": KEY}),
    ".config/kaggle/kaggle.json": json.dumps({"username": "rose", "key": KEY}),
    ".kaggle/credentials.json": json.dumps({"refresh_token": KEY}),
}


@pytest.fixture(autouse=True)
def home(signed_out, monkeypatch):
    monkeypatch.setattr(secret_texts, "_typed", set())
    return signed_out


@pytest.mark.parametrize("path", STORED)
def test_a_stored_secret_is_hidden(home, path):
    (home / path).parent.mkdir(parents=True)
    (home / path).write_text(STORED[path])
    secret = TOKEN if "access_token" in path else KEY
    assert redacted(f"found {secret}, expected") == "found ***, expected"


def test_a_secret_of_the_environment_is_hidden_as_a_header_too(monkeypatch):
    monkeypatch.setenv("KAGGLE_USERNAME", "rose")
    monkeypatch.setenv("KAGGLE_KEY", KEY)
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    header = base64.b64encode(f"rose:{KEY}".encode()).decode()
    assert redacted(f"{KEY} {TOKEN} Basic {header}") == "*** *** Basic ***"


@pytest.mark.parametrize(
    "name", ["PGPASSWORD", "MLFLOW_TRACKING_PASSWORD", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY"]
)
def test_the_environment_s_secrets_are_known_by_their_names(monkeypatch, name):
    monkeypatch.setenv(name, 'pass"word/1')
    assert redacted('FATAL: pass"word/1 is wrong') == "FATAL: *** is wrong"
    assert redacted(json.dumps({"a": 'pass"word/1'})) == '{"a": "***"}'
    assert redacted("http://pass%22word%2F1") == "http://***"


def test_an_address_loses_its_signature():
    message = "no file at https://storage.example/a.zip?X-Signature=abc&Expires=3 today, is it?"
    assert redacted(message) == "no file at https://storage.example/a.zip?*** today, is it?"
    plain = "are its rules accepted?; open https://www.kaggle.com/competitions/titanic/rules"
    assert redacted(plain) == plain


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://me:hidden@h:5432/db",
        "postgresql+psycopg://me:hidden@h/db?sslmode=require",
        "mysql://h/db?user=me&password=hidden",
        "http://me:hid%64en@h",
    ],
    ids=range(4),  # a test's name is in its environment
)
def test_the_password_of_a_typed_address_is_hidden_wherever_it_stands(address):
    text = f"{address}: the password 'hidden' is wrong"
    assert "hidden" in redacted("the password 'hidden' is wrong")
    for found in (redacted(text, address), _remembered(text, address)):
        assert "hid" not in found
        assert "is wrong" in found


def _remembered(text, address):
    secret_texts.remember(address)
    return redacted(text)


def test_the_password_of_an_address_in_the_environment_is_hidden(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:p@ss@word@h:5000")
    assert "p@ss" not in redacted("user me, password p@ss@word")


def test_a_password_that_is_a_word_hides_no_part_of_another():
    address = "postgresql://postgres:postgres@h/db"
    told = redacted("postgresql://***@h/db: psycopg says postgres is wrong", address)
    assert told == "postgresql://***@h/db: psycopg says *** is wrong"


def test_texts_without_secrets_stay_as_they_are(monkeypatch):
    monkeypatch.setenv("SHORT_KEY", "run")
    text = "foldwise run titanic: see https://www.kaggle.com/c/titanic and mail someone@example.org"
    assert redacted(text) == text
    assert redacted("see postgresql://me:secret@host/db.") == "see postgresql://***@host/db."


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://me:secret@h:5432/db?sslmode=no", "postgresql://***@h:5432/db"),
        ("postgresql://me:se@cr?et@h/db", "postgresql://***@h/db"),
        ("http://h:5000/path", "http://h:5000/path"),
        ("sqlite:////home/me@work/a.db?timeout=3", "sqlite:////home/me@work/a.db"),
        ("studies.db", "studies.db"),
    ],
    ids=range(5),
)
def test_an_address_without_its_password(address, shown):
    assert without_password(address) == shown
