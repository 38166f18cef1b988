"""The same with an embedding in place of one-hot vectors, and a linear layer behind the RNN."""

import torch
from drawing import draw_spelling
from torch import nn

from features.encoders.text import tokens, vocabulary
from models.networks.tokens import TokenEmbedding

known = vocabulary([tokens("hello", unit="char")])  # padding, unknown, then l e h o
hello = torch.tensor([[known.index(letter) for letter in "hello"]])  # (batch, length)
ohlol = torch.tensor([known.index(letter) for letter in "ohlol"])


class Speller(nn.Module):
    """A vector for each letter, two recurrent layers, a score for each letter."""

    def __init__(self, n_letters, size=10, hidden=8):
        super().__init__()
        self.embedding = TokenEmbedding(n_letters, size)
        self.rnn = nn.RNN(size, hidden, num_layers=2, batch_first=True)
        self.head = nn.Linear(hidden, n_letters)

    def forward(self, letters):
        """`(B, L) int64 -> (B * L, n_letters)`."""
        states, _ = self.rnn(self.embedding(letters))
        return self.head(states).flatten(0, 1)


torch.manual_seed(0)
model = Speller(len(known))
optimizer = torch.optim.Adam(model.parameters(), lr=0.05)

said, losses = [], []
for epoch in range(1, 16):
    logits = model(hello)
    loss = nn.functional.cross_entropy(logits, ohlol)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    said.append("".join(known[i] if known[i] in "ehlo" else "_" for i in logits.argmax(dim=1)))
    losses.append(loss.item())
    print(f"epoch {epoch:>2}: {said[-1]}   loss {loss.item():.3f}")

learned = said.index("ohlol") + 1

draw_spelling(__file__, f"With an embedding it says ohlol from epoch {learned} on", said, losses)
print("the same on surnames predicts their country: `foldwise run names`")
