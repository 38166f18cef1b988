from __future__ import annotations

import fcntl
import multiprocessing
import os
import resource
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from submissions.ledger import (
    Entry,
    LedgerError,
    LedgerWarning,
    Scores,
    append,
    read,
    update_scores,
)


def entry(run: str = "r1", **fields) -> Entry:
    defaults = {
        "run": run, "competition": "titanic", "time_utc": datetime(2024, 5, 1, tzinfo=UTC),
        "source": "sample", "synthetic": False, "metric": "accuracy", "greater_is_better": True,
        "cv": 0.83, "cv_std": 0.02, "submission": "submissions/titanic/é.csv", "sha256": "ab",
    }  # fmt: skip
    return Entry(**(defaults | fields))


@pytest.fixture
def ledger(tmp_path):
    return tmp_path / "submissions" / "ledger.jsonl"


def test_no_file_is_an_empty_ledger(ledger):
    assert read(ledger) == []


def test_entries_come_back_in_order(ledger):
    entries = [entry("r2", message='two\nlines "x"'), entry("r1"), entry("r1", competition="otto")]
    for one in entries:
        append(ledger, one)
    assert read(ledger) == entries
    assert ledger.read_bytes().count(b"\n") == 3


def test_later_scores_supersede_and_nothing_is_rewritten(ledger):
    append(ledger, entry("r1"))
    append(ledger, entry("r2"))
    before = ledger.read_bytes()
    update_scores(ledger, Scores(run="r1", competition="titanic", public_score=0.77))
    update_scores(ledger, Scores(run="r1", competition="titanic", public_score=0.78, message="m"))
    update_scores(ledger, Scores(run="r1", competition="titanic", private_score=0.8))
    assert ledger.read_bytes().startswith(before)
    assert read(ledger) == [
        entry("r1", public_score=0.78, private_score=0.8, message="m"),
        entry("r2"),
    ]


def test_a_run_that_is_written_again_keeps_its_public_score(ledger):
    append(ledger, entry(cv=0.1))
    update_scores(ledger, Scores(run="r1", competition="titanic", public_score=0.77))
    append(ledger, entry(cv=0.9))
    assert read(ledger) == [entry(cv=0.9, public_score=0.77)]


def test_scores_of_an_unknown_run(ledger):
    append(ledger, entry())
    with pytest.raises(LedgerError, match=r"no run 'r1' of otto.*Next: foldwise runs otto"):
        update_scores(ledger, Scores(run="r1", competition="otto", public_score=0.5))


@pytest.mark.parametrize("n_bytes_kept", [1, 40, -2])
def test_a_torn_last_line_is_left_out_and_the_next_one_is_whole(ledger, n_bytes_kept):
    append(ledger, entry("r1"))
    torn = entry("r2").model_dump_json().encode()[:n_bytes_kept]
    ledger.write_bytes(ledger.read_bytes() + torn)
    with pytest.warns(LedgerWarning, match="line 2: found"):
        assert read(ledger) == [entry("r1")]
    append(ledger, entry("r3"))
    assert read(ledger) == [entry("r1"), entry("r3")]


def test_a_last_line_that_lacks_its_line_end_only_is_whole(ledger):
    append(ledger, entry("r1"))
    ledger.write_bytes(ledger.read_bytes().removesuffix(b"\n"))
    assert read(ledger) == [entry("r1")]
    append(ledger, entry("r2"))
    assert read(ledger) == [entry("r1"), entry("r2")]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "Expecting property name"),
        ("[1]", "list indices"),
        ('{"run": "r1"}', "no 'competition'"),
        ('{"run": "r9", "competition": "titanic", "public_score": 1}', "time_utc: Field required"),
        ('{"run": "r1", "competition": "titanic", "cv": "high"}', "cv: Input should be a valid"),
        ('{"run": "r1", "competition": "titanic", "cv": NaN}', "cv: Input should be a finite"),
        ('{"run": "r1", "competition": "titanic", "score": 1}', "score: Extra inputs"),
    ],
)
def test_any_other_broken_line_is_named_and_left_out(ledger, line, reason):
    append(ledger, entry("r1"))
    ledger.write_text(ledger.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")
    append(ledger, entry("r2"))
    with pytest.warns(LedgerWarning, match=f"line 2: found .*{reason}.*Next: sed -n 2p") as told:
        found = read(ledger)
    assert found == [entry("r1"), entry("r2")]
    assert len(told) == 1
    assert "\n" not in str(told[0].message)


def append_many(path: Path, worker: int) -> None:
    for i in range(50):
        append(path, entry(f"{worker}-{i}", message="x" * 5000))


def test_writers_side_by_side_lose_nothing(ledger):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=append_many, args=(ledger, n)) for n in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert {one.run for one in read(ledger)} == {f"{n}-{i}" for n in range(2) for i in range(50)}


def test_a_writer_waits_for_the_one_before(ledger):
    append(ledger, entry("r1"))
    before = ledger.read_bytes()
    with ledger.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        writer = threading.Thread(target=append, args=(ledger, entry("r2")))
        writer.start()
        writer.join(0.2)
        assert ledger.read_bytes() == before
    writer.join()
    assert read(ledger) == [entry("r1"), entry("r2")]


APPEND_TO_FULL_DISK = """
import sys
from submissions.ledger import LedgerError, Scores, update_scores
try:
    scores = Scores(run="r1", competition="titanic", message="x" * 5000)
    update_scores(sys.argv[1], scores)
except LedgerError as error:
    print(error)
    sys.exit(error.exit_code)
"""


def test_a_full_disk_leaves_the_ledger_as_it_was(ledger):
    append(ledger, entry())
    before = ledger.read_bytes()
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))  # noqa: E731
    done = subprocess.run(
        [sys.executable, "-c", APPEND_TO_FULL_DISK, str(ledger)],
        capture_output=True, text=True, check=False, preexec_fn=limit,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert "the ledger cannot be written" in done.stdout
    assert ledger.read_bytes() == before


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "a_file").write_text("", encoding="utf-8")
    for folder in (tmp_path / "a_file", Path("/proc/none")):
        with pytest.raises(LedgerError, match=r"cannot be written .*Next: "):
            append(folder / "ledger.jsonl", entry())
    with pytest.warns(LedgerWarning, match="found a folder"):
        assert read(tmp_path) == []


@pytest.mark.parametrize(
    "fields",
    [{"cv": float("nan")}, {"cv_std": -1}, {"score": 1}, {"time_utc": datetime(2024, 5, 1)}],
)
def test_an_entry_that_is_none(fields):
    with pytest.raises(ValidationError):
        entry(**fields)
