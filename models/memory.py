"""How many replicas go through the network in one pass."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from models.chunk import Chunk, Plan, Task
from models.stacking import SequentialForward, Stack

# On a CPU one wide pass was faster than several that fit the cache (benchmarks/NOTES.md); this
# only keeps the activations of a pass, and their gradients, to some gigabytes.
_ACTIVATION_BYTES = 2**30


def stack_size(task: Task, stack: Stack, plans: Sequence[Plan]) -> int:
    """The most replicas to put into one pass.

    On a CPU as many as keep the activations small; on CUDA as many as a trial step finds
    memory for.
    """
    most = len(plans) if task.settings.max_stack is None else task.settings.max_stack
    most = min(most, len(plans))
    if task.strategy == "sequential":
        return 1
    if task.device.type == "cuda":
        return largest_that_fits(most, lambda size: _trial_step(task, stack, plans[-size:]))
    if task.settings.max_stack is not None:
        return most
    n_rows = min(task.settings.batch_size or plans[-1].n_rows, plans[-1].n_rows)
    per_replica = n_rows * bytes_per_row(task, stack, plans)
    return max(1, min(most, _ACTIVATION_BYTES // max(per_replica, 1)))


def largest_that_fits(most: int, attempt: Callable[[int], None]) -> int:
    """Halve the size until the attempt no longer runs out of memory.

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


def _trial_step(task: Task, stack: Stack, plans: Sequence[Plan]) -> None:
    """Forward and backward over the replicas with the most rows, without a trace."""
    first = len(stack.steps) - len(plans)
    copies = stack.keep(range(first, len(stack.steps)))
    Chunk(task, copies, plans, 0).trial()
    torch.cuda.empty_cache()


def bytes_per_row(task: Task, stack: Stack, plans: Sequence[Plan]) -> int:
    """What one replica's layers give for one row, in bytes."""
    total = 0

    def count(_module: nn.Module, _inputs: object, output: object) -> None:
        nonlocal total
        if isinstance(output, Tensor):
            total += output.numel() * output.element_size()

    forward = SequentialForward(task.template, stack, 0, 1)
    leaves = [m for m in forward.module.modules() if not list(m.children())]
    handles = [leaf.register_forward_hook(count) for leaf in leaves]
    rows = task.train_rows[plans[0].fold][:1]
    folds = torch.tensor([plans[0].fold], device=task.device)
    with torch.no_grad():
        forward(task.tables.gather(rows[None], folds), training=False)
    for handle in handles:
        handle.remove()
    return total
