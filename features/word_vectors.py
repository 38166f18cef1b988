"""Word vectors from text files of GloVe, word2vec or fastText, plain or gzipped.

A file is read line by line and only the vectors of wanted words are kept, so that gigabytes of
vectors need no more memory than those words.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


class VectorsError(ValueError):
    """A file without word vectors, or with vectors of the wrong kind."""

    exit_code = 3


@dataclass(frozen=True)
class WordVectors:
    """Vectors of some words.

    Attributes:
        matrix: `(n_words, size) float32`; NaN where the file has no such word.
        n_lines: Words in the file.
    """

    matrix: Floats
    n_lines: int

    @property
    def n_found(self) -> int:
        """Number of words that are in the file."""
        return int((~np.isnan(self.matrix[:, 0])).sum())


def read_vectors(path: str | Path, words: Sequence[str]) -> WordVectors:
    """Read the vectors of these words; if a word occurs twice, the first vector counts.

    Args:
        path: Lines of a word and its numbers, separated by spaces, with or without the first line
            of word2vec (how many words, how many numbers). `.gz` is decompressed while reading.
        words: The words to look for.

    Raises:
        VectorsError: The file does not exist, or a line of it, which is named, is no vector.
    """
    path = Path(path)
    row_of = {word: at for at, word in reversed(list(enumerate(words)))}
    matrix: Floats | None = None
    n_lines = 0
    for line, text in _lines(path):
        word, numbers = _split(path, line, text, size=None if matrix is None else matrix.shape[1])
        if matrix is None:
            matrix = np.full((len(words), len(numbers)), np.nan, dtype=np.float32)
        n_lines += 1
        at = row_of.get(word)
        if at is not None and np.isnan(matrix[at, 0]):
            matrix[at] = _parsed(path, line, numbers)
    if matrix is None:
        raise VectorsError(
            f"{path}: found no word vectors, expected lines of a word and numbers; give a file in "
            "the text form of GloVe or word2vec"
        )
    return WordVectors(matrix, n_lines)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines that are not empty, without the first line of word2vec."""
    with _opened(path) as file:
        try:
            for line, raw in enumerate(file, start=1):
                text = raw.decode("utf-8", errors="replace").rstrip()
                is_head = line == 1 and len(text.split()) == 2 and text.replace(" ", "").isdigit()
                if text and not is_head:
                    yield line, text
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise VectorsError(
                f"{path}: the gzip stream is damaged ({error}); download the file again"
            ) from error


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        raw = path.open("rb")
    except OSError as error:
        raise VectorsError(
            f"{path}: cannot be read ({error.strerror}); give the path of a file of word vectors"
        ) from error
    with raw, gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw as file:
        yield cast(IO[bytes], file)


def _split(path: Path, line: int, text: str, *, size: int | None) -> tuple[str, list[str]]:
    """The word and its numbers, still as texts; some words contain spaces."""
    fields = text.split(" ")
    n_numbers = len(fields) - 1 if size is None else size
    if n_numbers < 1 or len(fields) < n_numbers + 1:
        raise VectorsError(
            f"{path}, line {line}: found {len(fields) - 1} numbers after the word, expected "
            f"{n_numbers or 'some'} as before; give a file in the text form of GloVe or word2vec"
        )
    return " ".join(fields[:-n_numbers]), fields[-n_numbers:]


def _parsed(path: Path, line: int, numbers: Sequence[str]) -> Floats:
    try:
        vector = np.array(numbers, dtype=np.float32)
    except ValueError as error:
        raise VectorsError(
            f"{path}, line {line}: found {' '.join(numbers)[:40]!r}, expected numbers; give a file "
            "in the text form of GloVe or word2vec"
        ) from error
    if not np.isfinite(vector).all():
        raise VectorsError(
            f"{path}, line {line}: found a number that is not finite, expected finite numbers; "
            "give a file in the text form of GloVe or word2vec"
        )
    return vector
