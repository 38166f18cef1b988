"""What the page at the end of a blend shows of its members and methods."""

from __future__ import annotations

from rich.table import Table

from pipelines.console import plain_table
from pipelines.workspace.summary import MemberLine, Summary

MOST_SHOWN = 20  # members
NOTHING = "-"


def how_scored(summary: Summary) -> str:
    """How the score came about."""
    return (
        f"nested over {summary.folds}: each fold by the method that the others chose, fitted to "
        "the others"
    )


def members(summary: Summary) -> Table:
    """The members with the largest weights, or where no method has weights with the best scores."""
    further = [line.metric for line in summary.also]
    table = plain_table(["member"], [summary.metric, "± folds", "weight", "adds", *further])
    table.columns[0].min_width = 9
    shown = _shown(summary)
    has_weights = any(line.weight for line in summary.members)
    for line in shown:
        weight = f"{line.weight:.3f}" if has_weights else NOTHING
        adds = NOTHING if line.adds is None else f"{line.adds:+.5f}"
        numbers = (f"{line.score:.4f}", f"{line.std:.4f}", weight, adds)
        table.add_row(line.name, *numbers, *(f"{score:.4f}" for score in line.also))
    if n_more := len(summary.members) - len(shown):
        table.add_row(f"and {n_more} more", *[""] * (len(table.columns) - 1))
    return table


def _shown(summary: Summary) -> list[MemberLine]:
    sign = 1 if summary.greater_is_better else -1
    order = sorted(summary.members, key=lambda line: (-abs(line.weight), -sign * line.score))
    return order[:MOST_SHOWN]


def methods(summary: Summary) -> Table:
    """Every method's nested score, and by how much the best one is better.

    The error is the standard error of that difference. The first is the simplest; the chosen one
    is the first that is within one error of the best.
    """
    table = plain_table(["method"], [summary.metric, "± folds", "worse by", "± error", ""])
    sign = 1 if summary.greater_is_better else -1
    best = max(sign * way.score for way in summary.ways)
    for way in summary.ways:
        behind = best - sign * way.score
        error = "" if way.error is None else f"{way.error:.5f}"
        mark = "chosen" if way.name == summary.way else ""
        table.add_row(way.name, f"{way.score:.5f}", f"{way.std:.4f}", f"{behind:.5f}", error, mark)
    return table
