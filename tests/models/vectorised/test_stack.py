from __future__ import annotations

import pytest
import torch
from torch import nn

from models.vectorised.stack import Forward, LayersForward, SequentialForward, Stack, VmapForward


def stack_of(n_replicas: int) -> tuple[nn.Module, Stack]:
    template = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    return Named(template), Stack.of([Named(template)] * n_replicas, n_moments=2)


class Named(nn.Module):
    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, x_num: torch.Tensor) -> torch.Tensor:
        return self.layers(x_num)


def backward_of(forward: Forward, n_replicas: int) -> torch.Tensor:
    x = torch.ones(n_replicas, 6, 3) * torch.arange(6.0).view(1, 6, 1)
    return forward({"x_num": x}, training=True).square().sum()


@pytest.mark.parametrize("kind", [SequentialForward, VmapForward])
def test_other_replicas_may_change_between_forward_and_backward(kind: type[Forward]) -> None:
    """As they do when chunks are trained on several threads."""
    template, stack = stack_of(2)
    first, second = kind(template, stack, 0, 1), kind(template, stack, 1, 2)
    loss = backward_of(first, 1)
    backward_of(second, 1)  # moves the running statistics of the second replica
    with torch.no_grad():
        for leaf in second.leaves:
            leaf.weight.add_(1.0)
    loss.backward()
    assert all(leaf.weight.grad is not None for leaf in first.leaves)


def test_what_a_pass_learns_is_written_into_its_part_of_the_stack() -> None:
    template, stack = stack_of(3)
    before = {name: tensor.clone() for name, tensor in stack.tensors().items()}
    forward = VmapForward(template, stack, 1, 3)
    backward_of(forward, 2)
    with torch.no_grad():
        for leaf in forward.leaves:
            leaf.weight.add_(1.0)
    for name, tensor in stack.tensors().items():
        assert torch.equal(tensor[0], before[name][0])
        assert not torch.equal(tensor[1], before[name][1])
        assert not torch.equal(tensor[2], before[name][2])


def test_kept_replicas_keep_everything() -> None:
    _, stack = stack_of(3)
    stack.steps = [5, 6, 7]
    for number, moments in enumerate(stack.moments.values()):
        moments[0][2] = number + 1.0
    kept = stack.keep([2, 0])
    assert kept.steps == [7, 5]
    for number, moments in enumerate(kept.moments.values()):
        assert torch.all(moments[0][0] == number + 1.0)
        assert torch.all(moments[0][1] == 0.0)
    assert stack.snapshot().moments == dict.fromkeys(stack.weights, ())


def test_frozen_weights_are_not_optimised() -> None:
    template, stack = stack_of(2)
    template.layers[0].weight.requires_grad = False
    assert len(SequentialForward(template, stack, 0, 1).leaves) == 5
    assert len(VmapForward(template, stack, 0, 2).leaves) == 5


def test_stacked_layers_learn_in_bf16_as_single_replicas_do() -> None:
    torch.manual_seed(0)
    layers = nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU()
    template = Named(nn.Sequential(*layers, nn.Linear(8, 2)))
    x = torch.randn(2, 64, 3)
    grads = []
    for kind, width in ((LayersForward, 2), (SequentialForward, 1)):
        stack = Stack.of([template, template], n_moments=0)
        forwards = [kind(template, stack, low, low + width) for low in range(0, 2, width)]
        with torch.autocast("cpu", torch.bfloat16):
            logits = [
                forward({"x_num": own}, training=True)
                for forward, own in zip(forwards, x.split(width), strict=True)
            ]
        torch.cat(logits).float().square().sum().backward()
        leaves = zip(*(f.leaves for f in forwards), strict=True)
        grads.append([torch.stack([leaf.weight.grad for leaf in own]).flatten() for own in leaves])
    for stacked, single in zip(*grads, strict=True):
        torch.testing.assert_close(
            stacked, single, rtol=0.05, atol=0.05 * float(single.abs().max())
        )


class LastState(nn.Module):
    def __init__(self, cell: type[nn.RNNBase]) -> None:
        super().__init__()
        self.cell = cell(3, 4, batch_first=True)

    def forward(self, x_num: torch.Tensor) -> torch.Tensor:
        return self.cell(x_num)[0][:, -1]


def move_weights(cell: nn.RNNBase) -> None:
    """What cuDNN does on a card: the weights move to one block of memory."""
    for weight in cell.parameters():
        weight.data = weight.data.clone()


@pytest.mark.parametrize("cell", [nn.GRU, nn.LSTM, nn.RNN])
def test_a_recurrent_layer_keeps_its_weights_in_the_stack(
    cell: type[nn.RNNBase], monkeypatch: pytest.MonkeyPatch
) -> None:
    template = LastState(cell)
    stack = Stack.of([template], n_moments=0)
    monkeypatch.setattr(nn.RNNBase, "flatten_parameters", move_weights)
    forward = SequentialForward(template, stack, 0, 1)
    forward({"x_num": torch.ones(1, 6, 5, 3)}, training=True).sum().backward()
    before = {name: weight.clone() for name, weight in stack.weights.items()}
    with torch.no_grad():
        for leaf in forward.leaves:
            leaf.weight.sub_(leaf.weight.grad)
    for name, weight in stack.weights.items():
        assert not torch.equal(weight, before[name])
