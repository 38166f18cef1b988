"""Networks whose embedding starts from a file of word vectors."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from features.encoders.text import SPECIAL
from features.word_vectors import VectorsError, read_vectors
from models.data import FoldData
from pipelines.members.data import FoldView

if TYPE_CHECKING:
    from pipelines.members.network import NetworkMember

EMBEDDING = "embedding.vectors.weight"


def embedded(
    folds: Sequence[FoldData], views: Sequence[FoldView], member: NetworkMember
) -> tuple[list[FoldData], tuple[str, ...]]:
    """The folds with the vectors of their own vocabulary, and a note on how many were found.

    The file is read once, for the words of all folds. Words that it lacks, and padding, keep the
    vectors that the network gives them.

    Raises:
        VectorsError: no word vectors, of another size than the network's, or no vocabulary.
    """
    assert member.vectors is not None  # the caller looked
    if not all(view.vocabulary for view in views):
        raise VectorsError(
            f"{member.name}.vectors is set, but the encoder gives no words; take it away, or give "
            "the member a TextEncoder"
        )
    words = list(dict.fromkeys(word for view in views for word in view.vocabulary[len(SPECIAL) :]))
    found = read_vectors(member.vectors, words)
    _check_size(member, found.matrix.shape[1])
    at = {word: number for number, word in enumerate(words)}
    n_tokens = max(len(view.vocabulary) for view in views)
    given = []
    for fold, view in zip(folds, views, strict=True):
        own = np.full((n_tokens, found.matrix.shape[1]), np.nan, dtype=np.float32)
        rows = [at[word] for word in view.vocabulary[len(SPECIAL) :]]
        own[len(SPECIAL) : len(view.vocabulary)] = found.matrix[rows]
        given.append(replace(fold, initial={EMBEDDING: own}))
    share = found.n_found / max(len(words), 1)
    return given, (
        f"{Path(member.vectors).name} has {found.n_found:,} of the {len(words):,} words "
        f"({share:.1%}), {_tokens_found(views[0], given[0]):.1%} of all their occurrences",
    )


def file_digest(path: str) -> str:
    """The sha256 of a file of word vectors.

    Raises:
        VectorsError: The file cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise VectorsError(
            f"{path}: cannot be read ({error.strerror}); give the path of a file of word vectors"
        ) from error


def _tokens_found(view: FoldView, fold: FoldData) -> float:
    """The share of the first fold's tokens, padding apart, that have a vector of the file."""
    seen = view.train["tokens"][view.split.train_rows]
    has_vector = ~np.isnan(fold.initial[EMBEDDING][:, 0].astype(np.float32))
    return float(has_vector[seen[seen > 0]].mean())


def _check_size(member: NetworkMember, size: int) -> None:
    own = getattr(member.model, "embedding_size", None)
    if own != size:
        raise VectorsError(
            f"{member.vectors} has {size} numbers per word, the network of {member.name} has "
            f"{own or 'no embedding'}; type --set {member.name}.model.embedding_size={size}"
        )
