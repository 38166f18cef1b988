"""What a builder may make, and what a network may end in."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import foldwise
from models.data import TrainingDataError
from tests.line_fit import LABELS, QUICK, VALUES, X, line


def test_a_layer_alone_is_a_network():
    made = foldwise.fit(lambda: nn.Linear(3, 1), X, LABELS, seeds=2, metric="accuracy", **QUICK)
    assert made.score > 0.9
    assert list(made.replicas[0].state_dict) == ["weight", "bias"]
    in_a_module = foldwise.fit(line(), X, LABELS, seeds=2, metric="accuracy", **QUICK)
    np.testing.assert_allclose(made.oof, in_a_module.oof, atol=1e-5)


class Ends(nn.Module):
    """A linear layer and a last step."""

    def __init__(self, n_outputs, last):
        super().__init__()
        self.head, self.last = nn.Linear(3, n_outputs), last

    def forward(self, x):
        return self.last(self.head(x))


def by_hand(x):
    return x.exp() / x.exp().sum(dim=-1, keepdim=True)


@pytest.mark.parametrize(
    ("n_outputs", "last", "options", "message"),
    [
        (2, nn.Softmax(dim=-1), {}, "ends in a softmax, but loss 'cross_entropy'.*leave .* out"),
        (2, nn.LogSoftmax(dim=-1), {}, "ends in a log-softmax"),
        (2, by_hand, {}, "ends in a softmax"),
        (2, lambda x: by_hand(x).log(), {}, "ends in a log-softmax"),
        (1, nn.Sigmoid(), {}, "ends in a sigmoid, but loss 'binary_cross_entropy'"),
        (1, lambda x: torch.sigmoid(x).view(-1, 1), {}, "ends in a sigmoid"),
        (1, nn.LogSigmoid(), {}, "ends in a log-sigmoid"),
        (1, nn.ReLU(), {"y": VALUES}, "ends in ReLU, but loss 'mse' learns values with mean 0"),
        (1, nn.Softplus(), {"y": VALUES, "loss": "poisson"}, "softplus, .*takes the logarithm"),
        (1, lambda x: x.squeeze(-1), {}, "leave the squeeze or flatten at its end out"),
        (1, lambda x: (x, x), {}, "gives a tuple, expected a tensor"),
        (1, lambda x: x.mean(), {}, r"gives \(\) for 64 rows, expected the rows first"),
    ],
)
def test_what_the_network_ends_in_is_left_to_the_loss(n_outputs, last, options, message):
    with pytest.raises(TrainingDataError, match=message) as caught:
        foldwise.fit(lambda: Ends(n_outputs, last), X, options.pop("y", LABELS), **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("last", [nn.ReLU(), lambda x: 0.5 + x / 1e4])
def test_a_network_whose_logits_look_like_probabilities_is_trained(last):
    foldwise.fit(lambda: Ends(1, last), X, LABELS, folds=2, **QUICK | {"epochs": 1})


ONE = nn.Linear(3, 1)


class Nameless(nn.Module):
    """Takes what torch's compiled networks take."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(3, 1)

    def forward(self, *args, **kwargs):
        return self.head(*args, **kwargs)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ONE, "build gives the same Linear each time.*make it inside the function"),
        (lambda: nn.Sequential(ONE), "share the weights '0.weight'"),
        (lambda: nn.LazyLinear(1), r"lazy layers.*write nn.Linear\(3, 16\)"),
        (nn.Identity, "has no parameters to train"),
        (Nameless, "forward of Nameless takes arguments without a name"),
    ],
)
def test_a_builder_makes_a_network_of_its_own_each_time(build, message):
    with pytest.raises(TrainingDataError, match=message):
        foldwise.fit(build, X, LABELS)


def test_frozen_weights_may_be_shared():
    frozen = nn.Linear(3, 3).requires_grad_(False)
    nn.init.eye_(frozen.weight)  # a random one may lose what tells the labels apart
    build = lambda: nn.Sequential(frozen, nn.Linear(3, 1))  # noqa: E731
    assert foldwise.fit(build, X, LABELS, metric="accuracy", **QUICK).score > 0.8


def test_what_is_wrong_in_a_builder_is_its_authors_to_see():
    def build():
        return nn.Linear(3, int("one"))

    with pytest.raises(ValueError, match="invalid literal") as caught:
        foldwise.fit(build, X, LABELS)
    assert not isinstance(caught.value, TrainingDataError)
