"""`foldwise nodes`: the machines of a cluster, and whether they are like this one."""

from __future__ import annotations

from typing import Annotated

import typer

from pipelines.commands.options import console


def nodes(
    on: Annotated[
        str, typer.Option(metavar="ray|ray:HOST:PORT", help="the cluster, as of `foldwise run`")
    ] = "ray",
) -> None:
    """Show a cluster's machines: cores, memory, cards, and whether they are like this one."""
    from pipelines.executors.nodes_page import show

    show(on, console())
