import io
import zipfile

import pytest

from features.tables.row_files import read_row_files
from pipelines.raw_files import file_sets
from pipelines.raw_files.archives import ArchiveError, MissingFileError

GEOMETRY = "{split}/{id}/geometry.xyz"
FILES = {
    f"{split}/{at}/geometry.xyz": f"{split} {at}" for split in ("train", "test") for at in (1, 2)
}


def zipped(files):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


def in_folder(folder):
    for name, text in {**FILES, "train/1/other.xyz": "", "train.csv": "a"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def in_archive(folder):
    (folder / "data.zip").write_bytes(zipped({f"data/{n}": t for n, t in FILES.items()}))
    return folder / "data.zip"


def in_zips_of_an_archive(folder):
    """As Kaggle has it: train.zip and test.zip in a zip, and no folder in the second."""
    train = zipped({name: text for name, text in FILES.items() if name.startswith("train")})
    test = zipped(
        {name.removeprefix("test/"): text for name, text in FILES.items() if "test" in name}
    )
    (folder / "data.zip").write_bytes(zipped({"train.zip": train, "test.zip": test}))
    return folder / "data.zip"


def in_zips_of_a_folder(folder):
    for split in ("train", "test"):
        files = {name: text for name, text in FILES.items() if name.startswith(split)}
        (folder / f"{split}.zip").write_bytes(zipped(files))
    return folder


@pytest.mark.parametrize(
    "source", [in_folder, in_archive, in_zips_of_an_archive, in_zips_of_a_folder]
)
def test_files_for_each_row_are_found_wherever_they_lie(source, tmp_path):
    (tmp_path / "in").mkdir()
    packed = tmp_path / "geometry.zip"
    file_sets.pack(source(tmp_path / "in"), GEOMETRY, packed)
    found = {(k["split"], k["id"]): c.decode() for k, c in read_row_files(packed, GEOMETRY)}
    assert found == {
        (split, str(at)): f"{split} {at}" for split in ("train", "test") for at in (1, 2)
    }


def test_the_same_files_give_the_same_bytes_and_other_files_another_digest(tmp_path):
    (tmp_path / "in").mkdir()
    folder = in_folder(tmp_path / "in")
    for name in ("a", "b"):
        file_sets.pack(folder, GEOMETRY, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    before = file_sets.digest(folder, GEOMETRY)
    (folder / "train/1/other.xyz").write_text("no such file")
    assert file_sets.digest(folder, GEOMETRY) == before
    (folder / "train/1/geometry.xyz").write_text("changed")
    assert file_sets.digest(folder, GEOMETRY) != before


def test_a_source_without_such_files_is_told(tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(MissingFileError, match=r"no file like '{id}\.txt'; give --source"):
        file_sets.pack(tmp_path / "in", "{id}.txt", tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()


def test_an_unsafe_archive_is_refused(tmp_path):
    (tmp_path / "data.zip").write_bytes(zipped({"../1.txt": "", "2.txt": ""}))
    with pytest.raises(ArchiveError, match="climbs out"):
        file_sets.pack(tmp_path / "data.zip", "{id}.txt", tmp_path / "a.zip")


def test_an_archive_that_unpacks_beyond_measure_is_refused(tmp_path):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1.txt", bytes(80 << 20))
    (tmp_path / "data.zip").write_bytes(content.getvalue())
    with pytest.raises(ArchiveError, match="unpacks to more than"):
        file_sets.pack(tmp_path / "data.zip", "{id}.txt", tmp_path / "a.zip")
