"""Common layers for R replicas at once: `(R, B, ...) -> (R, B, ...)`.

Each layer works on the stacked weights `(R, ...)` that it is given. Its results equal those of the
ordinary layer applied to each replica, up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.vectorised.fused_layers import StackedBatchNorm, StackedLinear

Tensors = dict[str, Tensor]


class StackedEmbedding(nn.Module):
    """R embedding tables as one long table."""

    def __init__(self, layer: nn.Embedding, tensors: Tensors) -> None:
        super().__init__()
        self.weight = tensors["weight"]  # (R, n_codes, width)
        self.padding_idx = layer.padding_idx
        n_replicas, self.n_codes, self.width = self.weight.shape
        self.offsets = torch.arange(n_replicas, device=self.weight.device) * self.n_codes

    def forward(self, codes: Tensor) -> Tensor:
        """`(R, B, ...) int64 -> (R, B, ..., width)`."""
        table = self.weight.reshape(-1, self.width)  # (R, n_codes, width) -> (R * n_codes, width)
        embedded = functional.embedding(codes + _over_rows(self.offsets, codes.ndim), table)
        if self.padding_idx is None:
            return embedded
        is_padding = (codes == self.padding_idx).unsqueeze(-1)
        return torch.where(is_padding, embedded.detach(), embedded)


class StackedLayerNorm(nn.Module):
    """R layer norms over the trailing dimensions."""

    def __init__(self, layer: nn.LayerNorm, tensors: Tensors) -> None:
        super().__init__()
        self.normalized_shape, self.eps = layer.normalized_shape, layer.eps
        self.weight, self.bias = tensors.get("weight"), tensors.get("bias")

    def forward(self, x: Tensor) -> Tensor:
        """`(R, B, ..., D) -> (R, B, ..., D)`."""
        y = functional.layer_norm(x, list(self.normalized_shape), eps=self.eps)
        n_between = x.ndim - 1 - len(self.normalized_shape)
        if self.weight is not None:
            y = y * _between(self.weight, n_between)
        return y if self.bias is None else y + _between(self.bias, n_between)


def _over_rows(values: Tensor, n_dims: int) -> Tensor:
    """`(R,) -> (R, 1, ..., 1)` with `n_dims` dimensions."""
    return values.view(-1, *(1 for _ in range(n_dims - 1)))


def _between(values: Tensor, n_between: int) -> Tensor:
    """`(R, ...) -> (R, 1, ..., 1, ...)` with `n_between` ones."""
    return values.view(values.shape[0], *(1 for _ in range(n_between)), *values.shape[1:])


Builder = Callable[..., nn.Module]
_STACKED: dict[type[nn.Module], Builder] = {
    nn.Linear: StackedLinear,
    nn.Embedding: StackedEmbedding,
    nn.LayerNorm: StackedLayerNorm,
    nn.BatchNorm1d: StackedBatchNorm,
}


def can_stack(layer: nn.Module) -> bool:
    """Whether there is a stacked layer that supports all settings of this one."""
    if isinstance(layer, nn.Embedding):
        return (
            type(layer) is nn.Embedding
            and layer.max_norm is None
            and not (layer.scale_grad_by_freq or layer.sparse)
        )
    if isinstance(layer, nn.BatchNorm1d):
        return (
            type(layer) is nn.BatchNorm1d
            and layer.momentum is not None
            and layer.affine
            and layer.track_running_stats
        )
    return type(layer) in _STACKED


def stacked_layer(layer: nn.Module, tensors: Tensors) -> nn.Module:
    """The stacked counterpart of `layer`, over its stacked weights and buffers."""
    return _STACKED[type(layer)](layer, tensors).train(layer.training)
