"""Vectors for what a word is spelled with: its ends and its shape, or every run of its letters.

A word arrives as one number, made by `features.encoders.spelling`: twelve letters of five bits, and
a capital's bit above them. A batch has few different words, so that each is looked at once.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Parts = Literal["ends", "runs"]

N_LETTERS, BITS = 12, 5  # as `features.encoders.spelling` packs them
EDGE = 31  # stands before the first letter and behind the last one
LONGEST, SHORTEST = 5, 3  # letters of a run, the edges counted in
_N_BUCKETS = {"ends": 1 << 12, "runs": 1 << 14}
_SCALE = {"ends": 0.3, "runs": 0.5}  # about half as long as a word's own vector, of scale 1
_FACTOR = 1_000_003  # spreads what is hashed over the buckets


class SpellingEmbedding(nn.Module):
    """The sum of the vectors of a word's parts, which share one table by their hash.

    `ends`: the first three letters, the last three, the last two, and the kind of the first one
    (capital, small letter, digit, mark). `runs`: all runs of three to five letters, by the square
    root of their number.

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
    """`(n,) -> (n, N_LETTERS)`, 0 behind the last one."""
    places = torch.arange(N_LETTERS, device=words.device) * BITS
    return words.unsqueeze(1) >> places & ((1 << BITS) - 1)


def ends(words: Tensor) -> Tensor:
    """A number for each of the four ends, another one than for any other end: `(n,) -> (n, 4)`."""
    letters = letters_of(words)
    n_letters = (letters > 0).sum(dim=1, keepdim=True)
    back = n_letters - 1 - torch.arange(3, device=words.device)  # from the last one on
    last = torch.where(back >= 0, letters.gather(1, back.clamp(min=0)), 0)
    is_capital = words >> (N_LETTERS * BITS) & 1
    kind = torch.where(is_capital > 0, EDGE, letters[:, 0].clamp(min=26))
    told = [_number(letters[:, :3]), _number(last), _number(last[:, :2]), kind]
    numbers = torch.stack([own * len(told) + part for part, own in enumerate(told)], dim=1)
    return torch.where(n_letters > 0, numbers, 0)


def runs(words: Tensor) -> Tensor:
    """A number for each run of letters, 0 where a word has no more: `(n,) -> (n, 33)`."""
    letters = letters_of(words)
    n_letters = (letters > 0).sum(dim=1, keepdim=True)
    edged = functional.pad(letters, (1, 1))
    edged[:, 0] = EDGE
    edged.scatter_(1, n_letters + 1, EDGE)
    edged = edged * (n_letters > 0)
    found = [_runs(edged, n) for n in range(SHORTEST, LONGEST + 1)]
    return torch.cat(found, dim=1)


def _runs(edged: Tensor, n: int) -> Tensor:
    windows = edged.unfold(1, n, 1)
    return torch.where(windows[..., -1] > 0, _number(windows), 0)


def _number(letters: Tensor) -> Tensor:
    """Letters in the last dimension as one number: `(..., n) -> (...)`."""
    places = torch.arange(letters.shape[-1], device=letters.device) * BITS
    return (letters << places).sum(dim=-1)
