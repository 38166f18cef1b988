import pytest

from features.tables.row_files import keys_of


@pytest.mark.parametrize(
    ("file", "path", "keys"),
    [
        ("{id}.txt", "a/b/07.txt", {"id": "07"}),
        ("{id}/{id}.txt", "x/07/07.txt", {"id": "07"}),
        ("{id}/{id}.txt", "x/07/08.txt", None),
        ("{split}_{a b}.png", "test_1.5.png", {"split": "test", "a b": "1.5"}),
        ("{split}/{id}.txt", "valid/1.txt", None),
        ("{id}.txt", "07.txt.gz", None),
    ],
)
def test_placeholders_are_read_from_a_path(file, path, keys):
    assert keys_of(file, path) == keys
