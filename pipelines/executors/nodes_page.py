"""The page of `foldwise nodes`: the machines of a cluster, and whether they are like this one."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from pipelines.console import plain_table, print_table
from pipelines.executors.address import ClusterAddress
from pipelines.executors.machines import Facts, differences, facts
from pipelines.executors.nodes import CPU, GPU, MEMORY, Node
from pipelines.executors.opening import prepare


def show(on: str, console: Console) -> None:
    """Print the cluster's machines.

    Args:
        on: As typed, `ray` or `ray:HOST:PORT`.
        console: Where.

    Raises:
        ClusterError: There is no such cluster, or it does not let us in.
    """
    address = ClusterAddress.of(on)
    prepare(address)
    from pipelines.executors.ray import joined, probed

    with joined(address):
        found = probed()
    _print(found, facts(), console)


def _print(found: Sequence[tuple[Node, Facts]], here: Facts, console: Console) -> None:
    table = plain_table(["node"], ["cores", "memory", "cards"])
    for heading in ("processor", "libraries"):
        table.add_column(heading)
    for node, there in found:
        has = node.resources
        table.add_row(
            node.name,
            f"{has.get(CPU, 0):g}",
            f"{has.get(MEMORY, 0) / 1e9:.1f} GB",
            f"{has.get(GPU, 0):g}",
            "like this one" if there.processor == here.processor else there.processor,
            "; ".join(differences(there, here)) or "the same",
        )
    print_table(console, table)
