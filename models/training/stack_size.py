"""How many replicas go through the network in one pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from models.training.replica_chunk import ReplicaChunk, TrainingContext
from models.training.replicas import ReplicaSpec
from models.vectorised.stack import SequentialForward, Stack

# On a CPU one wide pass was faster than several that fit the cache (benchmarks/NOTES.md); this
# only limits the activations of a pass, and their gradients, to a few gigabytes.
ACTIVATION_BYTES = 2**30


def stack_size(context: TrainingContext, stack: Stack, specs: Sequence[ReplicaSpec]) -> int:
    """The largest number of replicas for one pass.

    On a CPU it is bounded by the size of the activations; on CUDA trial steps find the largest
    number that fits the memory.
    """
    most = len(specs) if context.settings.max_stack is None else context.settings.max_stack
    most = min(most, len(specs))
    if context.strategy == "sequential":
        return 1
    if context.device.type == "cuda":
        return largest_that_fits(most, lambda size: _trial_step(context, stack, specs[-size:]))
    if context.settings.max_stack is not None:
        return most
    per_replica = step_bytes(context, stack, specs)
    return max(1, min(most, ACTIVATION_BYTES // max(per_replica, 1)))


def step_bytes(context: TrainingContext, stack: Stack, specs: Sequence[ReplicaSpec]) -> int:
    """Size of all layers' outputs in a step of the replica with the most rows, in bytes."""
    n_rows = min(context.settings.batch_size or specs[-1].n_rows, specs[-1].n_rows)
    return n_rows * bytes_per_row(context, stack, specs)


def largest_that_fits(most: int, attempt: Callable[[int], None]) -> int:
    """The size, halved until the attempt no longer runs out of memory.

    Raises:
        torch.OutOfMemoryError: If even one does not fit.
    """
    size = most
    while True:
        try:
            attempt(size)
        except torch.OutOfMemoryError:
            if size == 1:
                raise
            size = -(-size // 2)
        else:
            return size


def _trial_step(context: TrainingContext, stack: Stack, specs: Sequence[ReplicaSpec]) -> None:
    """Forward and backward over copies of the replicas with the most rows."""
    first = len(stack.steps) - len(specs)
    copies = stack.keep(range(first, len(stack.steps)))
    ReplicaChunk(context, copies, specs, 0).trial()
    torch.cuda.empty_cache()


def bytes_per_row(context: TrainingContext, stack: Stack, specs: Sequence[ReplicaSpec]) -> int:
    """Size of all layers' outputs for one row of one replica, in bytes."""
    outputs = _outputs(context, stack, specs)
    return sum(output.numel() * output.element_size() for _, _, output in outputs)


def products_per_row(context: TrainingContext, stack: Stack, specs: Sequence[ReplicaSpec]) -> int:
    """Multiplications of one row's forward pass through one replica."""
    total = 0
    for layer, taken, output in _outputs(context, stack, specs):
        weight = getattr(layer, "weight", None)
        if weight is None or weight.ndim < 2 or isinstance(layer, nn.Embedding):
            continue
        is_image = weight.ndim > 3
        total += output.numel() * (weight[0].numel() if is_image else taken.shape[-1])
    return total


def _outputs(
    context: TrainingContext, stack: Stack, specs: Sequence[ReplicaSpec]
) -> list[tuple[nn.Module, Tensor, Tensor]]:
    """Each layer with its first input and its output, for one row of the first replica."""
    found: list[tuple[nn.Module, Tensor, Tensor]] = []

    def note(module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        if isinstance(output, Tensor):
            taken = inputs[0] if inputs and isinstance(inputs[0], Tensor) else output
            found.append((module, taken, output))

    forward = SequentialForward(context.template, stack, 0, 1)
    leaves = [m for m in forward.module.modules() if not list(m.children())]
    handles = [leaf.register_forward_hook(note) for leaf in leaves]
    rows = context.train_rows[specs[0].fold][:1]
    folds = torch.tensor([specs[0].fold], device=context.device)
    with torch.no_grad():
        forward(context.tables.gather(rows[None], folds), training=False)
    for handle in handles:
        handle.remove()
    return found
