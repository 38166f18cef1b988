"""The offline sample: made-up products in exactly the form of Otto's files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from pipelines.raw_files.samples import otto

FILES = ("train.csv", "test.csv", "sampleSubmission.csv", "holdout.csv")
CLASSES = [f"Class_{number}" for number in range(1, 10)]
FEATURES = [f"feat_{number}" for number in range(1, 94)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("otto")
    otto.write(folder)
    return folder


@pytest.fixture(scope="module")
def tables(folder: Path) -> dict[str, pd.DataFrame]:
    return {name: pd.read_csv(folder / name) for name in FILES}


def test_it_writes_four_files(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)


def test_columns_are_kaggles(tables: dict[str, pd.DataFrame]) -> None:
    assert list(tables["train.csv"].columns) == ["id", *FEATURES, "target"]
    assert list(tables["test.csv"].columns) == ["id", *FEATURES]
    assert list(tables["sampleSubmission.csv"].columns) == ["id", *CLASSES]
    assert list(tables["holdout.csv"].columns) == ["id", "target"]
    guesses = tables["sampleSubmission.csv"][CLASSES]
    assert (guesses["Class_1"] == 1).all()
    assert (guesses.sum(axis=1) == 1).all()


def test_each_product_has_a_number_of_its_own(tables: dict[str, pd.DataFrame]) -> None:
    ids = pd.concat([tables["train.csv"]["id"], tables["test.csv"]["id"]])
    assert ids.tolist() == list(range(1, 4001))
    for name in ("holdout.csv", "sampleSubmission.csv"):
        assert tables[name]["id"].equals(tables["test.csv"]["id"])


def test_counts_are_mostly_zero_with_a_long_tail(tables: dict[str, pd.DataFrame]) -> None:
    counts = tables["train.csv"][FEATURES].to_numpy()
    assert counts.dtype == np.int64
    assert counts.min() == 0
    assert 0.7 < (counts == 0).mean() < 0.85
    assert counts.max() > 50


def test_classes_are_unequal_and_alike_on_both_sides(tables: dict[str, pd.DataFrame]) -> None:
    shares = [
        tables[name]["target"].value_counts(normalize=True)[CLASSES].to_numpy()
        for name in ("train.csv", "holdout.csv")
    ]
    assert shares[0].max() > 7 * shares[0].min()
    np.testing.assert_allclose(shares[0], shares[1], atol=0.05)


def test_classes_overlap_but_can_be_learned(tables: dict[str, pd.DataFrame]) -> None:
    line = LogisticRegression(max_iter=100, C=0.1)
    train, test = (np.log1p(tables[name][FEATURES]) for name in ("train.csv", "test.csv"))
    line.fit(train, tables["train.csv"]["target"])
    accuracy = (line.predict(test) == tables["holdout.csv"]["target"]).mean()
    assert 0.6 < accuracy < 0.95


def test_it_writes_the_same_bytes_again(folder: Path, tmp_path: Path) -> None:
    otto.write(tmp_path)
    for name in FILES:
        first, second = (
            hashlib.sha256((place / name).read_bytes()).hexdigest() for place in (folder, tmp_path)
        )
        assert first == second


def test_the_fingerprint_follows_the_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    before = otto.fingerprint()
    assert otto.fingerprint() == before
    monkeypatch.setattr(otto, "GENERATOR_VERSION", "next")
    assert otto.fingerprint() != before
