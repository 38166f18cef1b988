"""Stochastic gradient descent: a step after every row, so three steps in an epoch."""

import numpy as np
from drawing import draw

x = np.array([1.0, 2.0, 3.0])
y = np.array([2.0, 4.0, 6.0])
lr = 0.01


def descend(batches, epochs=100):
    """The weight after each epoch, starting from 1; a batch is a list of row numbers."""
    w, path = 1.0, []
    for _ in range(epochs):
        for rows in batches:
            w -= lr * (2 * (w * x[rows] - y[rows]) * x[rows]).mean()
        path.append(w)
    return np.array(path)


single = descend([[0], [1], [2]])
whole = descend([[0, 1, 2]])
epochs_needed = {
    name: int(np.argmax(abs(path - 2) < 0.01)) + 1
    for name, path in {"a row": single, "all rows": whole}.items()
}


def curves(axes):
    axes.plot(range(1, 101), whole, label="all rows in a step")
    axes.plot(range(1, 101), single, label="a row in a step")
    axes.set(xlabel="epoch", ylabel="w")
    axes.legend()


for name, n in epochs_needed.items():
    print(f"{name} in a step: w is within 0.01 of 2 after {n} epochs")
print(f"for x = 4: {4 * single[-1]:.2f}")
draw(__file__, "Steps after every row get there in a third of the epochs", curves)
print("between the two: mini-batches, as in member `notes-batches` of `foldwise run diabetes`")
