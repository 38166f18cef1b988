import gzip
import json

import pandas as pd
import pytest

from features.tables.json_records import keys_of, read_json_records
from features.tables.schema import Column
from features.tables.text_file import TableError

COLUMNS = (
    Column(name="id", kind="text", as_it_is=True),
    Column(name="n", kind="int", missing=True),
    Column(name="f", kind="float", missing=("N/A",)),
    Column(name="got", kind="bool"),
    Column(name="at", kind="date", missing=("NA",)),
    Column(name="text", kind="text", keep_empty=True),
    Column(name="subs", kind="text", missing=True),
)
RECORDS = [
    {"id": "t3_07", "n": 3, "f": 0.1, "got": True, "at": "2011-05-01 10:00:00", "text": "é\u2028\n",
     "subs": ["a", {"b": "é"}], "more": 1},
    {"id": 10000174058809263569, "n": None, "f": "N/A", "got": False, "text": "", "other": []},
    {"id": "NA", "n": 4.0, "f": 2, "got": False, "at": "NA", "text": "NA", "subs": "N/A"},
]  # fmt: skip


def as_list(records):
    return json.dumps(records, indent=1).encode()


def as_lines(records):
    return "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records).encode()


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.json.gz"])
@pytest.mark.parametrize("written", [as_list, as_lines])
def test_declared_keys_are_read(csv_file, name, written):
    data = written(RECORDS)
    path = csv_file(gzip.compress(data) if name.endswith(".gz") else data, name)
    table = read_json_records(path, COLUMNS)
    assert [str(dtype) for dtype in table.dtypes] == [column.dtype for column in COLUMNS]
    assert table["id"].tolist() == ["t3_07", "10000174058809263569", "NA"]
    assert table["n"].tolist() == [3, pd.NA, 4]
    assert table["f"].isna().tolist() == [False, True, False]
    assert table["f"][0] == 0.1
    assert table["got"].tolist() == [True, False, False]
    assert table["at"].isna().tolist() == [False, True, True]
    assert table["text"].tolist() == ["é\u2028\n", "", "NA"]
    assert table["subs"].fillna("").tolist() == ['["a", {"b": "é"}]', "", "N/A"]
    assert set(keys_of(path)) == {c.name for c in COLUMNS} | {"more", "other"}


@pytest.mark.parametrize("written", [as_list, as_lines])
def test_bad_values_are_told_with_record_and_key(csv_file, written):
    bad = [*RECORDS, {"id": "x", "n": 1.5, "got": "maybe", "text": "a"}, {"id": "y", "got": True}]
    bad += [{"id": "z", "n": "1.5", "got": True, "text": "b"}]
    with pytest.raises(TableError) as caught:
        read_json_records(csv_file(written(bad), "bad.json"), COLUMNS)
    told = [str(fault) for fault in caught.value.faults]
    assert told == [
        "record 4, key 'n': found '1.5' (and 1 more such: record 6), expected a whole number",
        "record 4, key 'got': found 'maybe', expected True or False",
    ]
    number = Column(name="n", kind="int")
    with pytest.raises(TableError, match=r"record 1, key 'n': found 'NA', expected a whole number"):
        read_json_records(csv_file(b'[{"n": "NA"}]', "bad.json"), [number])
    columns = [COLUMNS[0], COLUMNS[3].model_copy(update={"name": "gut"})]
    with pytest.raises(TableError, match=r"record 1, key 'gut': found no value \(and 2 more such"):
        read_json_records(csv_file(written(RECORDS), "bad.json"), columns)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "found no record (0 bytes)"),
        (b"[]", "found no record"),
        (b'[{"id": 1}, 2]', "record 2: found '2', expected an object"),
        (b'[{"id": 1},', "line 1: found broken JSON"),
        (b'{"id": 1}\n\n{"id": \n', "line 3: found broken JSON"),
        (b'{\n"id": 1}', "line 1: found broken JSON"),
        (b"[" * 100_000, "line 1: found broken JSON (brackets within brackets"),
        (
            b'{"id": 1}\n' + b'{"a":' * 100_000,
            "line 2: found broken JSON (brackets within brackets",
        ),
        (b'{"id": "\xe9"}', "line 1: found byte 0xe9 at offset 8, expected UTF-8"),
    ],
)
def test_what_holds_no_records(csv_file, content, told):
    path = csv_file(content, "a.json")
    with pytest.raises(TableError) as caught:
        read_json_records(path, COLUMNS)
    assert str(caught.value).startswith(f"{path}: ")
    assert told in str(caught.value)
    with pytest.raises(TableError):
        keys_of(path)
