"""RNNCell takes one step, RNN a whole sequence: the shapes of inputs and outputs."""

import torch
from drawing import draw
from torch import nn

batch, length, n_in, n_hidden, n_layers = 1, 3, 4, 2, 1
torch.manual_seed(0)

cell = nn.RNNCell(n_in, n_hidden)
sequence = torch.randn(length, batch, n_in)
hidden = torch.zeros(batch, n_hidden)
states = []
for step, x in enumerate(sequence):  # (length, batch, n_in): one step after the other
    hidden = cell(x, hidden)
    states.append(hidden)
    print(f"RNNCell, step {step}: input {tuple(x.shape)}, hidden {tuple(hidden.shape)}")

rnn = nn.RNN(n_in, n_hidden, n_layers)
outputs, last = rnn(sequence, torch.zeros(n_layers, batch, n_hidden))
print(f"RNN: outputs {tuple(outputs.shape)}, last hidden {tuple(last.shape)}")

batch_first = nn.RNN(n_in, n_hidden, n_layers, batch_first=True)
by_row, last_too = batch_first(
    sequence.transpose(0, 1)
)  # (length, batch, ..) -> (batch, length, ..)
print(f"batch first: outputs {tuple(by_row.shape)}, last hidden {tuple(last_too.shape)}")

# With the RNN's weights the cell gives the same as the RNN.
with torch.no_grad():
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        getattr(cell, name).copy_(getattr(rnn, f"{name}_l0"))
hidden, difference = torch.zeros(batch, n_hidden), 0.0
for x, output in zip(sequence, outputs, strict=True):
    hidden = cell(x, hidden)
    difference = max(difference, (hidden - output).abs().max().item())
print(f"a cell with the weights of the RNN differs from it by {difference:.0e}")


def picture(axes):
    axes.plot(range(1, length + 1), outputs[:, 0].detach().numpy(), marker="o")
    axes.set(xlabel="step", ylabel="hidden numbers", xticks=range(1, length + 1))


draw(__file__, "An RNN is its cell, step after step: two hidden numbers over three steps", picture)
print("networks that read texts are in `models/recurrent.py`; `foldwise run names` uses one")
