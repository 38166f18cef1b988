"""The eight optimisers of torch.optim side by side on the linear regression."""

import torch
from drawing import draw
from torch import nn, optim

x = torch.tensor([[1.0], [2.0], [3.0]])
y = torch.tensor([[2.0], [4.0], [6.0]])
OPTIMISERS = (
    *(optim.Adagrad, optim.Adam, optim.Adamax, optim.ASGD),
    *(optim.LBFGS, optim.RMSprop, optim.Rprop, optim.SGD),
)
EPOCHS = 200


def losses_of(kind):
    """The loss before each epoch, from the same first weights."""
    torch.manual_seed(0)
    model = nn.Linear(1, 1)
    optimiser = kind(model.parameters(), lr=0.1)
    criterion, losses = nn.MSELoss(), []

    def closure():  # LBFGS asks for the loss more than once in a step
        optimiser.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        return loss

    for _ in range(EPOCHS):
        losses.append(optimiser.step(closure).item())
    return losses


losses = {optimiser.__name__: losses_of(optimiser) for optimiser in OPTIMISERS}
final = {name: curve[-1] for name, curve in losses.items()}
arrival = {  # the first epoch with a loss below 0.001
    name: next((epoch for epoch, loss in enumerate(curve) if loss < 1e-3), None)
    for name, curve in losses.items()
}
arrived = sorted((n for n, epoch in arrival.items() if epoch), key=lambda n: arrival[n])


def curves(axes):
    for name, curve in losses.items():
        axes.semilogy(range(EPOCHS), [max(loss, 1e-12) for loss in curve], label=name)
    axes.set(xlabel="epoch", ylabel="mean squared error")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))


for name in sorted(final, key=final.get):
    print(f"{name:<8} loss {final[name]:.0e}, below 0.001 from epoch {arrival[name]}")
finding = f"{arrived[0]} is there after {arrival[arrived[0]]} epochs, {len(arrived)} of 8 after 200"
draw(__file__, f"All at learning rate 0.1: {finding}", curves)
print("networks choose theirs by name: `foldwise run titanic --set train.optimizer=sgd`")
