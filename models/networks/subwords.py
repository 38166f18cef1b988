"""Embeddings of a word's spelling: its ends and shape, or all its character n-grams.

A word arrives as one integer, packed by `features.encoders.spelling`: twelve letters of five bits,
and a bit for a capital above them. A batch has few distinct words, so each is embedded once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from models.architectures.base import Parts

N_LETTERS, BITS = 12, 5  # as `features.encoders.spelling` packs them
EDGE = 31  # marks the word's boundaries: before the first letter and after the last
LONGEST, SHORTEST = 5, 3  # letters of an n-gram, boundary marks included
_N_BUCKETS = {"ends": 1 << 12, "runs": 1 << 14}
_SCALE = {"ends": 0.3, "runs": 0.5}  # about half the norm of a word's own vector, whose scale is 1
_FACTOR = 1_000_003  # spreads hashes over the buckets


class SpellingEmbedding(nn.Module):
    """The sum of the vectors of a word's parts, which share one hashed table.

    `ends`: the first three letters, the last three, the last two, and the kind of the first
    character (capital, lower case, digit, mark). `runs`: all n-grams of three to five letters,
    divided by the square root of their number.

    Source: the prefix, suffix and shape of spaCy's embeddings (Miranda et al., "Multi hash
    embeddings in spaCy", 2022); Bojanowski et al., "Enriching Word Vectors with Subword
    Information", TACL 2017.
    """

    def __init__(self, size: int, *, parts: Parts) -> None:
        super().__init__()
        self.parts, self.n_buckets = parts, _N_BUCKETS[parts]
        self.vectors = nn.Embedding(self.n_buckets, size, padding_idx=0)
        with torch.no_grad():
            self.vectors.weight.mul_(_SCALE[parts])

    def forward(self, spelling: Tensor) -> Tensor:
        """`(B, L) -> (B, L, size)`; zeros where the spelling is 0."""
        words, at = torch.unique(spelling, return_inverse=True)
        numbers = ends(words) if self.parts == "ends" else runs(words)
        buckets = torch.where(numbers > 0, numbers * _FACTOR % (self.n_buckets - 1) + 1, 0)
        summed = functional.embedding_bag(buckets, self.vectors.weight, mode="sum", padding_idx=0)
        if self.parts == "runs":
            summed = summed / (buckets > 0).sum(dim=1, keepdim=True).clamp(min=1).sqrt()
        vectors: Tensor = summed[at]
        return vectors


def letters_of(words: Tensor) -> Tensor:
    """The letters of each word, 0 after the last one: `(n,) -> (n, N_LETTERS)`."""
    places = torch.arange(N_LETTERS, device=words.device) * BITS
    return words.unsqueeze(1) >> places & ((1 << BITS) - 1)


def ends(words: Tensor) -> Tensor:
    """One integer per end, distinct between the four kinds of ends: `(n,) -> (n, 4)`."""
    letters = letters_of(words)
    n_letters = (letters > 0).sum(dim=1, keepdim=True)
    back = n_letters - 1 - torch.arange(3, device=words.device)  # from the last letter backwards
    last = torch.where(back >= 0, letters.gather(1, back.clamp(min=0)), 0)
    is_capital = words >> (N_LETTERS * BITS) & 1
    kind = torch.where(is_capital > 0, EDGE, letters[:, 0].clamp(min=26))
    parts = [_number(letters[:, :3]), _number(last), _number(last[:, :2]), kind]
    numbers = torch.stack([part * len(parts) + at for at, part in enumerate(parts)], dim=1)
    return torch.where(n_letters > 0, numbers, 0)


def runs(words: Tensor) -> Tensor:
    """One integer per n-gram, 0 where a word has no more: `(n,) -> (n, 33)`."""
    letters = letters_of(words)
    n_letters = (letters > 0).sum(dim=1, keepdim=True)
    edged = functional.pad(letters, (1, 1))
    edged[:, 0] = EDGE
    edged.scatter_(1, n_letters + 1, EDGE)
    edged = edged * (n_letters > 0)
    of_length = [_runs(edged, n) for n in range(SHORTEST, LONGEST + 1)]
    return torch.cat(of_length, dim=1)


def _runs(edged: Tensor, n: int) -> Tensor:
    windows = edged.unfold(1, n, 1)
    return torch.where(windows[..., -1] > 0, _number(windows), 0)


def _number(letters: Tensor) -> Tensor:
    """Letters in the last dimension packed into one integer: `(..., n) -> (...)`."""
    places = torch.arange(letters.shape[-1], device=letters.device) * BITS
    return (letters << places).sum(dim=-1)
