"""A model with one weight: y = w x. Try every w and look where the loss is smallest."""

import numpy as np
from drawing import draw

x = np.array([1.0, 2.0, 3.0])
y = np.array([2.0, 4.0, 6.0])

weights = np.arange(0, 41) / 10
# (41, 1) * (3,) -> (41, 3): each row holds the predictions of one weight
predictions = weights[:, None] * x
losses = ((predictions - y) ** 2).mean(axis=1)
best = weights[losses.argmin()]


def curve(axes):
    axes.plot(weights, losses)
    axes.plot(best, losses.min(), "o")
    axes.set(xlabel="w", ylabel="mean squared error")


print(f"smallest loss {losses.min():.2f} at w = {best:.1f}")
draw(__file__, f"The loss is smallest at w = {best:g}", curve)
print("41 weights by hand here; `foldwise tune diabetes` searches many settings likewise")
