"""The stacked weights of R replicas, and three ways to run an ordinary module over them.

- `LayersForward`: common layers are replaced by stacked ones and the module's `forward` runs once
  on `(R, B, ...)`.
- `VmapForward`: `torch.func.vmap` over `functional_call`.
- `SequentialForward`: one replica, the module unchanged.

All three work on views, so an optimiser step on their weights updates the stack.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from models.vectorised.dropout import MaskSource, with_replica_dropout
from models.vectorised.fused_layers import fuse_hidden_layers
from models.vectorised.layers import can_stack, stacked_layer


@dataclass(frozen=True)
class Leaf:
    """A weight that is optimised, and its moments, all `(r, ...)` or all `(...)`."""

    weight: Tensor
    moments: tuple[Tensor, ...]


@dataclass
class Stack:
    """Weights, buffers and moments of R replicas: every tensor is `(R, ...)`.

    Attributes:
        weights: Name of a parameter -> stacked parameter.
        buffers: Name of a buffer -> stacked buffer.
        moments: Name of a parameter -> the optimiser's stacked moments.
        steps: Optimiser steps that each replica has taken.
    """

    weights: dict[str, Tensor]
    buffers: dict[str, Tensor]
    moments: dict[str, tuple[Tensor, ...]]
    steps: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, modules: Sequence[nn.Module], *, n_moments: int) -> Stack:
        """A stack of copies of these modules' weights."""
        weights = _stacked([dict(module.named_parameters()) for module in modules])
        buffers = _stacked([dict(module.named_buffers()) for module in modules])
        moments = {
            name: tuple(torch.zeros_like(weight) for _ in range(n_moments))
            for name, weight in weights.items()
        }
        return cls(weights, buffers, moments, [0] * len(modules))

    def keep(self, replicas: Sequence[int]) -> Stack:
        """A stack of only these replicas."""
        device = next(iter(self.weights.values())).device
        at = torch.tensor(replicas, dtype=torch.int64, device=device)
        return Stack(
            {name: weight[at] for name, weight in self.weights.items()},
            {name: buffer[at] for name, buffer in self.buffers.items()},
            {name: tuple(m[at] for m in kinds) for name, kinds in self.moments.items()},
            [self.steps[replica] for replica in replicas],
        )

    def snapshot(self) -> Stack:
        """A copy without moments, for predictions."""
        copied = self.keep(range(len(self.steps)))
        copied.moments = dict.fromkeys(copied.weights, ())
        return copied

    def tensors(self) -> dict[str, Tensor]:
        """Weights and buffers by name."""
        return {**self.weights, **self.buffers}


def _stacked(tensors: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {name: _stack([of_one[name].detach() for of_one in tensors]) for name in tensors[0]}


def _stack(tensors: Sequence[Tensor]) -> Tensor:
    """`(...)` of each replica -> `(R, ...)`; keeps channels-last filters channels-last.

    Convolutions on a CPU are 25 % faster that way (benchmarks/NOTES.md).
    """
    if tensors[0].ndim != 4 or tensors[0].stride(1) != 1:
        return torch.stack(list(tensors))
    return torch.stack([tensor.permute(0, 2, 3, 1) for tensor in tensors]).permute(0, 1, 4, 2, 3)


class Forward(Protocol):
    """Runs some neighbouring replicas of a stack.

    Attributes:
        leaves: The weights that are optimised, views of the stack.
        source: Where the dropout masks come from.
    """

    leaves: list[Leaf]
    source: MaskSource

    def __call__(self, inputs: Mapping[str, Tensor], *, training: bool) -> Tensor:
        """For each keyword `(r, B, ...)` -> logits `(r, B, ..., n_outputs)`."""
        ...


class SequentialForward:
    """One replica, run as in any PyTorch program."""

    def __init__(self, template: nn.Module, stack: Stack, low: int, high: int) -> None:
        if high - low != 1:
            raise ValueError(f"SequentialForward takes one replica, got {low} to {high}")
        self.module = copy.deepcopy(template).train()
        self.source = with_replica_dropout(self.module)
        views = {name: nn.Parameter(_view(w[low])) for name, w in stack.weights.items()}
        _put(self.module, views, {n: _view(b[low]) for n, b in stack.buffers.items()})
        _keep_in_place(self.module)
        moments = {name: tuple(m[low] for m in kinds) for name, kinds in stack.moments.items()}
        self.leaves = _leaves(template, views, moments)

    def __call__(self, inputs: Mapping[str, Tensor], *, training: bool) -> Tensor:
        """For each keyword `(1, B, ...)` -> logits `(1, B, ..., n_outputs)`."""
        _set_mode(self.module, training=training)
        logits: Tensor = self.module(**{key: value[0] for key, value in inputs.items()})
        return logits.unsqueeze(0)


class VmapForward:
    """Several replicas through `torch.func.vmap`; works for nearly every module."""

    def __init__(self, template: nn.Module, stack: Stack, low: int, high: int) -> None:
        self.module = copy.deepcopy(template).train()
        self.source = with_replica_dropout(self.module)
        views, moments = _weight_views(stack, low, high)
        self.tensors = {**views, **_buffer_views(stack, low, high)}
        self.leaves = _leaves(template, views, moments)
        self.n_replicas = high - low
        self._calls: list[tuple[tuple[int, ...], float]] | None = None

    def __call__(self, inputs: Mapping[str, Tensor], *, training: bool) -> Tensor:
        """For each keyword `(r, B, ...)` -> logits `(r, B, ..., n_outputs)`."""
        _set_mode(self.module, training=training)
        masks = self._masks(inputs) if training else ()
        logits: Tensor = vmap(self._one)(self.tensors, dict(inputs), masks)
        return logits

    def _one(
        self, tensors: dict[str, Tensor], inputs: dict[str, Tensor], masks: Sequence[Tensor]
    ) -> Tensor:
        if self.module.training:
            self.source.replay(masks)
        logits: Tensor = functional_call(self.module, tensors, (), inputs)
        return logits

    def _masks(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        """Draw the masks before the pass that the module's dropouts need inside it."""
        if self._calls is None:
            self._calls = self._recorded(inputs)
        any_input = next(iter(inputs.values()))
        some_float = next(t for t in self.tensors.values() if t.is_floating_point())
        drawn = [
            self.source.drawn(
                (self.n_replicas, any_input.shape[1], *shape[1:]),
                p,
                dtype=some_float.dtype,
                device=any_input.device,
            )
            for shape, p in self._calls
        ]
        return tuple(mask.expand(self.n_replicas, *mask.shape[1:]) for mask in drawn)

    def _recorded(self, inputs: Mapping[str, Tensor]) -> list[tuple[tuple[int, ...], float]]:
        """Run one replica on copies of its buffers to record its dropout calls."""
        source = self.source
        generators, owners, rates = source.generators, source.owners, source.rates
        calls = source.record()
        one = {name: tensor[0].detach().clone() for name, tensor in self.tensors.items()}
        with torch.no_grad():
            functional_call(self.module, one, (), {k: v[0] for k, v in inputs.items()})
        source.draw_from(generators, owners, rates=rates)
        return calls


class LayersForward:
    """Several replicas through stacked layers, driven by the module's `forward`."""

    def __init__(self, template: nn.Module, stack: Stack, low: int, high: int) -> None:
        self.module = copy.deepcopy(template).train()
        self.source = with_replica_dropout(self.module)
        views, moments = _weight_views(stack, low, high)
        tensors = {**views, **_buffer_views(stack, low, high)}
        _swap_layers(self.module, tensors)
        fuse_hidden_layers(self.module)
        self.leaves = _leaves(template, views, moments)

    def __call__(self, inputs: Mapping[str, Tensor], *, training: bool) -> Tensor:
        """For each keyword `(r, B, ...)` -> logits `(r, B, ..., n_outputs)`."""
        _set_mode(self.module, training=training)
        logits: Tensor = self.module(**inputs)
        return logits


def can_swap_layers(template: nn.Module) -> bool:
    """Whether every module with weights or buffers has a stacked counterpart."""
    names = [name for name, _ in template.named_parameters(remove_duplicate=False)]
    if len(names) != len(list(template.parameters())):
        return False  # tied weights
    if _has_tensors(template):
        return False  # a layer alone, in no module that could hold another one in its place
    return all(can_stack(module) for module in template.modules() if _has_tensors(module))


def _has_tensors(module: nn.Module) -> bool:
    return any(True for _ in module.parameters(recurse=False)) or any(
        True for _ in module.buffers(recurse=False)
    )


def _swap_layers(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Replace ordinary layers by stacked layers over the stacked `tensors`."""
    layers = [(path, child) for path, child in module.named_modules() if _has_tensors(child)]
    for path, child in layers:
        prefix = f"{path}."
        of_layer = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
        module.set_submodule(path, stacked_layer(child, of_layer))


def _put(
    module: nn.Module, views: Mapping[str, nn.Parameter], buffers: Mapping[str, Tensor]
) -> None:
    """Make the module use these tensors; tied weights stay tied."""
    originals = dict(module.named_parameters())
    names = {id(weight): name for name, weight in originals.items()}
    for path, child in module.named_modules():
        for name, weight in list(child._parameters.items()):
            if weight is not None:
                canonical = names[id(weight)]
                views[canonical].requires_grad = weight.requires_grad
                child._parameters[name] = views[canonical]
        for name, buffer in list(child._buffers.items()):
            full = f"{path}.{name}" if path else name
            if buffer is not None and full in buffers:
                child._buffers[name] = buffers[full]


def _keep_in_place(module: nn.Module) -> None:
    """Keep a GRU or LSTM from moving its weights to one block of memory for cuDNN.

    It would do so in its first pass with the weights of `_put`, and train the moved ones, while
    the stack kept the weights that it began with.
    """
    for child in module.modules():
        if isinstance(child, nn.RNNBase):
            child.flatten_parameters = _stay  # type: ignore[method-assign]


def _stay() -> None:
    """Take the place of `flatten_parameters`, which is only for speed."""


def _set_mode(module: nn.Module, *, training: bool) -> None:
    """`module.train`, which visits all submodules, but only if the mode changes."""
    if module.training != training:
        module.train(training)


def _view(view: Tensor) -> Tensor:
    """The same memory with a separate version counter.

    Autograd counts in-place changes per tensor, shared by all its views. Chunks on other threads
    change other replicas between this one's forward and backward pass, which is not an error.
    """
    return view.data


def _buffer_views(stack: Stack, low: int, high: int) -> dict[str, Tensor]:
    return {name: _view(buffer[low:high]) for name, buffer in stack.buffers.items()}


def _weight_views(
    stack: Stack, low: int, high: int
) -> tuple[dict[str, Tensor], dict[str, tuple[Tensor, ...]]]:
    views = {n: _view(w[low:high]).requires_grad_() for n, w in stack.weights.items()}
    moments = {name: tuple(m[low:high] for m in kinds) for name, kinds in stack.moments.items()}
    return views, moments


def _leaves(
    template: nn.Module, views: Mapping[str, Tensor], moments: Mapping[str, tuple[Tensor, ...]]
) -> list[Leaf]:
    """The weights to optimise, without frozen ones."""
    leaves = []
    for name, weight in template.named_parameters():
        if weight.requires_grad:
            leaves.append(Leaf(views[name], moments[name]))
        else:
            views[name].requires_grad = False
    return leaves
