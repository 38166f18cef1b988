"""Networks whose embedding starts from a file of word vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from features.encoders.text import SPECIAL
from features.word_vectors import VectorsError, read_vectors
from models.fold_data import FoldData
from pipelines.members.data import FoldView
from pipelines.workspace.files import sha256

if TYPE_CHECKING:
    from pipelines.members.network import NetworkMember

EMBEDDING = "embedding.vectors.weight"


def embedded(
    folds: Sequence[FoldData], views: Sequence[FoldView], member: NetworkMember
) -> tuple[list[FoldData], tuple[str, ...]]:
    """The folds with the vectors of their vocabulary, and a note on how many words have one.

    The file is read once, for the words of all folds. Words that it lacks, and padding, keep the
    network's initial vectors.

    Raises:
        VectorsError: The file holds no word vectors or vectors of another size than the network's,
            or the encoder has no vocabulary.
    """
    assert member.vectors is not None, "the caller looks"
    if not all(view.vocabulary for view in views):
        raise VectorsError(
            f"{member.name}.vectors is set, but the encoder has no vocabulary; remove it, or give "
            "the member a TextEncoder"
        )
    words = list(dict.fromkeys(word for view in views for word in view.vocabulary[len(SPECIAL) :]))
    found = read_vectors(member.vectors, words)
    _check_size(member, found.matrix.shape[1])
    at = {word: number for number, word in enumerate(words)}
    n_tokens = max(len(view.vocabulary) for view in views)
    with_vectors = []
    for fold, view in zip(folds, views, strict=True):
        initial = np.full((n_tokens, found.matrix.shape[1]), np.nan, dtype=np.float32)
        rows = [at[word] for word in view.vocabulary[len(SPECIAL) :]]
        initial[len(SPECIAL) : len(view.vocabulary)] = found.matrix[rows]
        with_vectors.append(replace(fold, initial={EMBEDDING: initial}))
    share = found.n_found / max(len(words), 1)
    return with_vectors, (
        f"{Path(member.vectors).name} has {found.n_found:,} of the {len(words):,} words "
        f"({share:.1%}), {_tokens_found(views[0], with_vectors[0]):.1%} of all their occurrences",
    )


def file_digest(path: str) -> str:
    """The sha256 of a file of word vectors.

    Raises:
        VectorsError: The file cannot be read.
    """
    try:
        return sha256(Path(path))
    except OSError as error:
        raise VectorsError(
            f"{path}: cannot be read ({error.strerror}); give the path of a file of word vectors"
        ) from error


def _tokens_found(view: FoldView, fold: FoldData) -> float:
    """The share of a fold's training tokens, without padding, that have a vector in the file."""
    seen = view.train["tokens"][view.split.train_rows]
    has_vector = ~np.isnan(fold.initial[EMBEDDING][:, 0].astype(np.float32))
    return float(has_vector[seen[seen > 0]].mean())


def _check_size(member: NetworkMember, size: int) -> None:
    expected = getattr(member.model, "embedding_size", None)
    if expected != size:
        raise VectorsError(
            f"{member.vectors} has {size} numbers per word, the network of {member.name} has "
            f"{expected or 'no embedding'}; type --set {member.name}.model.embedding_size={size}"
        )
