"""Logistic regression with the project's trainer: who passes after so many hours of study?

The course writes 10 as the third label. A label of this loss is 0 or 1: the 10 is a slip for 1.
"""

import numpy as np
from drawing import draw

from models.architectures.linear import LinearSettings
from models.data import InputShape
from models.losses import LOSSES
from models.metrics import METRICS
from models.training.fit import FoldData, Objective, TrainSettings, fit

hours = np.array([[1.0], [2.0], [3.0]], dtype=np.float32)
passed = np.array([0, 0, 1])

rows = np.arange(3)
fitted = fit(
    lambda: LinearSettings().build(InputShape(n_num=1), 1),
    [FoldData({"x_num": hours}, rows, rows)],  # three rows are too few to hold any out
    passed,
    TrainSettings(epochs=1000, batch_size=None, optimizer="sgd", lr=0.1, evaluate_every=100),
    Objective(LOSSES["binary_cross_entropy"], METRICS["accuracy"]),
    device="cpu",
)

grid = np.linspace(0, 10, 201, dtype=np.float32)
probability = fitted.predict_mean([{"x_num": grid[:, None]}])[:, 1]  # (201, 2) -> (201,)
after_four = float(np.interp(4, grid, probability))
even = float(np.interp(0.5, probability, grid))


def curve(axes):
    axes.plot(grid, probability)
    axes.axhline(0.5, color="tab:red", linewidth=1)
    axes.plot(hours[:, 0], passed, "o")
    axes.set(xlabel="hours of study", ylabel="probability of passing")


print(f"after 4 hours: {after_four:.3f}; even chances after {even:.2f} hours")
draw(__file__, f"Even chances after {even:.2f} hours", curve)
print("the same model on 768 patients: `foldwise run diabetes --members logistic`")
