"""Raw files in a form of their own: a gzipped table without test rows, for one."""

import gzip
import zipfile

import pytest

from pipelines.configuration.competition import OtherForm
from pipelines.raw_files.archives import MissingFileError
from pipelines.raw_files.sources import Source
from pipelines.stages.download import download

WHOLE = "Id,win,size,kind\n1,0,1.5,red\n2,1,2.5,blue\n3,1,0.5,red\n"


def halve(raw, folder):
    """All rows but the last are training rows."""
    header, *rows = (raw / "whole.csv").read_text().splitlines()
    (folder / "train.csv").write_text("\n".join([header, *rows[:-1]]) + "\n")
    (folder / "test.csv").write_text("Id,size,kind\n3,0.5,red\n")
    (folder / "sample.csv").write_text("Id,win\n3,0\n")
    (folder / "holdout.csv").write_text("Id,win\n3,1\n")


@pytest.fixture
def competition(toy):
    form = OtherForm(files=("whole.csv",), convert=halve)
    return toy.model_copy(update={"other_forms": (form,)})


def as_folder(path):
    path.mkdir()
    (path / "whole.csv").write_text(WHOLE)


def as_folder_of_gzip(path):
    path.mkdir()
    (path / "whole.csv.gz").write_bytes(gzip.compress(WHOLE.encode(), mtime=0))


def as_zip(path):
    with zipfile.ZipFile(path, "w") as zipped:
        zipped.writestr("deeper/whole.csv", WHOLE)


@pytest.mark.parametrize("write", [as_folder, as_folder_of_gzip, as_zip])
def test_a_foreign_form_becomes_the_competitions_files(write, competition, tmp_path):
    write(tmp_path / "given")
    raw = download(competition, Source("path", tmp_path / "given", ""), tmp_path / "data")
    assert set(raw.files) == {"train.csv", "test.csv", "sample.csv"}
    assert raw.files["train.csv"].path.read_text() == WHOLE.rsplit("\n", 2)[0] + "\n"
    assert raw.holdout is not None and raw.holdout.read_text() == "Id,win\n3,1\n"
    assert sorted(path.name for path in raw.folder.iterdir() if path.is_dir()) == []


def test_the_competitions_own_files_go_first(competition, toy_folder, tmp_path):
    (toy_folder / "whole.csv").write_text(WHOLE)
    raw = download(competition, Source("path", toy_folder, ""), tmp_path / "data")
    assert raw.files["train.csv"].path.read_bytes() == (toy_folder / "train.csv").read_bytes()
    assert raw.holdout is None


@pytest.mark.parametrize("write", [as_folder, as_zip])
def test_files_of_no_form_are_told_with_all_that_would_do(write, competition, tmp_path):
    write(tmp_path / "given")
    other = OtherForm(files=("images.idx", "labels.idx"), convert=halve)
    source = Source("path", tmp_path / "given", "")
    with pytest.raises(MissingFileError) as caught:
        download(
            competition.model_copy(update={"other_forms": (other,)}), source, tmp_path / "data"
        )
    message = str(caught.value)
    assert "no file 'train.csv'" in message
    assert "nor 'images.idx' and 'labels.idx'" in message
    assert "\n" not in message
    assert not list((tmp_path / "data").rglob("*.csv"))
