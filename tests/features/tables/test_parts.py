"""A table in parts holds the rows of the whole, in their order, and one part at a time."""

import gzip
import zipfile

import pytest

from features.tables.parts import parts
from features.tables.text_file import TableError

ROWS = ["1,plain", '2,"two\nlines, one field"', "3,last of the first part", '4,"a ""quote"""', "5,"]
TEXT = "\n".join(["id,text", *ROWS]) + "\n"


def read(path, folder, n_rows, **form):
    return [part.read_text() for part in parts(path, folder, n_rows, **form)]


@pytest.mark.parametrize("n_rows", [1, 2, 3, 5, 6])
def test_every_row_is_in_one_part_below_the_header(tmp_path, n_rows):
    path = tmp_path / "test.csv"
    path.write_text(TEXT)
    texts = read(path, tmp_path, n_rows)
    assert all(text.startswith("id,text\n") for text in texts)
    assert "".join(text.removeprefix("id,text\n") for text in texts) == TEXT.removeprefix(
        "id,text\n"
    )
    assert len(texts) == -(-len(ROWS) // n_rows)


def test_a_part_is_removed_when_the_next_is_asked_for(tmp_path):
    path = tmp_path / "test.csv"
    path.write_text(TEXT)
    names = []
    for part in parts(path, tmp_path, 2):
        assert {file.name for file in tmp_path.iterdir()} == {"test.csv", part.name}
        names.append(part.name)
    assert names == [f"test-from-row-{first}.csv" for first in (1, 3, 5)]
    assert [file.name for file in tmp_path.iterdir()] == ["test.csv"]


def test_bytes_that_are_no_text_are_left_to_who_reads_the_part(tmp_path):
    path = tmp_path / "test.csv"
    path.write_bytes(b"\xef\xbb\xbfid,text\n1,\xff\n")
    (part,) = (part.read_bytes() for part in parts(path, tmp_path, 9))
    assert part == b"id,text\n1,\xff\n"


def test_a_quote_is_a_character_where_nothing_is_quoted(tmp_path):
    path = tmp_path / "test.tsv"
    path.write_text('id\ttext\n1\t"open\n2\tnext\n')
    assert len(read(path, tmp_path, 1, separator="\t", quoting=False)) == 2


def test_compressed_files_give_the_same_parts(tmp_path):
    (tmp_path / "test.csv").write_text(TEXT)
    (tmp_path / "test.csv.gz").write_bytes(gzip.compress(TEXT.encode(), mtime=0))
    with zipfile.ZipFile(tmp_path / "test.csv.zip", "w") as archive:
        archive.writestr("test.csv", TEXT)
    plain, *others = (read(tmp_path / f"test.csv{end}", tmp_path, 2) for end in ("", ".gz", ".zip"))
    assert others == [plain, plain]


def test_a_file_without_rows_is_one_part(tmp_path):
    path = tmp_path / "test.csv"
    path.write_text("id,text\n")
    assert read(path, tmp_path, 2) == ["id,text\n"]


@pytest.mark.parametrize(
    ("name", "data", "found"),
    [
        ("test.csv", None, "No such file"),
        ("test.csv.zip", b"not a zip", "not a zip file"),
        ("test.csv.gz", gzip.compress(TEXT.encode(), mtime=0)[:-9], "before the end-of-stream"),
    ],
    ids=["missing", "no zip", "cut short"],
)
def test_a_broken_file_is_one_line(tmp_path, name, data, found):
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(TableError, match=found):
        read(tmp_path / name, tmp_path, 2)


def test_a_quote_that_is_never_closed_is_told_with_its_line(tmp_path):
    path = tmp_path / "test.csv"
    path.write_text('id,text\n1,a\n2,"b\n3,c\n')
    with pytest.raises(TableError, match="line 3: found broken quotes"):
        read(path, tmp_path, 2)


def test_a_zip_of_several_files_is_one_line(tmp_path):
    path = tmp_path / "test.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", TEXT)
        archive.writestr("b.csv", TEXT)
    with pytest.raises(TableError, match="2 files, expected one table in the zip"):
        read(path, tmp_path, 2)
