"""The same with nn.RNN, which loops over the word itself."""

import torch
from drawing import draw_spelling
from torch import nn

LETTERS = "ehlo"
hello = torch.tensor([LETTERS.index(letter) for letter in "hello"])
ohlol = torch.tensor([LETTERS.index(letter) for letter in "ohlol"])
one_hot = nn.functional.one_hot(hello, 4).float().view(5, 1, 4)  # (length, batch, letters)

torch.manual_seed(14)  # four hidden numbers are few: from some first weights it takes longer
rnn = nn.RNN(4, 4)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(rnn.parameters(), lr=0.05)

said, losses = [], []
for epoch in range(1, 16):
    outputs, _ = rnn(one_hot)  # (5, 1, 4)
    logits = outputs.view(5, 4)
    loss = criterion(logits, ohlol)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    said.append("".join(LETTERS[i] for i in logits.argmax(dim=1)))
    losses.append(loss.item())
    print(f"epoch {epoch:>2}: {said[-1]}   loss {loss.item():.3f}")

learned = said.index("ohlol") + 1

draw_spelling(__file__, f"The RNN says ohlol from epoch {learned} on", said, losses)
