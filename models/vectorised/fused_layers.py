"""Linear layer or batch norm, ReLU and dropout of R replicas as one differentiable operation.

Plain autograd spends half of a small network's step on passes over activations: it copies the
weight's gradient, since that of a transposed product comes out transposed, writes the results of
ReLU and dropout to separate memory, and multiplies by the mask again in the backward pass. Here
ReLU and dropout work in place, and the backward pass over activations is a single one: where the
result is zero, the gradient is zero; the dropout's scale is applied within the matrix products.
"""

from __future__ import annotations

from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from models.vectorised.dropout import MaskSource, ReplicaDropout

Dropping = tuple[MaskSource, float]


class _Hidden(torch.autograd.Function):
    """`dropout(relu(x @ weight.T + bias))` with ReLU and dropout optional."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, tail: _Tail) -> Tensor:
        """`(R, B, n_in)`, `(R, n_out, n_in)`, `(R, n_out)` -> `(R, B, n_out)`."""
        if bias is None:
            y = torch.bmm(x, weight.mT)
        else:
            y = torch.baddbmm(bias.unsqueeze(1), x, weight.mT)
        ctx.relu, ctx.has_bias = tail.relu, bias is not None
        ctx.scale = tail.apply_(y)
        ctx.save_for_backward(x, weight, y if tail.relu else None)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of x, weight and bias."""
        x, weight, y = ctx.saved_tensors
        scale = ctx.scale
        if ctx.relu:
            grad, scale = _each_scaled(_through_relu(grad, y), scale)
        needs_x, needs_weight, needs_bias, _ = ctx.needs_input_grad
        grad_x = _scaled_product(grad, weight, scale) if needs_x else None
        grad_weight = _scaled_product(grad.mT, x, scale) if needs_weight else None
        grad_bias = grad.sum(dim=1).mul_(scale) if ctx.has_bias and needs_bias else None
        return grad_x, grad_weight, grad_bias, None


class _Normalised(torch.autograd.Function):
    """`dropout(relu(batch_norm(x)))` with batch statistics, ReLU and dropout optional."""

    @staticmethod
    def forward(
        ctx: Any, centred: Tensor, rstd: Tensor, weight: Tensor, bias: Tensor, tail: _Tail
    ) -> Tensor:
        """`x` minus its mean `(R, B, D)`, the others `(R, D)` each -> `(R, B, D)`."""
        scale = (rstd * weight).unsqueeze(1)
        y = torch.addcmul(bias.unsqueeze(1), centred, scale)
        ctx.relu = tail.relu
        ctx.scale = tail.apply_(y)
        ctx.save_for_backward(centred, rstd, weight, y if tail.relu else None)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of x (including through its statistics), weight and bias."""
        centred, rstd, weight, y = ctx.saved_tensors
        scale = ctx.scale
        if ctx.relu:
            grad, scale = _each_scaled(_through_relu(grad, y), scale)
        n_rows = grad.shape[1]
        grad_bias = grad.sum(dim=1).mul_(scale)
        grad_weight = (grad * centred).sum(dim=1).mul_(rstd * scale)
        outer = rstd * weight / n_rows
        grad_x = torch.addcmul(
            (-outer * grad_bias).unsqueeze(1),
            centred,
            (-outer * rstd * grad_weight).unsqueeze(1),
        ).addcmul_(grad, (outer * n_rows * scale).unsqueeze(1))
        return grad_x, None, grad_weight, grad_bias, None


def _through_relu(grad: Tensor, y: Tensor) -> Tensor:
    """The gradient where the result y is not zero; overwrites y, which is no longer needed."""
    overwritten: Tensor = torch.ops.aten.threshold_backward.grad_input(
        grad, y, 0, grad_input=y.detach()
    )
    return overwritten


def _each_scaled(grad: Tensor, scale: float | Tensor) -> tuple[Tensor, float]:
    """The gradient times each replica's scale, and the scale that remains to be applied.

    A common scale is applied within the products; only a dropout, which follows a ReLU, has
    several.
    """
    return (grad.mul_(scale), 1.0) if isinstance(scale, Tensor) else (grad, scale)


def _scaled_product(a: Tensor, b: Tensor, scale: float) -> Tensor:
    """`scale * a @ b`, the scale inside the product."""
    if scale == 1.0:
        return torch.bmm(a, b)
    unused = a.new_zeros(()).expand(a.shape[0], a.shape[1], b.shape[2])
    return torch.baddbmm(unused, a, b, beta=0, alpha=scale)


def _applied(function: type[torch.autograd.Function], *inputs: object) -> Tensor:
    y: Tensor = function.apply(*inputs)  # type: ignore[no-untyped-call]
    return y


def _as_autocast(*tensors: Tensor | None) -> list[Tensor | None]:
    """The tensors in autocast's dtype for matrix products.

    Autocast does not reach into custom operations, whose backward pass would mix two dtypes.
    """
    device = next(tensor.device.type for tensor in tensors if tensor is not None)
    if not torch.is_autocast_enabled(device):
        return list(tensors)
    dtype = torch.get_autocast_dtype(device)
    return [None if tensor is None else tensor.to(dtype) for tensor in tensors]


class _Tail(nn.Module):
    """The ReLU and the dropout that follow a layer."""

    relu: bool = False
    dropout: Dropping | None = None

    def apply_(self, y: Tensor) -> float | Tensor:
        """Apply them in place; returns the scale of kept numbers."""
        if self.relu:
            y.clamp_min_(0)
        if self.dropout is None or not self.training:
            return 1.0
        source, p = self.dropout
        return source.drop_(y, p)


class StackedLinear(nn.Module):
    """R linear layers as one batched product, with the ReLU and dropout that follow."""

    def __init__(self, _layer: nn.Linear, tensors: dict[str, Tensor]) -> None:
        super().__init__()
        self.weight = tensors["weight"]  # (R, n_out, n_in)
        self.bias = tensors.get("bias")  # (R, n_out)
        self.tail = _Tail()

    def forward(self, x: Tensor) -> Tensor:
        """`(R, B, ..., n_in) -> (R, B, ..., n_out)`."""
        rows = x.flatten(1, -2) if x.ndim > 3 else x  # (R, B, ..., n_in) -> (R, M, n_in)
        y = _applied(_Hidden, *_as_autocast(rows, self.weight, self.bias), self.tail)
        return y.view(*x.shape[:-1], -1) if x.ndim > 3 else y


class StackedBatchNorm(nn.Module):
    """R batch norms over rows, each with its own statistics, and the ReLU and dropout after."""

    def __init__(self, layer: nn.BatchNorm1d, tensors: dict[str, Tensor]) -> None:
        super().__init__()
        self.eps, self.momentum = layer.eps, layer.momentum or 0.0
        self.weight, self.bias = tensors["weight"], tensors["bias"]  # (R, D)
        self.running_mean, self.running_var = tensors["running_mean"], tensors["running_var"]
        self.num_batches_tracked = tensors["num_batches_tracked"]
        self.tail = _Tail()

    def forward(self, x: Tensor) -> Tensor:
        """`(R, B, D) -> (R, B, D)`; in the weights' precision, even under autocast."""
        x = x.to(self.weight.dtype)
        if not self.training:
            scale = torch.rsqrt(self.running_var + self.eps) * self.weight
            shift = self.bias - self.running_mean * scale
            y = torch.addcmul(shift.unsqueeze(1), x, scale.unsqueeze(1))
            self.tail.apply_(y)
            return y
        # `_Normalised` includes the statistics' gradients: for autograd, `centred` is x.
        with torch.no_grad():
            mean = x.mean(dim=1)
        centred = x - mean.unsqueeze(1)
        with torch.no_grad():
            variance = torch.linalg.vector_norm(centred, dim=1).square_().div_(x.shape[1])
            self._track(mean, variance, n_rows=x.shape[1])
            rstd = torch.rsqrt(variance + self.eps)
        return _applied(_Normalised, centred, rstd, self.weight, self.bias, self.tail)

    def _track(self, mean: Tensor, variance: Tensor, *, n_rows: int) -> None:
        """Update the running statistics, with the unbiased variance as in torch."""
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (n_rows / (n_rows - 1)), self.momentum)
        self.num_batches_tracked += 1


def fuse_hidden_layers(module: nn.Module) -> None:
    """Fuse stacked layers in `nn.Sequential`s with the ReLU and dropout after them."""
    for block in module.modules():
        if isinstance(block, nn.Sequential):
            _fuse(block)


def _fuse(block: nn.Sequential) -> None:
    tail: _Tail | None = None
    for position, layer in enumerate(block):
        if isinstance(layer, StackedLinear | StackedBatchNorm):
            tail = layer.tail
        elif tail is not None and type(layer) is nn.ReLU and not tail.relu:
            tail.relu = True
            block[position] = nn.Identity()
        else:
            if tail is not None and tail.relu and _drops_numbers(layer):
                tail.dropout = (layer.source, layer.p)
                block[position] = nn.Identity()
            tail = None


def _drops_numbers(layer: nn.Module) -> TypeGuard[ReplicaDropout]:
    return isinstance(layer, ReplicaDropout) and not layer.n_spatial
