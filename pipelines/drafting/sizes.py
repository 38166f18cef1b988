"""How large the members of a drafted competition are, so that a run takes about 200 seconds.

All sizes follow from the numbers of rows, columns and outputs, never from the machine. The seconds
were measured on two cores without a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import log2

FEW_ROWS = 2_000
SOME_ROWS, SOME_OUTPUTS = 10_000, 30_000  # of a table whose ten folds still fit into the time
FEWEST_FOR_NETWORKS = 400
FEWEST_FOR_TABM = 1_000


@dataclass(frozen=True)
class Work:
    """What the members have to learn.

    Attributes:
        n_rows: Training rows.
        n_inputs: Columns that the networks see, one-hot ones included.
        n_columns: Columns that the trees see.
        n_outputs: Numbers of a prediction: classes, targets, or 1.
        n_folds: Models of each member and seed.
        n_binned: Columns of numbers.
    """

    n_rows: int
    n_inputs: int
    n_columns: int
    n_outputs: int
    n_folds: int
    n_binned: int


@dataclass(frozen=True)
class TreesSize:
    """Settings of one member of boosted trees."""

    name: str
    n_estimators: int
    learning_rate: float
    num_leaves: int
    min_child_samples: int
    colsample_bytree: float
    reg_lambda: float
    n_seeds: int


@dataclass(frozen=True)
class NetworkSize:
    """Settings of the network."""

    hidden: tuple[int, ...]
    k: int
    n_bins: int
    dropout: float
    epochs: int
    batch_size: int
    lr: float
    n_seeds: int


# By the most rows it serves: leaves, rows per leaf, and leaves of the smaller variant.
LEAVES = (
    (1_000, 6, 8, 4),
    (3_000, 10, 10, 5),
    (10_000, 16, 15, 6),
    (40_000, 24, 20, 8),
    (10**9, 48, 30, 12),
)
# By the most rows it serves: width of the layers, epochs, rows per step.
NETWORKS = (
    (1_000, (64, 64), 60, 64),
    (3_000, (128, 128), 50, 64),
    (10_000, (128, 128), 30, 128),
    (30_000, (192, 192), 14, 256),
    (10**9, (192, 192), 10, 512),
)
# By what a network is made smaller where the time allows too few epochs: k, bins, width.
SMALLER = ((4, 8, 192), (4, 4, 128), (2, 4, 128), (2, 4, 64))
FEWEST_EPOCHS = 6
BUDGETS_S = {
    "trees": 55.0,
    "small-trees": 25.0,
    "large-trees": 20.0,
    "extra-trees": 30.0,
    "network": 80.0,
}
LARGE_TREES = "large-trees"
LARGE = 63  # leaves of the variant that fits what is hardly noisy
MOST_UNPENALISED = 5  # outputs
LARGE_OF_LEVELS = 31  # where all columns hold levels, of which the target is often a plain rule
EXTRA_TREES, FEWEST_EXTRA_TREES = 300, 60
EXTRA_S = 1.0e-8  # of a random tree, for each row, its logarithm, and column that is tried
EXTRA_SHARE = 0.5  # of the columns that a split tries
MOST_EXTRA = 250_000  # rows times outputs that a forest keeps in memory
MOST_TREES, FEWEST_TREES = 800, 80
RATE, RATE_TREES = 0.04, 600  # so many trees of this rate; fewer learn faster
TREE_S = 4e-4  # of a tree, whatever its size
CELL_S = 1.0e-9  # of a tree, for each row, column and doubling of its leaves
WEIGHT_S = 1.2e-10  # of an epoch, for each row, weight and copy of it
ROW_S = 1.5e-6  # of an epoch, for each row


def n_folds(n_rows: int, n_outputs: int = 1) -> int:
    """Ten where the time allows it, so that each model sees nearly all rows.

    Args:
        n_rows: Training rows.
        n_outputs: Numbers of a prediction; boosters have trees for each.
    """
    is_quick = n_rows <= SOME_ROWS and n_rows * n_outputs <= SOME_OUTPUTS
    return 10 if n_rows < FEW_ROWS or is_quick else 5


def trees_sizes(work: Work) -> list[TreesSize]:
    """Boosted trees, a variant whose trees are smaller, and one whose trees are larger."""
    leaves, at_least, few = next(row[1:] for row in LEAVES if work.n_rows <= row[0])
    n_seeds = 2 if work.n_rows * work.n_outputs <= 100_000 else 1
    share = 0.4 if work.n_columns > 30 else 0.6
    large = _trees(work, "trees", leaves, n_seeds)
    small = _trees(work, "small-trees", few, 1)
    return [
        TreesSize("trees", *large, leaves, at_least, share, 3.0, n_seeds),
        TreesSize("small-trees", *small, few, at_least, share, 5.0, 1),
        _large_trees(work),
    ]


def _large_trees(work: Work) -> TreesSize:
    """Few and large trees; where all columns hold levels they see all of them, hardly penalised.

    With many classes some are rare, and trees without a penalty diverge on them.
    """
    n_trees, rate = _trees(work, LARGE_TREES, LARGE, 1)
    n_trees, rate = max(10, n_trees // 2), min(0.12, 2 * rate)
    if work.n_binned or work.n_outputs > MOST_UNPENALISED:
        return TreesSize(LARGE_TREES, n_trees, rate, LARGE, 5, 0.8, 1.0, 1)
    return TreesSize(LARGE_TREES, n_trees, rate, LARGE_OF_LEVELS, 20, 1.0, 0.1, 1)


def n_extra_trees(work: Work) -> int:
    """Trees of a random forest for each fold; 0 where it would take too long or too much memory."""
    if work.n_rows * work.n_outputs > MOST_EXTRA:
        return 0
    tree_s = EXTRA_S * work.n_rows * log2(work.n_rows) * work.n_inputs * EXTRA_SHARE
    n_trees = int(min(EXTRA_TREES, BUDGETS_S["extra-trees"] / (tree_s * work.n_folds)))
    return n_trees // 10 * 10 if n_trees >= FEWEST_EXTRA_TREES else 0


def _trees(work: Work, member: str, leaves: int, n_seeds: int) -> tuple[int, float]:
    """The number of trees that the time allows, and their learning rate."""
    doublings = max(1, leaves.bit_length() - 1)
    tree_s = TREE_S + CELL_S * work.n_rows * work.n_columns * doublings
    possible = BUDGETS_S[member] / (tree_s * work.n_outputs * work.n_folds * n_seeds)
    most = MOST_TREES if work.n_outputs == 1 else MOST_TREES // 2
    n_trees = int(min(most, max(FEWEST_TREES, possible)))
    n_trees = max(10, n_trees // 10 * 10)
    rate = min(0.12, RATE * max(1.0, RATE_TREES / n_trees))
    return n_trees, round(rate, 3)


def network_size(work: Work) -> NetworkSize:
    """TabM, or an MLP where its `k` is 1."""
    hidden: tuple[int, ...]
    hidden, epochs, batch = next(row[1:] for row in NETWORKS if work.n_rows <= row[0])
    k = 8 if work.n_rows >= FEWEST_FOR_TABM else 1
    n_bins = 8 if work.n_binned <= 30 else 4
    n_seeds = 1 if k > 1 else 3
    possible = _epochs(work, hidden, k, n_bins, n_seeds)
    for fewer, bins, width in SMALLER:
        if k >= fewer and possible < min(epochs, FEWEST_EPOCHS):
            k, n_bins, hidden = fewer, min(n_bins, bins), tuple(min(w, width) for w in hidden)
            possible = _epochs(work, hidden, k, n_bins, n_seeds)
    epochs = min(epochs, max(4, possible))
    return NetworkSize(hidden, k, n_bins, 0.15, epochs, batch, 3e-3, n_seeds)


def _epochs(work: Work, hidden: tuple[int, ...], k: int, n_bins: int, n_seeds: int) -> int:
    """How often the network may see all rows in its time."""
    widths = (work.n_inputs + n_bins * work.n_binned, *hidden, work.n_outputs)
    weights = sum(a * b for a, b in pairwise(widths))
    epoch_s = work.n_rows * work.n_folds * n_seeds * (ROW_S + WEIGHT_S * k * weights)
    return int(BUDGETS_S["network"] / epoch_s)
