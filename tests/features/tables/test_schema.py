import codecs
import gzip
import re

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from features.tables.reader import check_unique, read_table
from features.tables.schema import Column
from features.tables.text_file import TableError, TextFile, find_faults

COLUMNS = (
    Column(name="id", kind="int", minimum=1),
    Column(name="name", kind="text"),
    Column(name="sex", kind="text", allowed=("male", "female")),
    Column(name="age", kind="float", missing=True, minimum=0, maximum=120),
    Column(name="cabin", kind="text", missing=True),
    Column(name="parch", kind="int", missing=True),
)
HEADER = "id,name,sex,age,cabin,parch\n"
GOOD = HEADER + '1,"Braund, Owen",male,22,,0\n2,NA,female,,C85,\n'


def test_types_do_not_depend_on_the_values(csv_file):
    table = read_table(csv_file(GOOD), COLUMNS)
    assert [str(dtype) for dtype in table.dtypes] == [
        "int64", "str", "str", "float64", "str", "Int64",
    ]  # fmt: skip
    assert table["name"].tolist() == ["Braund, Owen", "NA"]
    assert table["age"].isna().tolist() == [False, True]
    assert table["cabin"].isna().tolist() == [True, False]
    assert table["parch"].tolist() == [0, pd.NA]


def test_bytes_take_a_byte(csv_file):
    pixels = [Column(name="dark", kind="byte"), Column(name="light", kind="byte")]
    table = read_table(csv_file("dark,light\n0,255\n17,254\n"), pixels)
    assert set(table.dtypes.astype(str)) == {"uint8"}
    assert table["light"].tolist() == [255, 254]
    with pytest.raises(TableError, match=r"'light', line 3: .*'256', expected a whole number from"):
        read_table(csv_file("dark,light\n0,255\n17,256\n"), pixels)


def test_columns_come_in_the_declared_order(csv_file):
    path = csv_file("b,a\n1,2\n")
    table = read_table(path, [Column(name="a", kind="int"), Column(name="b", kind="int")])
    assert list(table.columns) == ["a", "b"]
    assert table.iloc[0].tolist() == [2, 1]


@pytest.mark.parametrize("word", ["NA", "null", "None", "nan", "N/A", "", " ", '"', "x;y"])
def test_text_is_kept_as_it_stands(csv_file, word):
    columns = [Column(name="id", kind="int"), Column(name="phrase", kind="text", keep_empty=True)]
    path = csv_file(f"id\tphrase\n1\t{word}\n")
    table = read_table(path, columns, separator="\t", quoting=False)
    assert table["phrase"].tolist() == [word]


def test_reads_a_byte_order_mark_windows_line_ends_and_quoted_line_breaks(csv_file):
    content = (
        codecs.BOM_UTF8 + GOOD.replace("Braund, ", "Braund\n").replace("\n1", "\r\n1").encode()
    )
    table = read_table(csv_file(content), COLUMNS)
    assert table["name"].tolist() == ["Braund\nOwen", "NA"]


def test_reads_gzip_without_a_header(csv_file):
    path = csv_file(gzip.compress("Müller,German\nOwen,English\n".encode()), "names.csv.gz")
    columns = [Column(name="surname", kind="text"), Column(name="country", kind="text")]
    table = read_table(path, columns, header=False)
    assert table["surname"].tolist() == ["Müller", "Owen"]
    path = csv_file(gzip.compress(b"Owen,English\n,German\n"), "names.csv.gz")
    with pytest.raises(TableError, match=r"line 2: found an empty.* Next: zcat .* \| sed -n 2p"):
        read_table(path, columns, header=False)


ROW = "1,x,male,1,,0\n"
BAD_INPUT = {
    "missing column": (
        "id,name,sex,age,parch\n1,x,male,1,0\n", ["header: found no column 'cabin'"]),
    "renamed column": (
        "id,name,Sex,age,cabin,parch\n" + ROW, ["found column 'Sex', expected 'sex' (renamed?)"]),
    "extra column": (
        "id,name,sex,age,cabin,parch,fare\n1,x,male,1,,0,7\n", ["an extra column 'fare'"]),
    "doubled column": (
        "id,name,sex,age,cabin,parch,id\n1,x,male,1,,0,1\n", ["column 'id' 2 times"]),
    "text for a number": (
        HEADER + ROW + "2,x,male,abc,,0\n",
        ["column 'age', line 3 (id 2): found 'abc', expected a number", "sed -n 3p"]),
    "fraction for an int": (
        HEADER + "1,x,male,1,,1.5\n", ["column 'parch'", "found '1.5', expected a whole number"]),
    "int beyond 64 bits": (
        HEADER + "1,x,male,1,,9223372036854775808\n", ["expected a whole number"]),
    "not among the allowed": (
        HEADER + "1,x,Male,1,,0\n", ["column 'sex'", "found 'Male', expected one of male, female"]),
    "below the minimum": (HEADER + "0,x,male,1,,0\n", ["found '0', expected at least 1"]),
    "above the maximum": (HEADER + "1,x,male,121,,0\n", ["found '121', expected at most 120"]),
    "missing number": (HEADER + ",x,male,1,,0\n", ["column 'id', line 2", "an empty field"]),
    "missing text": (HEADER + "1,,male,1,,0\n", ["column 'name', line 2 (id 1)"]),
    "infinite": (HEADER + "1,x,male,1e999,,0\n", ["found '1e999', expected a finite number"]),
    "the word inf": (HEADER + "1,x,male,inf,,0\n", ["found 'inf', expected a number"]),
    "the word nan": (HEADER + "1,x,male,nan,,0\n", ["found 'nan', expected a number"]),
    "empty file": ("", ["an empty file (0 bytes)"]),
    "blank lines only": ("\n\n \n", ["an empty file"]),
    "byte order mark only": (codecs.BOM_UTF8, ["an empty file"]),
    "header only": (HEADER, ["no row below the header"]),
    "header only, no line end": (HEADER.strip(), ["no row below the header"]),
    "semicolons": (GOOD.replace(",", ";"), ["separated by semicolon?", "6 fields separated by"]),
    "tabs": (GOOD.replace(",", "\t"), ["separated by tab?", r"separator='\t'"]),
    "Latin-1": (
        (HEADER + ROW).encode() + b"2,Ren\xe9,male,1,,0\n",
        ["line 3: found byte 0xe9 at offset 47, expected UTF-8", "iconv -f WINDOWS-1252"]),
    "Latin-1 header": (b"id,n\xe9\n1,2\n", ["line 1: found byte 0xe9 at offset 4"]),
    "UTF-16": (GOOD.encode("utf-16"), ["found UTF-16, expected UTF-8", "iconv -f UTF-16"]),
    "short row": (HEADER + ROW + "2,x\n", ["line 3 (id 2): found 2 fields, expected 6 fields"]),
    "long row": (HEADER + "1,x,male,1,,0,9\n", ["line 2 (id 1): found 7 fields, expected 6"]),
    "cut off in a quote": (HEADER + ROW + '2,"x', ["line 3: found broken quotes"]),
    "quote swallows rows": (
        HEADER + '1,x,male,1,"C\n2,x,male,1,"C,0\n', ["line 2: found broken quotes"]),
}  # fmt: skip


@pytest.mark.parametrize(("content", "reported"), BAD_INPUT.values(), ids=BAD_INPUT.keys())
def test_bad_input_is_reported_in_one_line(csv_file, content, reported):
    path = csv_file(content)
    with pytest.raises(TableError) as caught:
        read_table(path, COLUMNS, id_column="id")
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert all(part in message for part in [*reported, "expected ", ". Next: "])
    assert "\n" not in message
    assert caught.value.exit_code == 3


def test_quotes_that_hide_rows_of_a_text_column_at_the_end(csv_file):
    columns = [Column(name="id", kind="int"), Column(name="text", kind="text")]
    with pytest.raises(TableError, match="line 2: found broken quotes"):
        read_table(csv_file('id,text\n1,"a\n2,b\n3,c\n'), columns)
    with pytest.raises(TableError, match="line 2: found broken quotes"):
        read_table(csv_file('id,text\n1,"a\n2,"b\n'), columns)
    with pytest.raises(TableError, match="line 3: found broken quotes"):
        read_table(csv_file('id,text\n1,a\n2,"b'), columns)


def test_a_lone_quote_inside_a_field_is_text(csv_file):
    columns = [Column(name="id", kind="int"), Column(name="text", kind="text")]
    assert read_table(csv_file('id,text\n1,5" pipe\n'), columns)["text"].tolist() == ['5" pipe']


def test_all_faults_are_reported_at_once_with_counts(csv_file):
    rows = "".join(f"{i},x,male,old,,0\n" for i in range(1, 6))
    with pytest.raises(TableError) as caught:
        read_table(csv_file(HEADER + rows + "6,x,man,1,,zero\n7\n"), COLUMNS, id_column="id")
    message = str(caught.value)
    assert (
        "line 2 (id 1): found 'old' (and 4 more such: line 3, 4, …), expected a number" in message
    )
    assert "column 'sex', line 7 (id 6)" in message
    assert "column 'parch', line 7 (id 6)" in message
    assert "line 8 (id 7): found 1 fields" in message


def test_no_more_than_a_handful_of_faults_is_reported(csv_file):
    columns = [Column(name=f"c{i}", kind="int") for i in range(9)]
    path = csv_file(",".join(c.name for c in columns) + "\n" + ",".join("x" * 9) + "\n")
    with pytest.raises(TableError, match=r"; and 4 more faults. Next: ") as caught:
        read_table(path, columns)
    assert len(caught.value.faults) == 9
    assert str(caught.value).count("found") == 5


def test_one_renamed_column_explains_one_missing_column_only(csv_file):
    columns = [Column(name=name, kind="int") for name in ("feat_1", "feat_2")]
    with pytest.raises(TableError) as caught:
        read_table(csv_file("feat_3\n1\n"), columns)
    assert str(caught.value).count("renamed?") == 1


def test_a_file_that_cannot_be_opened(tmp_path, csv_file):
    with pytest.raises(TableError, match="No such file"):
        read_table(tmp_path / "none.csv", COLUMNS)
    with pytest.raises(TableError, match="Is a directory"):
        read_table(tmp_path, COLUMNS)
    with pytest.raises(TableError, match="broken gzip"):
        read_table(csv_file(gzip.compress(GOOD.encode())[:-12], "a.csv.gz"), COLUMNS)
    with pytest.raises(TableError, match="Not a gzipped file"):
        read_table(csv_file(GOOD, "b.csv.gz"), COLUMNS)


FIELDS = st.one_of(
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["", " 7 ", "+7", "-0", "007", "1.", ".5", "1e5", "1_0", "٣", "yes", "-", "."]),
)


@settings(deadline=None)
@example([(" 7 ", " 7 ", "7", " 7 ")])
@example([("7", "7", "7", "-0")])
@example([("7", "7", "7", "+7")])
@example([("7", "7", "7", "007")])
@example([("7", "7", "7", "0255")])
@example([("7", "7", "7", "256")])
@example([("7", "7", "7", "250"), ("7", "7", "7", " 0 ")])
@given(st.lists(st.tuples(FIELDS, FIELDS, FIELDS, FIELDS), min_size=1, max_size=4))
def test_the_quick_reader_and_the_fault_finder_agree(tmp_path_factory, rows):
    columns = [
        Column(name="i", kind="int", minimum=-100, maximum=100),
        Column(name="f", kind="float", missing=True),
        Column(name="t", kind="text", missing=True, allowed=("7", "yes", "-")),
        Column(name="b", kind="byte", maximum=250),
    ]
    path = tmp_path_factory.getbasetemp() / "agree.csv"
    path.write_text("i,f,t,b\n" + "".join(",".join(row) + "\n" for row in rows), encoding="utf-8")
    file = TextFile.read(path, separator=",", quoting=True, header=True)
    faults = find_faults(file, {column.name: column.expectation for column in columns})
    try:
        read_table(path, columns)
    except TableError as error:
        assert [str(fault) for fault in error.faults] == [str(fault) for fault in faults] != []
        assert "taken apart" not in str(error)
    else:
        assert faults == []


@pytest.mark.parametrize(
    ("fields", "reported"),
    [
        ({"kind": "text", "minimum": 0}, "minimum and maximum are for numbers"),
        ({"kind": "int", "keep_empty": True}, "keep_empty is for text"),
        ({"kind": "int", "allowed": ("a",)}, "allowed values must be of kind int"),
        ({"kind": "byte", "missing": True}, "a byte is never missing"),
        ({"kind": "int", "min": 0}, "Extra inputs are not permitted"),
    ],
)
def test_a_column_that_contradicts_itself(fields, reported):
    with pytest.raises(ValidationError, match=re.escape(reported)):
        Column(name="x", **fields)


def test_a_doubled_id():
    table = pd.DataFrame({"id": [892, 893, 892, 894, 893]})
    with pytest.raises(TableError, match=r"found 892 in rows 1, 3 \(and 1 more such rows\)"):
        check_unique(table, "id", "test.csv")
    check_unique(table.drop_duplicates(), "id", "test.csv")
