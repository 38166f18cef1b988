"""Made-up products in exactly the form of Otto's files: 93 counts, nine overlapping classes.

A product's counts come from a mixture of topics. Each class has topics of its own and some that it
shares with its neighbour, so that no model tells all classes apart, as with the real products.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

GENERATOR_VERSION = "1"  # counts up when the same numpy would write other bytes
SEED = 2015
N_TRAIN, N_HELD_BACK = 3_000, 1_000
N_FEATURES = 93
SHARES = (0.03, 0.26, 0.13, 0.04, 0.05, 0.23, 0.05, 0.13, 0.08)  # of the nine classes
OWN_TOPICS = 2  # per class; one more is shared with the next class
OWN_SHARE = 0.25  # of a product's counts that its class's own topics explain, on average
TYPICAL_SUM, SPREAD_OF_SUM = 45.0, 0.6  # of a product's counts; the spread is of its logarithm
ORIGIN = "4,000 made-up products"
CLASSES = tuple(f"Class_{number}" for number in range(1, 10))
FEATURES = tuple(f"feat_{number}" for number in range(1, N_FEATURES + 1))


def write(folder: Path) -> None:
    """Write `train.csv`, `test.csv`, `sampleSubmission.csv` and `holdout.csv`.

    Products are numbered from 1, the training file first. `holdout.csv` has the class of the
    products in `test.csv`; `sampleSubmission.csv` puts all of them into the first class.

    Raises:
        OSError: The folder cannot be written.
    """
    products = make()
    train, held_back = products.iloc[:N_TRAIN], products.iloc[N_TRAIN:]
    guesses = held_back[["id"]].assign(**{name: int(name == CLASSES[0]) for name in CLASSES})
    _write_table(folder / "train.csv", train)
    _write_table(folder / "test.csv", held_back.drop(columns="target"))
    _write_table(folder / "sampleSubmission.csv", guesses)
    _write_table(folder / "holdout.csv", held_back[["id", "target"]])


def fingerprint() -> str:
    """A text that changes when `write` would write other bytes."""
    return f"generator {GENERATOR_VERSION}, numpy {np.__version__}"


def make() -> pd.DataFrame:
    """All products: id, 93 counts, target."""
    rng = np.random.default_rng(SEED)
    n_rows = N_TRAIN + N_HELD_BACK
    classes = rng.choice(len(CLASSES), n_rows, p=SHARES)
    counts = rng.poisson(_rates(classes, rng))
    table = pd.DataFrame(counts, columns=list(FEATURES))
    table.insert(0, "id", np.arange(1, n_rows + 1))
    return table.assign(target=np.array(CLASSES)[classes])


def _rates(classes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The expected counts of products of these classes: `(n_rows,)` -> `(n_rows, 93)`."""
    n_classes, n_rows = len(CLASSES), len(classes)
    own = rng.dirichlet(np.full(N_FEATURES, 0.1), (n_classes, OWN_TOPICS))
    shared = rng.dirichlet(np.full(N_FEATURES, 0.1), n_classes + 1)
    everywhere = rng.dirichlet(np.full(N_FEATURES, 0.3))
    neighbour = classes + rng.integers(0, 2, n_rows)  # the topic shared with one side or the other
    share = rng.beta(2, 2 / OWN_SHARE - 2, n_rows)[:, None]
    other = rng.beta(2, 2, n_rows)[:, None]
    chosen = own[classes, rng.integers(0, OWN_TOPICS, n_rows)]
    mixture = share * chosen + (1 - share) * (other * shared[neighbour] + (1 - other) * everywhere)
    total = TYPICAL_SUM * np.exp(rng.normal(0, SPREAD_OF_SUM, n_rows))
    bursts = rng.gamma(1.0, 1.0, mixture.shape)  # counts are more uneven than Poisson's
    rates: np.ndarray = total[:, None] * mixture * bursts
    return rates


def _write_table(path: Path, table: pd.DataFrame) -> None:
    table.to_csv(path, index=False, lineterminator="\n")
