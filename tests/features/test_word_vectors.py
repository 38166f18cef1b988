import gzip

import numpy as np
import pytest

from features.word_vectors import VectorsError, read_vectors

GLOVE = "the 0.1 0.2 0.3\ngood 1 2 3\n. . . 4 5 6\ngood 9 9 9\nbad -1 -2e-1 3\n"
WORDS = ["<padding>", "bad", "good", "unseen", ". . ."]


@pytest.mark.parametrize("head", ["", "5 3\n"])
@pytest.mark.parametrize("name", ["vectors.txt", "vectors.txt.gz"])
def test_glove_and_word2vec_plain_and_gzipped(tmp_path, head: str, name: str) -> None:
    path = tmp_path / name
    data = (head + GLOVE).encode()
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    vectors = read_vectors(path, WORDS)
    nothing = [np.nan] * 3
    expected = [nothing, [-1, -0.2, 3], [1, 2, 3], nothing, [4, 5, 6]]
    np.testing.assert_allclose(vectors.matrix, np.array(expected, np.float32))
    assert (vectors.n_found, vectors.n_lines) == (3, 5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found no word vectors"),
        ("a 1 2 3\nb 1 2\n", "line 2: found 2 numbers after the word, expected 3"),
        ("bad x y z\n", "line 1: found 'x y z', expected numbers"),
        ("bad nan 1 2\n", "line 1: found a number that is not finite"),
    ],
)
def test_what_is_no_vector_is_reported_with_its_line(tmp_path, text: str, message: str) -> None:
    path = tmp_path / "vectors.txt"
    path.write_text(text)
    with pytest.raises(VectorsError, match=message):
        read_vectors(path, WORDS)


def test_files_that_are_absent_or_damaged_are_reported(tmp_path) -> None:
    with pytest.raises(VectorsError, match="cannot be read"):
        read_vectors(tmp_path / "none.txt", WORDS)
    damaged = tmp_path / "vectors.txt.gz"
    damaged.write_bytes(gzip.compress(GLOVE.encode() * 50)[:-20])
    with pytest.raises(VectorsError, match="gzip stream is damaged"):
        read_vectors(damaged, WORDS)
