import gzip
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.tables.schema import Column
from features.tables.size import SAMPLE_BYTES, size_of, size_of_json

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


@pytest.mark.parametrize("name", ["list.json", "lines.json", "list.json.gz"])
def test_records_are_counted_from_the_first_bytes(tmp_path, table, name):
    path = tmp_path / name
    table.to_json(path, orient="records", lines=name.startswith("lines"))
    size = size_of_json(path, columns(table, word="text"))
    assert abs(size.n_rows / N_ROWS - 1) < 0.05
    assert size.record_bytes > size.value_bytes > 32


READ = """
import re, sys
from pathlib import Path
from features.tables.json_records import read_json_records
from features.tables.schema import Column
columns = [Column(name=n, kind="text" if n == "word" else "float") for n in sys.argv[2:]]
def kilobytes(key):
    return int(re.search(key + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
before = kilobytes("VmRSS")
read_json_records(sys.argv[1], columns)
print(1024 * (kilobytes("VmHWM") - before))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
@pytest.mark.parametrize("name", ["list.json", "lines.json"])
def test_records_take_about_what_was_estimated(tmp_path, table, name):
    path = tmp_path / name
    pd.concat([table] * 3).to_json(path, orient="records", lines=name.startswith("lines"))
    typed = [sys.executable, "-c", READ, str(path), *table]
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    peak = int(subprocess.run(typed, check=True, capture_output=True, env=env).stdout)
    estimated = size_of_json(path, columns(table, word="text")).reading_bytes
    assert 0.5 < estimated / peak < 2


def test_what_is_not_records_has_no_rows(tmp_path):
    for text in ("", "[]", "no records", '{"a": 1', '{"a":' + "[" * 100_000):
        (tmp_path / "table.json").write_text(text)
        assert size_of_json(tmp_path / "table.json", [Column(name="a", kind="int")]).n_rows == 0
