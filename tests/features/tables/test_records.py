"""What a record of a delimited text is: for tables, samples and submissions alike."""

import csv

import pytest

from features.tables.reader import header_of, read_table
from features.tables.records import BrokenRecordError, records
from features.tables.schema import Column
from features.tables.text_file import TableError
from submissions.check import SubmissionError, check
from submissions.form import SubmissionForm, read_sample

TEXT = (Column(name="text", kind="text", keep_empty=True),)
SIX = ["lovely", "", "awful", "", "", "great"]
FILES = {
    "line feeds": (b"text\nlovely\n\nawful\n\n\ngreat\n", SIX),
    "carriage returns": (b"text\r\nlovely\r\n\r\nawful\r\n\r\n\r\ngreat", SIX),
    "quotes": (b'text\nlovely\n""\nawful\n""\n\ngreat\n', SIX),
    "at the end": (b"text\nlovely\n\n\n", ["lovely", "", ""]),
    "above the header": (b"\n\ntext\nlovely\n\ngreat\n", ["lovely", "", "great"]),
    "behind a mark": (b"\xef\xbb\xbf\ntext\nlovely\n\ngreat\n", ["lovely", "", "great"]),
    "within quotes": (b'text\n"a\n\nb"\n\n', ["a\n\nb", ""]),
}


@pytest.mark.parametrize("file", FILES)
def test_empty_lines_of_one_column_are_rows(tmp_path, file):
    path = tmp_path / "texts.csv"
    content, expected = FILES[file]
    path.write_bytes(content)
    assert read_table(path, TEXT)["text"].tolist() == expected
    assert read_sample(path)["text"].tolist() == expected
    assert [fields for _, fields in records(content)][1:] == [[text] for text in expected]


def test_empty_lines_of_several_columns_are_none(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(b"id,text\n\n1,a\n\n2,\n\n")
    columns = (Column(name="id", kind="int"), *TEXT)
    assert read_table(path, columns)["text"].tolist() == ["a", ""]


def test_an_empty_line_where_none_may_be_missing_is_named(tmp_path):
    path = tmp_path / "texts.csv"
    path.write_bytes(b"text\nlovely\n\ngreat\n")
    with pytest.raises(TableError, match="line 3: found an empty field"):
        read_table(path, [Column(name="text", kind="text")])


@pytest.mark.parametrize("n_lines", [100_000, 2_000_000], ids=["a megabyte", "more than a block"])
def test_a_field_of_any_size_with_line_breaks_is_read(tmp_path, monkeypatch, n_lines):
    monkeypatch.setattr("features.tables.records.LARGEST_FIELD", 2**31 - 1)
    before = csv.field_size_limit(131_072)
    text = "some words\n" * n_lines
    path = tmp_path / "long.csv"
    path.write_text(f'id,text\n1,"{text}"\n2,short\n')
    try:
        table = read_table(path, (Column(name="id", kind="int"), *TEXT))
        assert [len(one) for one in table["text"]] == [len(text), 5]
        assert header_of(path) == ["id", "text"]
        assert len(read_sample(path)) == 2
    finally:
        csv.field_size_limit(before)


def test_a_quote_that_is_never_closed_is_named():
    with pytest.raises(BrokenRecordError) as caught:
        list(records(b'id,text\n1,a\n2,"b\n'))
    assert caught.value.line == 3


def test_an_empty_line_of_a_submission_without_ids_is_a_row(tmp_path):
    form = SubmissionForm(id=None, kind="values", columns=("y",))
    sample, path = tmp_path / "sample.csv", tmp_path / "mine.csv"
    sample.write_text("y\n0\n0\n0\n")
    path.write_text("y\n1\n\n2\n")
    with pytest.raises(SubmissionError, match=r"'y': found nothing \(line 3\)"):
        check(path, read_sample(sample), form)
    path.write_text("y\n1\n2\n3\n")
    check(path, read_sample(sample), form)
