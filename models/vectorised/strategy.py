"""Choice of how to run replicas, by architecture and device."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from models.vectorised.dropout import Owners, with_replica_dropout
from models.vectorised.random_streams import stream
from models.vectorised.stack import (
    Forward,
    LayersForward,
    SequentialForward,
    Stack,
    VmapForward,
    can_swap_layers,
)

Runner = Callable[[nn.Module, Stack, int, int], Forward]
_RUNNERS: dict[str, Runner] = {
    "layers": LayersForward,
    "vmap": VmapForward,
    "sequential": SequentialForward,
}
# Slower in a stack than one after the other on a CPU: their kernels already fill a core, and
# grouped convolutions and unrolled recurrences lose what a stack saves (benchmarks/NOTES.md).
_ALONE_ON_CPU = (nn.modules.conv._ConvNd, nn.RNNBase, nn.RNNCellBase)
_TRIAL_REPLICAS = 3
_TRIAL_ROWS = 5
_TOLERANCE = 1e-9


class StrategyError(ValueError):
    """The requested strategy cannot run this network."""

    exit_code = 2


def choose_strategy(
    template: nn.Module, batch: Mapping[str, Tensor], *, requested: str, n_replicas: int
) -> str:
    """How to run this network: "layers", "vmap" or "sequential".

    "layers" and "vmap" are taken only if they agree with separate replicas on a few rows.

    Args:
        template: The network.
        batch: A few rows, for each keyword `(B, ...)`, on the device of the training.
        requested: The strategy in the settings; "auto" takes the fastest by network and device.
        n_replicas: Number of replicas.

    Raises:
        StrategyError: If the requested strategy does not agree with separate replicas.
    """
    if requested == "sequential" or (requested == "auto" and n_replicas == 1):
        return "sequential"
    if requested != "auto":
        if not agrees(template, batch, requested):
            raise StrategyError(
                f"strategy {requested!r} cannot run {type(template).__name__}: its results differ "
                "from those of single replicas; set strategy to 'auto' or 'sequential'"
            )
        return requested
    is_cpu = next(iter(batch.values())).device.type == "cpu"
    if is_cpu and any(isinstance(module, _ALONE_ON_CPU) for module in template.modules()):
        return "sequential"
    stacked = (name for name in ("layers", "vmap") if agrees(template, batch, name))
    return next(stacked, "sequential")


def runner(strategy: str) -> Runner:
    """The class that runs that strategy."""
    return _RUNNERS[strategy]


def agrees(template: nn.Module, batch: Mapping[str, Tensor], strategy: str) -> bool:
    """Whether the strategy agrees with separate replicas, in float64 on a few rows."""
    if strategy == "layers" and not can_swap_layers(template):
        return False
    if strategy == "vmap" and _has_padding(template):
        return False
    network = copy.deepcopy(template).double()
    rows = {key: _few(value) for key, value in batch.items()}
    if draws_globally(network, {key: value[0] for key, value in rows.items()}):
        return False
    try:
        if next(iter(rows.values())).device.type == "cuda":
            # cuDNN's kernels for float32 may refuse what those for float64 accept: under vmap
            # batch norm does (torch 2.11).
            single = {k: v.float() if v.is_floating_point() else v for k, v in rows.items()}
            _logits(copy.deepcopy(template).float(), single, strategy, training=True)
        return all(
            torch.allclose(
                _logits(network, rows, strategy, training=training),
                _logits(network, rows, "sequential", training=training),
                rtol=_TOLERANCE,
                atol=_TOLERANCE,
            )
            for training in (True, False)
        )
    except (RuntimeError, ValueError, IndexError, TypeError, AttributeError, NotImplementedError):
        return False  # the module does not support this strategy; others remain


def _has_padding(template: nn.Module) -> bool:
    """Whether an embedding has a padding row, which torch's vmap would train (torch 2.13)."""
    embeddings = [m for m in template.modules() if isinstance(m, nn.Embedding)]
    return any(embedding.padding_idx is not None for embedding in embeddings)


def draws_globally(template: nn.Module, inputs: Mapping[str, Tensor]) -> bool:
    """Whether a training pass draws from torch's global generator besides its dropouts."""
    network = copy.deepcopy(template).train()
    with_replica_dropout(network).record()
    dtype = next((p.dtype for p in network.parameters()), torch.float32)
    batch = {k: v.to(dtype) if v.is_floating_point() else v for k, v in inputs.items()}
    device = next(iter(batch.values())).device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), torch.no_grad():
        before = _global_state(device)
        network(**batch)
        return not torch.equal(before, _global_state(device))


def _global_state(device: torch.device) -> Tensor:
    if device.type == "cuda":
        return torch.cuda.get_rng_state(device)
    return torch.get_rng_state()


def _few(value: Tensor) -> Tensor:
    """A few rows for each trial replica; floats as float64: (B, ...) -> (R, b, ...)."""
    rows = value[:_TRIAL_ROWS]
    rows = rows.double() if rows.is_floating_point() else rows
    return rows.expand(_TRIAL_REPLICAS, *rows.shape)


def _logits(
    network: nn.Module, rows: Mapping[str, Tensor], strategy: str, *, training: bool
) -> Tensor:
    """Logits of trial replicas with different weights and separate dropout streams."""
    device = next(iter(rows.values())).device
    stack = _trial_stack(network)
    width = 1 if strategy == "sequential" else _TRIAL_REPLICAS
    results = []
    for low in range(0, _TRIAL_REPLICAS, width):
        forward = runner(strategy)(network, stack, low, low + width)
        replicas = range(low, low + width)
        generators = [stream(replica, 0, "dropout", device) for replica in replicas]
        owners = None if width == 1 else Owners(tuple(range(width)))
        forward.source.draw_from(generators, owners)
        batch = {key: value[low : low + width] for key, value in rows.items()}
        with torch.no_grad():
            results.append(forward(batch, training=training))
    return torch.cat(results)


def _trial_stack(network: nn.Module) -> Stack:
    """Trial replicas whose weights differ by a fixed pattern."""
    stack = Stack.of([network] * _TRIAL_REPLICAS, n_moments=0)
    for weight in stack.weights.values():
        n_each = weight[0].numel()
        wave = torch.arange(weight.numel(), dtype=weight.dtype, device=weight.device)
        weight += 0.01 * torch.sin(wave + wave // max(n_each, 1)).view(weight.shape)
    return stack
