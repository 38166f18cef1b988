from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from models.losses import LOSSES

GENERATOR = torch.Generator().manual_seed(0)
LOGITS = torch.randn(30, 4, generator=GENERATOR, dtype=torch.float64)
CLASSES = torch.randint(0, 4, (30,), generator=GENERATOR)
BINARY = torch.randint(0, 2, (30,), generator=GENERATOR)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", [None, (0.5, 1.0, 2.0, 3.0)])
def test_cross_entropy_is_torchs(smoothing: float, weights: tuple[float, ...] | None) -> None:
    of_class = None if weights is None else torch.tensor(weights, dtype=torch.float64)
    rows = LOSSES["cross_entropy"].rows(
        LOGITS, CLASSES, label_smoothing=smoothing, class_weights=of_class
    )
    total = len(CLASSES) if of_class is None else of_class[CLASSES].sum()
    expected = functional.cross_entropy(LOGITS, CLASSES, of_class, label_smoothing=smoothing)
    torch.testing.assert_close(rows.sum() / total, expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_one_logit_is_cross_entropy_over_zero_and_that_logit(smoothing: float) -> None:
    one, weights = LOGITS[:, :1], torch.tensor([0.5, 3.0], dtype=torch.float64)
    both = torch.cat([torch.zeros_like(one), one], dim=1)
    ours = LOSSES["binary_cross_entropy"].rows(one, BINARY, label_smoothing=smoothing)
    theirs = functional.cross_entropy(both, BINARY, reduction="none", label_smoothing=smoothing)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(
        LOSSES["binary_cross_entropy"].rows(one, BINARY, class_weights=weights),
        functional.cross_entropy(both, BINARY, weights, reduction="none"),
    )
    torch.testing.assert_close(
        LOSSES["binary_cross_entropy"].probabilities(one), both.softmax(dim=1)
    )


@pytest.mark.parametrize(("name", "n_outputs"), [("cross_entropy", 4), ("binary_cross_entropy", 1)])
def test_an_ensemble_in_one_averages_losses_and_probabilities(name: str, n_outputs: int) -> None:
    loss = LOSSES[name]
    logits = torch.randn(30, 5, n_outputs, generator=GENERATOR)
    target = BINARY
    losses = torch.stack([loss.rows(logits[:, i], target) for i in range(5)])
    torch.testing.assert_close(loss.rows(logits, target), losses.mean(dim=0))
    columns = torch.stack([loss.probabilities(logits[:, i]) for i in range(5)])
    torch.testing.assert_close(loss.probabilities(logits), columns.mean(dim=0))


def test_the_number_of_logits_follows_the_classes() -> None:
    assert LOSSES["binary_cross_entropy"].n_outputs(2) == 1
    assert LOSSES["cross_entropy"].n_outputs(9) == 9
