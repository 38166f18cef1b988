"""TabM: k multilayer perceptrons in one network, which share their weight matrices.

Source: Gorishniy, Kotelnikov and Babenko, "TabM: Advancing Tabular Deep Learning with
Parameter-Efficient Ensembling", ICLR 2025; its layers are those of the authors' package `tabm`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import tabm
from torch import Tensor, cat, nn

from models.data import InputShape
from models.networks.columns import ColumnEmbeddings, embedding_sizes, piecewise_linear
from models.vectorised.dropout_masks import OwnRate

if TYPE_CHECKING:
    from models.architectures.tabm import TabMSettings


class TabM(nn.Module):
    """Linear layers whose k copies differ in a scale per input and output, then k heads."""

    def __init__(self, shape: InputShape, n_outputs: int, *, settings: TabMSettings) -> None:
        super().__init__()
        self.k, self.n_bins = settings.k, settings.n_bins
        self.embeddings = ColumnEmbeddings(shape.cardinalities, size=settings.embedding_size)
        self.input_dropout = nn.Dropout(settings.input_dropout)
        widths = (sum(_input_chunks(shape, settings)), *settings.hidden)
        layers: list[nn.Module] = []
        for number, (n_in, n_out) in enumerate(zip(widths, settings.hidden, strict=False)):
            chunks = _input_chunks(shape, settings) if number == 0 else None
            layers += [_shared_linear(n_in, n_out, k=self.k, chunks=chunks), nn.ReLU()]
            layers += [nn.Dropout(OwnRate(settings.dropout))]
        self.body = nn.Sequential(*layers)
        self.head = tabm.LinearEnsemble(widths[-1], n_outputs, k=self.k)

    def forward(
        self, x_num: Tensor, x_cat: Tensor | None = None, x_bin: Tensor | None = None
    ) -> Tensor:
        """`x_num (B, n_num)`, `x_cat (B, d_cat)`, `x_bin (B, n_bin)` -> `(B, k, n_outputs)`."""
        x = self.embeddings(x_num, x_cat)
        if x_bin is not None and self.n_bins:
            x = cat([x, piecewise_linear(x_bin, self.n_bins)], dim=-1)
        x = self.input_dropout(x)
        shared = x.unsqueeze(-2).expand(*x.shape[:-1], self.k, -1)  # (B, D) -> (B, k, D)
        logits: Tensor = self.head(self.body(shared))
        return logits


def _input_chunks(shape: InputShape, settings: TabMSettings) -> list[int]:
    """How many numbers each column is encoded as, in the order of the encoded row."""
    embedded = embedding_sizes(shape.cardinalities, size=settings.embedding_size)
    binned = [settings.n_bins] * (shape.n_bin if settings.n_bins else 0)
    return [1] * shape.n_num + embedded + binned


def _shared_linear(n_in: int, n_out: int, *, k: int, chunks: list[int] | None) -> nn.Module:
    """One weight matrix for all k; in the first layer each column gets k random signs."""
    first = "ones" if chunks is None else "random-signs"
    layer: nn.Module = tabm.LinearBatchEnsemble(
        n_in, n_out, k=k, scaling_init=(first, "ones"), first_scaling_init_chunks=chunks
    )
    return layer
