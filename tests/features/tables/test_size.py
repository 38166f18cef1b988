import gzip

import numpy as np
import pandas as pd
import pytest

from features.tables.schema import Column
from features.tables.size import SAMPLE_BYTES, size_of

N_ROWS = 40_000


@pytest.fixture
def table():
    numbers = np.random.default_rng(0).normal(size=(N_ROWS, 4)).round(6)
    return pd.DataFrame(numbers, columns=list("abcd")).assign(word="a word of some length")


def columns(table, **kinds):
    return [Column(name=name, kind=kinds.get(name, "float")) for name in table]


@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz"])
def test_rows_are_counted_from_the_first_bytes(tmp_path, table, name):
    path = tmp_path / name
    table.to_csv(path, index=False)
    data = path.read_bytes()
    text = gzip.decompress(data) if name.endswith("gz") else data
    assert len(text) > 2 * SAMPLE_BYTES
    size = size_of(path, columns(table, word="text"))
    assert abs(size.n_rows / N_ROWS - 1) < 0.05
    assert abs(size.n_bytes / len(text) - 1) < 0.05


def test_a_short_file_is_counted_whole(tmp_path, table):
    for name in ("table.csv", "table.csv.gz"):
        table.head(10).to_csv(tmp_path / name, index=False)
        size = size_of(tmp_path / name, columns(table, word="text"))
        assert abs(size.n_rows - 10) <= 1


def test_a_byte_takes_less_than_a_number_and_a_text_what_it_is_long(tmp_path, table):
    table.to_csv(tmp_path / "table.csv", index=False)
    kinds = ({"word": "text"}, {}, {"a": "byte", "b": "byte", "c": "byte"})
    text, number, byte = (size_of(tmp_path / "table.csv", columns(table, **k)) for k in kinds)
    assert text.value_bytes > number.value_bytes == 40 > byte.value_bytes == 19
    assert text.reading_bytes > number.reading_bytes > byte.reading_bytes
    assert number.reading_bytes > number.n_bytes + 2 * number.n_rows * 40


def test_an_empty_file_has_no_rows(tmp_path):
    (tmp_path / "table.csv").write_bytes(b"")
    assert size_of(tmp_path / "table.csv", [Column(name="a", kind="int")]).n_rows == 0
