"""The three forms against torch, and where each of them ends."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from pipelines.compare_losses.cost import measure_cost
from pipelines.compare_losses.forms import CROSS_ENTROPY, FORMS, LOG_SOFTMAX, NAIVE, PRECISIONS
from pipelines.compare_losses.limits import breakdown, sweep
from pipelines.compare_losses.weighting import agreements, traps

N_ROWS, N_CLASSES = 50, 7
precisions = pytest.mark.parametrize("precision", PRECISIONS)
reductions = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])


@pytest.fixture(scope="module")
def rows():
    """Logits of ordinary size, with their classes and unequal class weights."""
    generator = torch.Generator().manual_seed(3)
    logits = 3 * torch.randn(N_ROWS, N_CLASSES, generator=generator, dtype=torch.float64)
    target = torch.randint(N_CLASSES, (N_ROWS,), generator=generator)
    weights = torch.linspace(0.5, 3, N_CLASSES, dtype=torch.float64)
    return logits, target, weights


@precisions
@reductions
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_every_form_is_torch_s_cross_entropy(rows, form, precision, reduction, smoothing, weighted):
    dtype = PRECISIONS[precision]
    logits, target, weights = rows[0].clone().to(dtype).requires_grad_(), rows[1], rows[2].to(dtype)
    settings = {"label_smoothing": smoothing, "reduction": reduction}
    class_weights = weights if weighted else None
    expected = functional.cross_entropy(logits, target, weight=class_weights, **settings)
    found = form(logits, target, class_weights=class_weights, **settings)
    tolerance = 16 * torch.finfo(dtype).eps
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)
    gradients = [torch.autograd.grad(loss.sum(), logits)[0] for loss in (found, expected)]
    torch.testing.assert_close(*gradients, rtol=tolerance, atol=tolerance)
    if form is not NAIVE and not smoothing:
        assert torch.equal(found, expected)


@precisions
def test_only_the_naive_form_breaks_at_large_logits(precision):
    dtype = PRECISIONS[precision]
    logits = torch.tensor([[0.0, 2000.0, -2000.0]], dtype=dtype).requires_grad_()
    target = torch.tensor([0])
    for form in (CROSS_ENTROPY, LOG_SOFTMAX):
        loss = form(logits, target)
        assert float(loss.detach()) == pytest.approx(2000)
        (gradient,) = torch.autograd.grad(loss, logits)
        assert gradient.tolist() == [[-1, 1, 0]]
    loss = NAIVE(logits, target)
    assert loss.isinf()
    (gradient,) = torch.autograd.grad(loss, logits)
    assert gradient.isnan().any()


def test_the_naive_form_breaks_where_the_precision_ends():
    limit = breakdown(NAIVE, torch.float32, n_classes=5)
    info = torch.finfo(torch.float32)
    # exp(-gap) rounds to 0 beneath half of the smallest number; 1 / exp(-gap) overflows earlier.
    assert limit.loss == pytest.approx(-math.log(info.smallest_normal * info.eps / 2), abs=0.01)
    assert limit.gradient == pytest.approx(math.log(info.max), abs=0.01)
    assert limit.smoothed == limit.loss
    for form in (CROSS_ENTROPY, LOG_SOFTMAX):
        never = breakdown(form, torch.float32, n_classes=5)
        assert (never.loss, never.gradient, never.smoothed) == (math.inf,) * 3


@precisions
def test_the_sweep_finds_two_forms_right_at_every_size(precision):
    eps = torch.finfo(PRECISIONS[precision]).eps
    found = sweep(PRECISIONS[precision], [1, 30, 80, 800, 9000], n_classes=4)
    assert found.loss_error[:2].max() < 2 * eps
    assert found.gradient_error[:2].max() < 4 * eps
    assert found.loss_error[2, :3].max() < 8 * eps
    assert np.isinf(found.loss_error[2, 3:]).all()
    assert np.isnan(found.gradient_error[2, 3:]).all()


@precisions
def test_the_naive_form_holds_twice_the_memory(precision):
    found = measure_cost(PRECISIONS[precision], n_rows=1000, n_classes=8, n_repeats=2)
    table = 1000 * 8 * PRECISIONS[precision].itemsize
    one, two, naive = found.held_bytes
    assert one == two
    assert one == pytest.approx(table, rel=0.01)
    assert naive == pytest.approx(2 * table, rel=0.01)
    assert found.forward_s.shape == found.backward_s.shape == (3, 2)


def test_the_table_of_settings_agrees_and_the_traps_do_not(rows):
    table = agreements(*rows)
    assert [len(line.naive_gap) for line in table] == [3] * 4
    for line in table:
        assert line.log_softmax_gap["float64"] < 1e-14
        assert line.naive_gap["float32"] < 1e-4
    assert len({line.value for line in table}) == 4
    found = traps(*rows)
    by_setting = {line.setting: line.value for line in table}
    for trap in found:
        assert trap.torch_value == by_setting[trap.setting]
        assert abs(trap.value - trap.torch_value) > 1e-3
