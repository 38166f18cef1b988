"""Embeddings of words or characters: one vector per token plus, optionally, its spelling's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from models.networks.subwords import SpellingEmbedding

if TYPE_CHECKING:
    from models.architectures.base import Parts

UNKNOWN = 1  # the code of tokens that are not in the vocabulary


class TokenEmbedding(nn.Module):
    """A vector for each token; in training some tokens are replaced by the unknown token.

    This trains the unknown token's vector and keeps the network from relying on single words.
    Where spellings are given, the vectors of a token's parts are added, for unknown tokens too.

    Source: Iyyer et al., "Deep Unordered Composition Rivals Syntactic Methods", ACL 2015.
    """

    def __init__(
        self, n_tokens: int, size: int, *, word_dropout: float = 0.0, parts: Parts | None = None
    ) -> None:
        super().__init__()
        self.vectors = nn.Embedding(max(n_tokens, UNKNOWN + 1), size, padding_idx=0)
        self.keep = nn.Dropout(word_dropout)
        self.spelled = None if parts is None else SpellingEmbedding(size, parts=parts)

    def forward(self, tokens: Tensor, spelling: Tensor | None = None) -> Tensor:
        """`(B, L) -> (B, L, size)`.

        Raises:
            ValueError: If the network was built for spellings and is given none.
        """
        if self.training and self.keep.p:
            kept = self.keep(torch.ones(tokens.shape, device=tokens.device)) > 0
            tokens = torch.where(kept | (tokens == 0), tokens, UNKNOWN)
        vectors: Tensor = self.vectors(tokens)
        if self.spelled is None:
            return vectors
        if spelling is None:
            raise ValueError(
                "the network was built for spelled tokens but got no input 'spelling'; "
                "pass the encoder's 'spelling' array along with 'tokens'"
            )
        spelled: Tensor = self.spelled(spelling)
        return vectors + spelled


def is_text(lengths: Tensor, longest: int) -> Tensor:
    """Which positions hold a token of the text: `(B,) -> (B, L) bool`."""
    return torch.arange(longest, device=lengths.device) < lengths.unsqueeze(1)
