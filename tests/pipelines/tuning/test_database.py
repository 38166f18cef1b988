"""Studies in a database: faults are one line without the password; locks are waited for."""

import sqlite3
import threading
import time
import urllib.parse

import optuna
import pytest
from postgres import PASSWORD

from pipelines.tuning import database, patience
from pipelines.tuning.database import open_database
from pipelines.tuning.storage import StorageError, StorageFullError, StorageLostError
from tests.small_disk import no_file_beyond


def refused(address):
    """What is said of a storage that cannot be opened."""
    with pytest.raises(StorageError) as caught:
        open_database(address)
    text = str(caught.value)
    assert "\n" not in text
    return text


def closed(storage):
    storage.remove_session()
    storage.engine.dispose()


def study_in(address):
    storage = open_database(address)
    storage.create_new_study([optuna.study.StudyDirection.MAXIMIZE], "one")
    return storage


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("studies.db", "did you mean sqlite:///studies.db?"),
        (
            "redis://u:hidden-word@h",
            "no database 'redis' is known; known: sqlite, postgresql, mysql",
        ),
        ("mysql+pymysql://u:hidden-word@h/x", "pip install 'pymysql'"),
        ("mysql://u:hidden-word@h/x", "pip install 'mysqlclient'"),
        ("postgresql+psycopg2://u:hidden-word@h/x", "pip install 'psycopg2-binary'"),
        ("sqlite:////proc/none/studies.db", "unable to open database file"),
        ("://u:hidden-word@h", "it is no address of a database"),
    ],
)
def test_an_address_that_is_no_good_says_what_to_type(address, message):
    told = refused(address)
    assert message in told
    assert "hidden-word" not in told


def test_a_file_that_is_no_database_is_told(tmp_path):
    (tmp_path / "bad.db").write_text("garbage" * 100)
    assert "file is not a database" in refused(f"sqlite:///{tmp_path}/bad.db")


@pytest.mark.parametrize(
    ("revision", "message"),
    [
        ("v2.6.0.a", "an older Optuna made it; copy it first, then type: optuna storage upgrade"),
        ("v9.9.9.a", "a newer Optuna made it; type: pip install --upgrade optuna"),
    ],
)
def test_tables_of_another_version_say_what_to_do(tmp_path, revision, message):
    address = f"sqlite:///{tmp_path}/old.db"
    closed(open_database(address))
    with sqlite3.connect(tmp_path / "old.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    connection.close()
    assert message in refused(address)


def test_a_locked_file_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "CONNECT_TIMEOUT_S", 0.2)
    address = f"sqlite:///{tmp_path}/studies.db"
    closed(study_in(address))
    holder = sqlite3.connect(tmp_path / "studies.db", isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN EXCLUSIVE")
    told = []
    freed = threading.Timer(3.0, lambda: holder.execute("ROLLBACK"))
    freed.start()
    storage = open_database(address, told.append)
    assert [study.study_name for study in storage.get_all_studies()] == ["one"]
    freed.join()
    holder.close()
    closed(storage)


def test_waiting_has_an_end_and_says_that_nothing_is_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(patience, "LIMIT_S", 1.0)
    monkeypatch.setattr(database, "CONNECT_TIMEOUT_S", 0.1)
    told = []
    closed(study_in(f"sqlite:///{tmp_path}/studies.db"))
    storage = open_database(f"sqlite:///{tmp_path}/studies.db", told.append)
    holder = sqlite3.connect(tmp_path / "studies.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StorageLostError, match=r"does not answer \(database is locked\)") as caught:
        storage.get_all_studies()
    assert "type the same command again to continue" in str(caught.value)
    assert len(told) == 1
    assert "waiting for it" in told[0]
    holder.close()
    closed(storage)


def test_a_missing_table_is_no_outage(tmp_path):
    storage = study_in(f"sqlite:///{tmp_path}/studies.db")
    with sqlite3.connect(tmp_path / "studies.db") as connection:
        connection.execute("DROP TABLE study_directions")
    connection.close()
    start = time.monotonic()
    with pytest.raises(StorageError, match="no such table"):
        storage.get_all_studies()
    assert time.monotonic() - start < 5
    closed(storage)


class TestPostgres:
    """What PostgreSQL itself answers."""

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda url: url.replace("Qu3er", "Wr0ng"), "password authentication failed"),
            (lambda url: f"{url}_missing", "does not exist"),
            (lambda url: url.replace("worker:", "nobody:"), "password authentication failed"),
        ],
        ids=["password", "database", "user"],
    )
    def test_what_it_refuses_is_told_without_the_password(self, postgres, change, message):
        told = refused(change(postgres.url("postgres")))
        assert message in told
        for secret in (PASSWORD, urllib.parse.quote(PASSWORD, safe=""), "Wr0ng"):
            assert secret not in told

    def test_a_password_among_the_options_is_not_told(self, postgres):
        bare = f"postgresql://worker@127.0.0.1:{postgres.port}/missing"
        told = refused(f"{bare}?password={urllib.parse.quote(PASSWORD)}")
        assert "does not exist" in told
        assert PASSWORD not in told

    def test_a_password_in_the_environment_is_used(self, postgres, monkeypatch):
        monkeypatch.setenv("PGPASSWORD", PASSWORD)
        closed(open_database(f"postgresql://worker@127.0.0.1:{postgres.port}/postgres"))


@pytest.mark.parametrize("n_bytes", [0, 60_000])
def test_a_full_disk_under_a_new_database_is_told_as_such(tmp_path, n_bytes):
    address = f"sqlite:///{tmp_path}/studies.db"
    with no_file_beyond(n_bytes), pytest.raises(StorageFullError, match="free some room") as caught:
        open_database(address)
    assert caught.value.exit_code == 3
    closed(open_database(address))


def test_a_disk_that_fills_up_in_the_middle_of_a_study_keeps_its_trials(tmp_path):
    storage = study_in(f"sqlite:///{tmp_path}/studies.db")
    storage.create_new_trial(1)
    with (
        no_file_beyond((tmp_path / "studies.db").stat().st_size // 2),
        pytest.raises(StorageFullError, match="what it holds is kept"),
    ):
        for number in range(1_000):
            storage.set_study_user_attr(1, str(number), "x" * 100)
    storage.create_new_trial(1)
    assert storage.get_n_trials(1) == 2
    closed(storage)
