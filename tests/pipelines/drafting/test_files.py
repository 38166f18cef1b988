"""Which files of a folder or archive are the three."""

import gzip
import json
import shutil

import pytest

from features.tables.text_file import TableError
from pipelines.drafting.files import NoSuchFilesError, find_names, read_tables


def named(folder, *names):
    for name in names:
        (folder / name).write_text("id,x\n1,2\n")
    return folder


@pytest.mark.parametrize(
    "names",
    [
        ("train.csv", "test.csv", "sample_submission.csv"),
        ("Training.csv", "test_data.csv", "sampleSubmission.csv"),
        ("x_train.csv", "x_test.csv", "gender_submission.csv"),
        ("train.tsv", "test.tsv", "sample_submission.csv"),
    ],
)
def test_usual_names_are_found_among_others(names, tmp_path):
    named(tmp_path, *names, "stores.csv")
    (tmp_path / "readme.md").write_text("words")
    assert tuple(find_names(tmp_path).values()) == names


def test_a_file_that_is_not_there_is_asked_for(tmp_path):
    named(tmp_path, "train.csv", "test.csv")
    with pytest.raises(NoSuchFilesError, match=r"which file is the sample submission.* Found none"):
        find_names(tmp_path)


def test_two_that_could_be_one_are_named(tmp_path):
    named(tmp_path, "train_1.csv", "train_2.csv", "test.csv", "sample_submission.csv")
    with pytest.raises(NoSuchFilesError, match=r"the training file\?.*: train_1\.csv, train_2"):
        find_names(tmp_path)


def test_packed_files_and_archives_are_read(files, tmp_path):
    folder = files.write(tmp_path / "files")
    plain = read_tables(folder, tmp_path)
    shutil.make_archive(str(tmp_path / "whole"), "zip", folder)
    train = folder / "train.csv"
    (folder / "train.csv.gz").write_bytes(gzip.compress(train.read_bytes()))
    train.unlink()
    for number, source in enumerate((folder, tmp_path / "whole.zip")):
        scratch = tmp_path / str(number)
        scratch.mkdir()
        assert read_tables(source, scratch).train.equals(plain.train)


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_the_separator_is_told(separator, files, tmp_path):
    folder = files.write(tmp_path / "files")
    for name, table in (("train", files.train), ("test", files.test)):
        table.to_csv(folder / f"{name}.csv", index=False, sep=separator)
    read = read_tables(folder, tmp_path)
    assert read.files.separator == separator
    assert list(read.train) == list(files.train)


def test_json_records_are_read(files, tmp_path):
    folder = files.write(tmp_path / "files")
    for name, table in (("train", files.train), ("test", files.test)):
        (folder / f"{name}.csv").unlink()
        (folder / f"{name}.json").write_text(json.dumps(table.to_dict(orient="records")))
    read = read_tables(folder, tmp_path)
    assert read.files.json_records
    assert read.train["c"].tolist() == files.train["c"].tolist()


def test_a_broken_file_is_named_with_its_line_and_archive(files, tmp_path):
    folder = files.write(tmp_path / "files")
    with (folder / "train.csv").open("a") as file:
        file.write("1,2\n")
    with pytest.raises(TableError, match=rf"^{folder}/train\.csv: line 402: found 2 fields"):
        read_tables(folder, tmp_path / "unused")
    archive = shutil.make_archive(str(tmp_path / "whole"), "zip", folder)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with pytest.raises(TableError, match=rf"^train\.csv in {archive}: line 402: ") as caught:
        read_tables(tmp_path / "whole.zip", scratch)
    assert str(scratch) not in str(caught.value)


def test_a_file_that_names_a_column_twice_is_refused(files, tmp_path):
    files.train.insert(0, "a", 1, allow_duplicates=True)
    folder = files.write(tmp_path / "files")
    with pytest.raises(TableError, match=r"train\.csv: header: found column 'a' 2 times"):
        read_tables(folder, tmp_path / "scratch")
