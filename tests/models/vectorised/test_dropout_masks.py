from __future__ import annotations

import pytest
import torch
from torch import nn

from models.vectorised.dropout import with_replica_dropout
from models.vectorised.dropout_masks import MasksAhead, keep_masks

CPU = torch.device("cpu")
CALLS = [((5, 3), 0.5), ((5, 7), 0.2), ((5, 1), 0.9)]


def stream():
    return torch.Generator().manual_seed(3)


def step_by_step(calls, generator):
    return [
        keep_masks(shape, p, [generator], dtype=torch.float32, device=CPU)[0] for shape, p in calls
    ]


def test_masks_drawn_ahead_are_those_drawn_step_by_step():
    one, other = stream(), stream()
    ahead = MasksAhead(CALLS, one, 4, dtype=torch.float32)
    for _ in range(4):
        ahead.next_step()
        for call, mask in zip(CALLS, step_by_step(CALLS, other), strict=True):
            torch.testing.assert_close(ahead.take(*call), mask, rtol=0, atol=0)
    assert ahead.n_left == 0
    assert torch.equal(one.get_state(), other.get_state())


def test_what_was_not_taken_goes_back_into_the_stream():
    one, other = stream(), stream()
    ahead = MasksAhead(CALLS, one, 4, dtype=torch.float32)
    ahead.next_step()
    ahead.next_step()
    ahead.take(*CALLS[0])
    assert ahead.take((9, 9), 0.5) is None
    ahead.go_back()
    step_by_step([*CALLS, CALLS[0]], other)
    assert torch.equal(one.get_state(), other.get_state())


class Fickle(nn.Module):
    """Asks for other masks in every third step."""

    def __init__(self):
        super().__init__()
        self.dropout, self.n_steps = nn.Dropout(0.5), 0

    def forward(self, x):
        self.n_steps += 1
        return self.dropout(x[:, :2] if self.n_steps % 3 == 0 else x)


@pytest.mark.parametrize("n_alike", [1, 6])
def test_a_network_whose_calls_change_gets_the_masks_of_its_stream(n_alike):
    network, generator = Fickle().train(), stream()
    source, generators = with_replica_dropout(network), [generator]
    given = []
    for left in range(n_alike + 5, 5, -1):
        source.draw_from(generators, None, n_alike=left if n_alike > 1 else 1)
        given.append(network(torch.ones(4, 6)))
    shapes = [(4, 2) if step % 3 == 0 else (4, 6) for step in range(1, len(given) + 1)]
    expected = step_by_step([(shape, 0.5) for shape in shapes], stream())
    for one, other in zip(given, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_steps_with_the_same_calls_share_a_draw():
    network = nn.Sequential(nn.Dropout(0.5)).train()
    source, generator = with_replica_dropout(network), stream()
    generators = [generator]
    states = []
    for left in range(5, 0, -1):
        source.draw_from(generators, None, n_alike=left)
        network(torch.ones(4, 6))
        states.append(generator.get_state())
    assert not torch.equal(states[0], states[1])
    assert all(torch.equal(states[1], later) for later in states[2:])
