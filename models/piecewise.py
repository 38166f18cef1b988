"""Piecewise-linear encoding: the half that a network makes."""

import torch
from torch import Tensor


def pieces(places: Tensor, n_bins: int) -> Tensor:
    """Each column's place among its bin edges as one number per bin.

    A place of 2.3 among four bins becomes (1, 1, 0.3, 0). Works on the last dimension, so that
    the rows may have any leading dimensions.

    Args:
        places: `(..., n_columns)`, each from 0 to n_bins.
        n_bins: Numbers per column.

    Returns:
        `(..., n_columns * n_bins)`.

    Source: Gorishniy, Rubachev and Babenko, "On Embeddings for Numerical Features in Tabular Deep
        Learning", NeurIPS 2022.
    """
    starts = torch.arange(n_bins, dtype=places.dtype, device=places.device)
    return (places.unsqueeze(-1) - starts).clamp(0, 1).flatten(-2)
