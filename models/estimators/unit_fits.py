"""Models that are fitted apart, one for each split and seed: each is a unit of work."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from models.checkpoints import Layout, Snapshot
from models.estimators.fold_models import Inputs, Owner, file_name
from models.executor import Call, Executor, Needs, Place, Task, in_order
from models.kept_results import KeptResults

if TYPE_CHECKING:
    from models.data import FoldData

LIBRARIES_BYTES = 400_000_000  # what the interpreter and the libraries take

VALUES_PER_S = 1e8  # that a core of a tree's training looks at, about


@dataclass(frozen=True)
class Units:
    """Models to fit.

    Attributes:
        work: Fits the model of one owner from what all share; its result is kept as it is.
        shared: What all share.
        owners: Fold and seed of each.
        needs: What one of them takes.
        cost: How long one of them takes, in seconds of a core, about.
        layout: What decides their bytes beside data and settings.
        side_by_side: How many are fitted at once in this process.
    """

    work: Callable[[Any, Owner, Call], Snapshot]
    shared: Any
    owners: Sequence[Owner]
    needs: Needs = field(default_factory=Needs)
    cost: float = 1.0
    layout: Layout = field(default_factory=dict)
    side_by_side: int = 1


def fit_units(units: Units, place: Place) -> Generator[Snapshot, None, None]:
    """The models in the order of their owners, each kept as it ends; close it where it is left.

    Args:
        units: What is fitted.
        place: Where they are fitted and kept.
    """
    names = [file_name(owner, "") for owner in units.owners]
    with KeptResults(place.checkpoints, names, units.layout) as kept:
        yield from in_order(_results(units, place.executor, names, kept))


def _results(
    units: Units, executor: Executor, names: Sequence[str], kept: KeptResults
) -> Generator[tuple[int, Snapshot], None, None]:
    """Each unit's number and model, as they end."""
    found = {number: kept.of(name) for number, name in enumerate(names)}
    yield from ((number, model) for number, model in found.items() if model is not None)
    left = [number for number, model in found.items() if model is None]
    shared = executor.share(units.shared)
    tasks = [
        Task(units.work, shared, units.owners[n], needs=units.needs, cost=units.cost) for n in left
    ]
    with closing(executor.run(tasks, side_by_side=units.side_by_side)) as models:
        for at, model in models:
            kept.keep(names[left[at]], model)
            yield left[at], model


def needs_of(
    folds: Sequence[FoldData], tests: Sequence[Mapping[str, Any]], *, threads: int = 1
) -> Needs:
    """What a model of one fold takes: its rows, a copy of them, and the libraries."""
    largest = max(
        (_n_bytes(fold.inputs) + _n_bytes(test) for fold, test in zip(folds, tests, strict=True)),
        default=0,
    )
    return Needs(threads=threads, n_bytes=LIBRARIES_BYTES + 2 * largest)


def seconds_of(folds: Sequence[FoldData], n_trees: int) -> float:
    """How long a model of so many trees takes on one fold's rows, in seconds of a core.

    Only the order of magnitude: it decides which tasks of a cluster begin first.
    """
    sizes = (sum(int(np.prod(array.shape)) for array in fold.inputs.values()) for fold in folds)
    return n_trees * max(sizes, default=0) / VALUES_PER_S


def _n_bytes(inputs: Inputs) -> int:
    """Their size, read from the shapes alone: rows may lie on the disk."""
    sizes = (int(np.prod(array.shape)) * array[:1].itemsize for array in inputs.values())
    return sum(sizes)
