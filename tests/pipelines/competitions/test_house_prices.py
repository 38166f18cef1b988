"""House Prices: its features, and a run from the files to a checked submission."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import foldwise
from pipelines.commands.app import main
from pipelines.competitions.house_prices import COMPETITION, ORDERED, add_features


@pytest.fixture(scope="module")
def houses(tmp_path_factory):
    workspace = tmp_path_factory.mktemp("workspace")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(workspace)
        train = foldwise.load("house-prices", source="sample").train
    return train[[column.name for column in COMPETITION.columns]]


def test_grades_are_in_the_order_that_people_give_them(houses) -> None:
    table = add_features(houses)
    for name, known in ORDERED.items():
        assert set(table[name].dropna().str.strip()) <= set(known), name
        assert table[f"{name}_grade"].between(0, max(known.values())).all()
    assert table.loc[houses["ExterQual"] == "Ex", "ExterQual_grade"].eq(5).all()


def test_what_a_house_does_not_have_counts_nothing(houses) -> None:
    table = add_features(houses.assign(GarageArea=np.nan, PoolQC=pd.NA))
    assert table["GarageArea"].eq(0).all()
    assert table["has_garage"].eq(0).all()
    assert table["PoolQC_grade"].eq(0).all()


def test_half_baths_and_both_floors_count(houses) -> None:
    table, house = add_features(houses), houses.iloc[0]
    assert table["total_area"].iloc[0] == house["TotalBsmtSF"] + house["GrLivArea"]
    halves = house[["HalfBath", "BsmtHalfBath"]].sum() / 2
    assert table["baths"].iloc[0] == house[["FullBath", "BsmtFullBath"]].sum() + halves


def test_the_line_is_better_than_the_mean_price(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["run", "house-prices", "--source", "sample", "--no-track", "--members", "ridge"]
    assert main([*arguments, "--folds", "3"]) == 0
    printed = capsys.readouterr().out
    score = float(printed.split("rmsle")[1].split()[0])
    mean_price = 0.41  # the error of the mean price, whatever the rows
    assert score < 0.5 * mean_price
    (csv,) = tmp_path.glob("submissions/house-prices/*.csv")
    assert main(["check", "house-prices", str(csv), "--source", "sample"]) == 0


def test_members_can_be_tuned() -> None:
    assert [member.name for member in COMPETITION.members if member.search] == [
        *("ridge", "trees", "mlp")
    ]
