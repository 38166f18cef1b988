"""Teach an RNNCell to turn "hello" into "ohlol", a letter at a time, each as a one-hot vector."""

import torch
from drawing import draw_spelling
from torch import nn

LETTERS = "ehlo"
hello = torch.tensor([LETTERS.index(letter) for letter in "hello"])
ohlol = torch.tensor([LETTERS.index(letter) for letter in "ohlol"])
one_hot = nn.functional.one_hot(hello, 4).float().view(5, 1, 4)  # (length, batch, letters)

torch.manual_seed(14)  # four hidden numbers are few: from some first weights it takes longer
cell = nn.RNNCell(4, 4)  # its hidden state is read as the logits of the four letters
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(cell.parameters(), lr=0.05)

said, losses = [], []
for epoch in range(1, 16):
    hidden, loss, word = torch.zeros(1, 4), torch.zeros(()), ""
    for letter, wanted in zip(one_hot, ohlol, strict=True):
        hidden = cell(letter, hidden)
        loss = loss + criterion(hidden, wanted.view(1))  # the whole word is one graph
        word += LETTERS[int(hidden.argmax())]
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    said.append(word)
    losses.append(loss.item())
    print(f"epoch {epoch:>2}: {word}   loss {loss.item():.3f}")

learned = said.index("ohlol") + 1

draw_spelling(__file__, f"The cell says ohlol from epoch {learned} on", said, losses)
