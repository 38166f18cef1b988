"""Linear regression in torch's four steps: data, nn.Module, loss and optimiser, loop."""

import torch
from drawing import draw
from torch import nn

x = torch.tensor([[1.0], [2.0], [3.0]])
y = torch.tensor([[2.0], [4.0], [6.0]])


class LinearModel(nn.Module):
    """One input, one output."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(1, 1)

    def forward(self, x):
        """`(B, 1) -> (B, 1)`."""
        return self.linear(x)


torch.manual_seed(0)
model = LinearModel()
criterion = nn.MSELoss(reduction="sum")
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

losses = []
for _ in range(1000):
    loss = criterion(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())

w, b = model.linear.weight.item(), model.linear.bias.item()
prediction = model(torch.tensor([[4.0]])).item()


def curve(axes):
    axes.loglog(range(1, 1001), losses)
    axes.set(xlabel="epoch", ylabel="squared error, summed")


print(f"w = {w:.3f}, b = {b:.3f}; for x = 4: {prediction:.3f}")
draw(__file__, f"After 1,000 epochs the line gives {prediction:.2f} for 4", curve)
print("the same four steps for 50 networks at once: `models.training.fit.fit`, see the README")
