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
_ACTIVATION_BYTES = 2**30


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
    n_rows = min(context.settings.batch_size or specs[-1].n_rows, specs[-1].n_rows)
    per_replica = n_rows * bytes_per_row(context, stack, specs)
    return max(1, min(most, _ACTIVATION_BYTES // max(per_replica, 1)))


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
    total = 0

    def count(_module: nn.Module, _inputs: object, output: object) -> None:
        nonlocal total
        if isinstance(output, Tensor):
            total += output.numel() * output.element_size()

    forward = SequentialForward(context.template, stack, 0, 1)
    leaves = [m for m in forward.module.modules() if not list(m.children())]
    handles = [leaf.register_forward_hook(count) for leaf in leaves]
    rows = context.train_rows[specs[0].fold][:1]
    folds = torch.tensor([specs[0].fold], device=context.device)
    with torch.no_grad():
        forward(context.tables.gather(rows[None], folds), training=False)
    for handle in handles:
        handle.remove()
    return total
