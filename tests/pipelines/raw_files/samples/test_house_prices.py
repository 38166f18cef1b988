"""The offline sample: Ames's houses in exactly the form of Kaggle's files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pipelines.raw_files.samples import house_prices
from pipelines.raw_files.samples.packages import SampleError

FILES = ("train.csv", "test.csv", "sample_submission.csv", "holdout.csv")


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    folder = tmp_path_factory.mktemp("houses")
    house_prices.write(folder)
    return {name: pd.read_csv(folder / name, keep_default_na=False) for name in FILES}


def test_columns_are_kaggles(tables: dict[str, pd.DataFrame]) -> None:
    columns = list(tables["train.csv"])
    assert len(columns) == 81
    assert columns[:4] == ["Id", "MSSubClass", "MSZoning", "LotFrontage"]
    assert columns[-1] == "SalePrice"
    assert {"YearRemodAdd", "BsmtFinSF1", "1stFlrSF", "3SsnPorch", "BedroomAbvGr"} <= set(columns)
    assert list(tables["test.csv"]) == columns[:-1]
    for name in ("holdout.csv", "sample_submission.csv"):
        assert list(tables[name]) == ["Id", "SalePrice"]


def test_every_house_is_in_one_file(tables: dict[str, pd.DataFrame]) -> None:
    ids = [*tables["train.csv"]["Id"], *tables["test.csv"]["Id"]]
    assert ids == list(range(1, 2931))
    assert tables["holdout.csv"]["Id"].equals(tables["test.csv"]["Id"])
    assert tables["sample_submission.csv"]["Id"].equals(tables["test.csv"]["Id"])


def test_missing_values_are_written_as_kaggle_writes_them(tables: dict[str, pd.DataFrame]) -> None:
    train = tables["train.csv"]
    assert (train["Alley"] == "NA").mean() > 0.8
    assert not (train == "").any().any()


def test_both_files_hold_houses_of_the_same_kind(tables: dict[str, pd.DataFrame]) -> None:
    prices = [tables[name]["SalePrice"].mean() for name in ("train.csv", "holdout.csv")]
    assert prices[0] == pytest.approx(prices[1], rel=0.03)


def test_a_foreign_table_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "ames_housing.pkl.bz2"
    pd.DataFrame({"SalePrice": [1.0]}).to_pickle(path)
    monkeypatch.setattr(house_prices, "_table", lambda: path)
    with pytest.raises(SampleError, match=r"has the columns \['SalePrice'\] …, expected 80"):
        house_prices.write(tmp_path)
