"""Gradient descent: walk down the slope of the loss over all rows, 100 times."""

import numpy as np
from drawing import draw

x = np.array([1.0, 2.0, 3.0])
y = np.array([2.0, 4.0, 6.0])
lr = 0.01

w = 1.0
before = w * 4
losses = []
for _ in range(100):
    error = w * x - y
    losses.append((error**2).mean())
    w -= lr * (2 * error * x).mean()  # the slope of the mean of (w x - y)²

prediction = w * 4


def curve(axes):
    axes.semilogy(range(1, 101), losses)
    axes.set(xlabel="epoch", ylabel="mean squared error")


print(f"for x = 4: {before:.2f} before, {prediction:.2f} after 100 epochs; w = {w:.4f}")
draw(__file__, f"100 steps down the slope: the loss falls to {losses[-1]:.0e}", curve)
print("member `notes` of `foldwise run diabetes` is trained this way, all rows in every step")
