"""The function that makes a network, checked before anything is trained: what it makes, and gives.

What a network ends in is read from the graph that autograd keeps of its output, so that
`torch.sigmoid` in a `forward` counts as much as an `nn.Sigmoid`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from models.cross_fit.goal import MULTILABEL, OF_CLASSES, Goal
from models.data import TrainingDataError
from models.losses import LOSSES

Build = Callable[[], nn.Module]
Arrays = Mapping[str, np.ndarray]
N_TRIAL_ROWS = 64
# By autograd's name of the last step, what people call it.
PROBABILITIES = {
    "Softmax": "softmax",
    "LogSoftmax": "log-softmax",
    "Sigmoid": "sigmoid",
    "LogSigmoid": "log-sigmoid",
}
LIMITED = {
    **PROBABILITIES,
    "Relu": "ReLU",
    "Softplus": "softplus",
    "Tanh": "tanh",
    "Exp": "exp",
    "Hardtanh": "ReLU6",
}
# Steps that only give numbers another shape.
RESHAPED = {
    *("Squeeze", "Unsqueeze", "View", "UnsafeView", "ReshapeAlias", "Select", "Slice", "T"),
    *("Permute", "Transpose", "Clone", "ToCopy", "Expand"),
}


def made_by(build: Any) -> tuple[Build, nn.Module]:
    """The function that makes networks, and one that it made.

    Raises:
        TrainingDataError: It is a network, makes none, or makes the same one each time.
    """
    if isinstance(build, nn.Module):
        name = type(build).__name__
        raise TrainingDataError(
            f"build is a {name}, expected what makes one, so that each replica starts from weights "
            f"of its own; pass {name}, or lambda: {name}(...)"
        )
    if not callable(build):
        raise TrainingDataError(f"build is a {type(build).__name__}, expected a class or function")
    _check_callable_alone(build)
    with torch.random.fork_rng(devices=[]):
        first, second = build(), build()
    for made in (first, second):
        _check_made(made)
    _check_fresh(first, second)
    return build, first


def _check_callable_alone(build: Any) -> None:
    """Check that it takes no arguments; what goes wrong inside it is its author's to see."""
    try:
        signature = inspect.signature(build)
    except ValueError:  # of a class in C
        return
    try:
        signature.bind()
    except TypeError as error:
        raise TrainingDataError(
            f"build() failed: {error}; pass a function without arguments, as lambda: Net(20)"
        ) from None


def _check_made(made: Any) -> None:
    if not isinstance(made, nn.Module):
        raise TrainingDataError(f"build() gives a {type(made).__name__}, expected an nn.Module")
    weights = list(made.parameters())
    if any(isinstance(weight, UninitializedParameter) for weight in weights):
        raise TrainingDataError(
            "the network has lazy layers, whose sizes are not known yet; write nn.Linear(3, 16) "
            "for nn.LazyLinear(16)"
        )
    if not any(weight.requires_grad for weight in weights):
        raise TrainingDataError(
            f"the network, a {type(made).__name__}, has no parameters to train; give it a layer "
            "with weights, as nn.Linear, whose requires_grad is True"
        )


def _check_fresh(first: nn.Module, second: nn.Module) -> None:
    """Check that two networks share no weights that are trained."""
    name = type(first).__name__
    if first is second:
        raise TrainingDataError(
            f"build gives the same {name} each time, so that all replicas would start from the "
            f"same weights; make it inside the function, as lambda: {name}(...)"
        )
    weights = {id(weight) for weight in second.parameters() if weight.requires_grad}
    if shared := [name for name, weight in first.named_parameters() if id(weight) in weights]:
        raise TrainingDataError(
            f"the networks that build makes share the weights {shared[0]!r}, so that all replicas "
            "would start from the same; make every layer inside the function"
        )


def parameters_of(network: nn.Module) -> tuple[list[str], list[str]]:
    """The parameters of its `forward` without a default, and those with one.

    Raises:
        TrainingDataError: They have no names.
    """
    parameters = inspect.signature(network.forward).parameters.values()
    if any(p.kind in (p.VAR_POSITIONAL, p.POSITIONAL_ONLY) for p in parameters):
        raise TrainingDataError(
            f"the forward of {type(network).__name__} takes arguments without a name; write "
            "forward(self, x), and pass networks as they are before torch.compile"
        )
    named = [p for p in parameters if p.kind is not p.VAR_KEYWORD]
    required = [p.name for p in named if p.default is p.empty]
    return required, [p.name for p in named if p.default is not p.empty]


def as_taken(network: nn.Module, inputs: Arrays) -> dict[str, np.ndarray]:
    """The inputs as the network takes them: whole numbers stay such for an embedding alone.

    Raises:
        TrainingDataError: The network does not take these rows.
    """
    network = network.float().eval()
    whole = [name for name, array in inputs.items() if array.dtype.kind == "i"]
    faults = []
    for as_float in product((False, True), repeat=len(whole)):
        chosen = {name for name, is_float in zip(whole, as_float, strict=True) if is_float}
        tried = {n: a.astype(np.float32) if n in chosen else a for n, a in inputs.items()}
        try:
            with torch.no_grad():
                network(**_tensors(tried, 2))
        except (RuntimeError, TypeError, IndexError, ValueError) as error:
            faults.append(error)
        else:
            return tried
    shapes = ", ".join(f"{n} {a.shape[1:]} {a.dtype}" for n, a in tried.items())
    raise TrainingDataError(
        f"the network does not take rows of shape {shapes}: {str(faults[-1]).splitlines()[0]}"
    ) from faults[-1]


def _tensors(inputs: Arrays, n_rows: int) -> dict[str, Tensor]:
    return {name: torch.tensor(array[:n_rows]) for name, array in inputs.items()}


def fitting_goal(network: nn.Module, inputs: Arrays, goal: Goal, *, is_chosen: bool) -> Goal:
    """The goal with a loss that fits the network's output; two classes may have one number or two.

    Args:
        network: As made.
        inputs: As it takes them.
        goal: What is learned.
        is_chosen: Whether a person named the loss.

    Raises:
        TrainingDataError: The network gives another number of numbers, or none that the loss takes.
    """
    output = _output(network, inputs)
    n_outputs = output.shape[-1] if output.ndim > 1 else 0
    if goal.loss.is_binary and n_outputs == 2 and not is_chosen:
        goal = replace(goal, loss=LOSSES["cross_entropy"])
    if n_outputs != goal.n_outputs:
        raise _of_another_width(output, goal)
    _check_end(output, goal.loss.name)
    return goal


def _output(network: nn.Module, inputs: Arrays) -> Tensor:
    """What the network gives for a few rows, with its graph."""
    rows = _tensors(inputs, N_TRIAL_ROWS)
    rows = {n: t.requires_grad_() if t.is_floating_point() else t for n, t in rows.items()}
    with torch.enable_grad(), torch.random.fork_rng(devices=[]):
        output = network.float().eval()(**rows)
    if not isinstance(output, Tensor):
        raise TrainingDataError(
            f"the network gives a {type(output).__name__}, expected a tensor; return one of its "
            "parts in forward, as output, _ = self.lstm(x)"
        )
    n_rows = len(next(iter(rows.values())))
    if not output.ndim or len(output) != n_rows:
        raise TrainingDataError(
            f"the network gives {tuple(output.shape)} for {n_rows} rows, expected the rows first: "
            f"({n_rows}, ...)"
        )
    return output


def _of_another_width(output: Tensor, goal: Goal) -> TrainingDataError:
    needed, loss = goal.n_outputs, goal.loss.name
    if output.ndim < 2:
        return TrainingDataError(
            f"the network gives a number for each row, expected {needed} columns of them; leave "
            "the squeeze or flatten at its end out"
        )
    what = f"{len(goal.classes)} classes" if goal.has_classes else "these values"
    return TrainingDataError(
        f"the network gives {tuple(output.shape[1:])} numbers for a row, but loss {loss!r} of "
        f"{what} needs {needed}; make its last layer {needed} wide"
    )


def _check_end(output: Tensor, loss: str) -> None:
    """Check that the network's last step is none that the loss takes by itself or cannot learn."""
    end = _end_of(output)
    if loss in OF_CLASSES or loss == MULTILABEL:
        end = end if end in PROBABILITIES else _sums_to_one(output)
        if end in PROBABILITIES:
            name = PROBABILITIES[end]
            raise TrainingDataError(
                f"the network ends in a {name}, but loss {loss!r} takes logits and makes "
                f"probabilities of them; leave the {name} out, predict_proba gives probabilities"
            )
    elif end in LIMITED:
        why = (
            "takes the logarithm of the mean, a number of either sign"
            if LOSSES.get(loss) and not LOSSES[loss].is_scaled
            else "learns values with mean 0 and deviation 1, which that cannot reach"
        )
        raise TrainingDataError(
            f"the network ends in {LIMITED[end]}, but loss {loss!r} {why}; leave it out"
        )


def _end_of(output: Tensor) -> str | None:
    """Autograd's name of the last step that is more than another shape."""
    node = output.grad_fn
    while node is not None:
        name = type(node).__name__.partition("Backward")[0]
        if name not in RESHAPED:
            return name
        node = node.next_functions[0][0]
    return None


def _sums_to_one(output: Tensor) -> str | None:
    """Softmax or its logarithm, written out by hand."""
    if output.shape[-1] < 2 or len(output) < 2:
        return None
    for name, values in (("Softmax", output), ("LogSoftmax", output.exp())):
        if (values >= 0).all() and torch.allclose(
            values.sum(dim=-1), values.new_ones(()), atol=1e-5
        ):
            return name
    return None
