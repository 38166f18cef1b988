"""Autograd: torch follows the arithmetic on a tensor and gives the slope; zero it by hand."""

import torch
from drawing import draw

x = [1.0, 2.0, 3.0]
y = [2.0, 4.0, 6.0]
w = torch.tensor([1.0], requires_grad=True)
lr = 0.01

path = []
for _ in range(100):
    for a, b in zip(x, y, strict=True):
        loss = (w * a - b) ** 2  # builds the graph
        loss.backward()  # walks it back: w.grad is d loss / d w
        with torch.no_grad():
            w -= lr * w.grad
        w.grad.zero_()  # or the next backward() would add to it
    path.append(w.item())

# What happens where the gradient is not zeroed: two passes add up.
v = torch.tensor([1.0], requires_grad=True)
once = torch.autograd.grad((v * 3 - 6) ** 2, v)[0].item()
for _ in range(2):
    ((v * 3 - 6) ** 2).backward()
twice = v.grad.item()

prediction = w.item() * 4


def curve(axes):
    axes.plot(range(1, 101), path)
    axes.set(xlabel="epoch", ylabel="w")


print(f"for x = 4: {prediction:.2f}; w = {w.item():.4f}")
print(f"a slope of {once:g}, and {twice:g} after two passes without zeroing")
draw(__file__, "w walks to 2 on gradients that nobody wrote down", curve)
print("`models/optimisers.py` takes such steps for all replicas of a network at once")
