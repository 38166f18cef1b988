"""The offline sample: made-up passengers in exactly the form of Kaggle's files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pipelines.raw_files.samples import spaceship_titanic

FILES = ("train.csv", "test.csv", "sample_submission.csv", "holdout.csv")
COLUMNS = [
    *("PassengerId", "HomePlanet", "CryoSleep", "Cabin", "Destination", "Age", "VIP"),
    *("RoomService", "FoodCourt", "ShoppingMall", "Spa", "VRDeck", "Name", "Transported"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spaceship")
    spaceship_titanic.write(folder)
    return folder


@pytest.fixture(scope="module")
def tables(folder: Path) -> dict[str, pd.DataFrame]:
    return {name: pd.read_csv(folder / name, dtype="str") for name in FILES}


def test_columns_are_kaggles(tables: dict[str, pd.DataFrame]) -> None:
    assert list(tables["train.csv"]) == COLUMNS
    assert list(tables["test.csv"]) == COLUMNS[:-1]
    for name in ("holdout.csv", "sample_submission.csv"):
        assert list(tables[name]) == ["PassengerId", "Transported"]
        assert tables[name]["PassengerId"].equals(tables["test.csv"]["PassengerId"])
    assert set(tables["sample_submission.csv"]["Transported"]) == {"False"}


def test_a_group_is_in_one_file_and_shares_its_cabin(tables: dict[str, pd.DataFrame]) -> None:
    train, test = (t["PassengerId"].str.split("_") for t in map(tables.get, FILES[:2]))
    assert not set(train.str[0]) & set(test.str[0])
    assert tables["train.csv"]["PassengerId"].str.fullmatch(r"\d{4}_\d{2}").all()
    assert tables["train.csv"].groupby(train.str[0])["Cabin"].nunique().max() == 1


def test_sleepers_spend_nothing_and_a_fiftieth_is_missing(tables: dict[str, pd.DataFrame]) -> None:
    train = tables["train.csv"]
    spent = train[train["CryoSleep"] == "True"][["Spa", "VRDeck"]].astype(float)
    assert spent.max().max() == 0
    assert 0.01 < train.drop(columns=["PassengerId", "Transported"]).isna().mean().mean() < 0.03
    assert train["Transported"].notna().all()


def test_the_same_machine_writes_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    spaceship_titanic.write(tmp_path)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
