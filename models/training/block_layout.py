"""How a network's replicas are split into blocks: by the work alone.

A replica in a block of another width ends with other last digits. The same settings and data
therefore give the same blocks on one machine and on many, whatever runs them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.executor import Needs
from models.training.hardware import split_evenly
from models.training.plan import TrainingPlan
from models.training.stack_size import ACTIVATION_BYTES, products_per_row, step_bytes

# A core does about 1e10 multiplications per second (benchmarks/NOTES.md). Less than a minute of it
# is not worth a task of its own, and narrower stacks than these cost more than one wide one.
PRODUCTS_PER_S = 1e10
MOST_PRODUCTS = 60 * PRODUCTS_PER_S
LEAST_WIDTH = 5
PASSES = 3  # one forward, and twice as much backward
WEIGHTS_HELD = 5  # now, the best ones, gradients and two moments
LIBRARIES_BYTES = 500_000_000  # what torch and the interpreter take


@dataclass(frozen=True)
class Blocks:
    """The blocks of a training.

    Attributes:
        places: Of each block, the places of its replicas in the order of `TrainingPlan.specs`.
        block_size: Most replicas in a block; None where blocks do not matter for predictions.
        products: Multiplications of one replica's training.
        replica_bytes: What one replica takes in memory.
        table_bytes: What the rows take in memory.
        cards: CUDA cards that a block takes.
    """

    places: Sequence[range]
    block_size: int | None
    products: float
    replica_bytes: int
    table_bytes: int
    cards: int

    @classmethod
    def of(cls, plan: TrainingPlan, *, slots: int = 1) -> Blocks:
        """The blocks of that training.

        Args:
            plan: The training.
            slots: Blocks that may run at once. It only splits replicas that run one after the
                other anyway, which end with the same bytes in any split.
        """
        context, specs = plan.context, plan.specs
        one = plan.stack(specs[:1])
        in_step = step_bytes(context, one, specs)
        n_rows = specs[-1].n_rows * plan.settings.epochs
        products = float(PASSES * products_per_row(context, one, specs) * n_rows)
        width: int | None = None
        if context.strategy == "sequential":
            places = _one_by_one(plan) if slots > 1 else [range(len(specs))]
        else:
            width = _width(plan, products, in_step)
            places = split_evenly(len(specs), n_workers=1, most=width)
        return cls(
            places,
            width if len(places) > 1 else None,
            products,
            WEIGHTS_HELD * sum(tensor.nbytes for tensor in one.tensors().values()) + 2 * in_step,
            sum(table.nbytes for table in context.tables.tables.values()),
            int(context.device.type == "cuda"),
        )

    def seconds(self, number: int) -> float:
        """How long a block keeps a core busy, about."""
        return self.products * len(self.places[number]) / PRODUCTS_PER_S

    def needs(self, number: int) -> Needs:
        """What a block takes."""
        replicas = len(self.places[number]) * self.replica_bytes
        n_bytes = LIBRARIES_BYTES + self.table_bytes + replicas
        return Needs(n_bytes=n_bytes, cards=self.cards)


def _one_by_one(plan: TrainingPlan) -> list[range]:
    """Blocks of one replica, fold-major, as a single block predicts."""
    order = sorted(range(len(plan.specs)), key=lambda place: plan.specs[place].replica)
    return [range(place, place + 1) for place in order]


def _width(plan: TrainingPlan, products: float, in_step: int) -> int:
    """Most stacked replicas in a block."""
    most = len(plan.specs)
    if plan.settings.max_stack is not None:
        return min(most, plan.settings.max_stack)
    if plan.context.device.type == "cuda":
        return most  # a card is filled by one wide stack
    by_work = max(LEAST_WIDTH, int(MOST_PRODUCTS // max(products, 1.0)))
    by_memory = max(1, ACTIVATION_BYTES // max(in_step, 1))
    return min(most, by_work, by_memory)
