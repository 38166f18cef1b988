"""Linear layer, ReLU and dropout of R replicas as one differentiable operation.

Plain autograd spends half of a small network's step on passes over activations: it copies the
weight's gradient because that of a transposed product comes out transposed, writes the ReLU's and
the dropout's results to memory of their own, and multiplies by the mask a second time in the
backward pass. Here ReLU and dropout work in place, and the backward pass needs one pass: where
the result is zero, nothing flows back; the dropout's scale rides on the products.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable

from models.dropout import MaskSource, ReplicaDropout


class _Hidden(torch.autograd.Function):
    """`dropout(relu(x @ weight.T + bias))` with ReLU and dropout optional."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        relu: bool,  # noqa: FBT001 - autograd functions take positional arguments
        dropout: tuple[MaskSource, float] | None,
    ) -> Tensor:
        """`(R, B, n_in)`, `(R, n_out, n_in)`, `(R, n_out)` -> `(R, B, n_out)`."""
        if bias is None:
            y = torch.bmm(x, weight.mT)
        else:
            y = torch.baddbmm(bias.unsqueeze(1), x, weight.mT)
        if relu:
            y.clamp_min_(0)
        ctx.relu, ctx.has_bias = relu, bias is not None
        ctx.scale = 1.0 if dropout is None else dropout[0].drop_(y, dropout[1])
        ctx.save_for_backward(x, weight, y if relu else None)
        return y

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of x, weight and bias."""
        x, weight, y = ctx.saved_tensors
        if ctx.relu:
            grad = torch.ops.aten.threshold_backward(grad, y, 0)
        needs_x, needs_weight, needs_bias, *_ = ctx.needs_input_grad
        grad_x = _scaled_product(grad, weight, ctx.scale) if needs_x else None
        grad_weight = _scaled_product(grad.mT, x, ctx.scale) if needs_weight else None
        grad_bias = grad.sum(dim=1).mul_(ctx.scale) if ctx.has_bias and needs_bias else None
        return grad_x, grad_weight, grad_bias, None, None


def _scaled_product(a: Tensor, b: Tensor, scale: float) -> Tensor:
    """`scale * a @ b`, the scale inside the product."""
    if scale == 1.0:
        return torch.bmm(a, b)
    unused = a.new_zeros(()).expand(a.shape[0], a.shape[1], b.shape[2])
    return torch.baddbmm(unused, a, b, beta=0, alpha=scale)


class StackedLinear(nn.Module):
    """R linear layers as one batched product, with the ReLU and dropout that follow."""

    def __init__(self, _layer: nn.Linear, tensors: dict[str, Tensor]) -> None:
        super().__init__()
        self.weight = tensors["weight"]  # (R, n_out, n_in)
        self.bias = tensors.get("bias")  # (R, n_out)
        self.relu = False
        self.dropout: tuple[MaskSource, float] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """`(R, B, ..., n_in) -> (R, B, ..., n_out)`."""
        rows = x.flatten(1, -2) if x.ndim > 3 else x  # (R, B, ..., n_in) -> (R, M, n_in)
        dropout = self.dropout if self.training else None
        y: Tensor = _Hidden.apply(rows, self.weight, self.bias, self.relu, dropout)
        return y.view(*x.shape[:-1], -1) if x.ndim > 3 else y


def fuse_hidden_layers(module: nn.Module) -> None:
    """Let the stacked linear layers in `nn.Sequential`s do the ReLU and dropout behind them."""
    for block in module.modules():
        if isinstance(block, nn.Sequential):
            _fuse(block)


def _fuse(block: nn.Sequential) -> None:
    previous: nn.Module | None = None
    for position, layer in enumerate(block):
        if isinstance(previous, StackedLinear):
            if type(layer) is nn.ReLU and not previous.relu:
                previous.relu = True
                block[position] = nn.Identity()
                continue
            if isinstance(layer, ReplicaDropout) and previous.relu and not layer.n_spatial:
                previous.dropout = (layer.source, layer.p)
                block[position] = nn.Identity()
        previous = layer
