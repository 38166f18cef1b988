"""The machines of a cluster, and whether a task could ever run on one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.executor import Needs, Task
from pipelines.executors.address import ClusterError

CPU, GPU, MEMORY = "CPU", "GPU", "memory"  # as Ray calls them


class TooLargeError(ClusterError):
    """A task that no machine of the cluster can ever do."""


@dataclass(frozen=True)
class Node:
    """A machine of the cluster.

    Attributes:
        id: Ray's id of it.
        name: As messages call it.
        resources: What tasks may take of it in all.
    """

    id: str
    name: str
    resources: dict[str, float]

    def room(self, needs: Needs) -> int:
        """How many such tasks run there at once, while nothing else does."""
        wanted = {name: n for name, n in _wanted(needs).items() if n}
        return min(int(self.resources.get(name, 0) // n) for name, n in wanted.items())


def _wanted(needs: Needs) -> dict[str, int]:
    return {CPU: needs.threads, GPU: needs.cards, MEMORY: needs.n_bytes}


def too_large(needs: Needs, nodes: Sequence[Node], unit: str) -> str:
    """What a task wants that no machine has, and what to type.

    Args:
        needs: The task's.
        nodes: All machines.
        unit: What the tasks are called.
    """
    most = {
        name: max((n.resources.get(name, 0) for n in nodes), default=0) for name in _wanted(needs)
    }
    lacking = [
        f"{_amount(name, wanted)}, the largest node has {_amount(name, most[name])}"
        for name, wanted in _wanted(needs).items()
        if most[name] < wanted
    ]
    return (
        f"one of its {unit} needs {' and '.join(lacking) or 'more than any single node has'}; it "
        "would wait for ever: add a larger node, or make it smaller (train.max_stack of networks, "
        "trees.n_threads of trees)"
    )


def _amount(name: str, amount: float) -> str:
    if name == MEMORY:
        return f"{amount / 1e9:.1f} GB of memory"
    return f"{amount:g} {'cores' if name == CPU else 'CUDA cards'}"


def check_sizes(tasks: Sequence[Task], machines: Sequence[Node], unit: str, title: str) -> None:
    """Check that some machine can do each of the tasks, once nothing else runs there.

    Raises:
        TooLargeError: No machine can ever do one of them.
    """
    for needs in dict.fromkeys(task.needs for task in tasks):
        if not any(node.room(needs) for node in machines):
            raise TooLargeError(f"{title}: {too_large(needs, machines, unit)}")
