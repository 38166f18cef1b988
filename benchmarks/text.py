"""Times the training on texts: `python -m benchmarks.text [--quick]`.

Prints a table and writes it to `text.md` next to this file. Two comparisons:

- Tokens per second of one recurrent network and of the usual loop: a DataLoader that takes rows
  one by one and pads each shuffled batch to its longest text. Only real tokens count. Also per
  second of CPU time, which other programs on the machine disturb less.
- The replicas of all folds at once and one fold after the other.

The methods alternate in one process, on the same texts, with the same network size, batch size and
optimiser; the fastest run of each counts. The texts are random: words by Zipf's law, lengths as in
phrases of film reviews (7 words on average, 50 at most).
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset

from models.architectures.recurrent import RecurrentSettings
from models.data import InputShape
from models.losses import LOSSES
from models.metrics import METRICS
from models.training.fit import FoldData, Objective, Replicas, TrainSettings, fit

PAGE = Path(__file__).with_suffix(".md")
N_TOKENS, N_CLASSES, N_FOLDS, BATCH = 12_000, 5, 4, 128
SIZE = {"embedding_size": 128, "hidden": 96}
MEAN_LENGTH, LONGEST = 7.2, 52
Texts = Mapping[str, np.ndarray]
Methods = Mapping[str, Callable[[], None]]


class Rows(Dataset[tuple[Tensor, Tensor]]):
    """Texts one by one, as in the tutorials."""

    def __init__(self, texts: Texts, target: np.ndarray, rows: np.ndarray) -> None:
        self.texts = [torch.from_numpy(texts["tokens"][r, : texts["lengths"][r]]) for r in rows]
        self.target = torch.from_numpy(target[rows])

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        return self.texts[row], self.target[row]


class TutorialNet(nn.Module):
    """Embedding, bidirectional GRU or LSTM over the padded batch, linear layer."""

    def __init__(self, cell: str) -> None:
        super().__init__()
        self.embedding = nn.Embedding(N_TOKENS, SIZE["embedding_size"], padding_idx=0)
        kind = {"gru": nn.GRU, "lstm": nn.LSTM}[cell]
        self.rnn = kind(
            SIZE["embedding_size"], SIZE["hidden"], batch_first=True, bidirectional=True
        )
        self.head = nn.Linear(4 * SIZE["hidden"], N_CLASSES)

    def forward(self, tokens: Tensor) -> Tensor:
        """`(B, L) -> (B, N_CLASSES)`."""
        states, _ = self.rnn(self.embedding(tokens))
        logits: Tensor = self.head(torch.cat([states.amax(dim=1), states.mean(dim=1)], dim=1))
        return logits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer texts and turns")
    is_quick = parser.parse_args().quick
    n_rows, n_turns = (2_000, 1) if is_quick else (5_000, 3)
    texts, target = draw(n_rows)
    lines = [*speed(texts, target, n_turns), "", *together(texts, target, n_turns)]
    page = "\n".join(["# Training on texts", "", machine(n_rows, n_turns), "", *lines, ""])
    print(page)
    if not is_quick:
        PAGE.write_text(page)


def draw(n_rows: int) -> tuple[Texts, np.ndarray]:
    """Random texts with the lengths of film review phrases, and a class for each."""
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.gamma(1.1, MEAN_LENGTH / 1.1, n_rows).round(), 1, LONGEST)
    lengths = lengths.astype(np.int64)
    tokens = rng.zipf(1.2, (n_rows, LONGEST)) % (N_TOKENS - 1) + 1
    tokens = np.where(np.arange(LONGEST) < lengths[:, None], tokens, 0)
    return {"tokens": tokens, "lengths": lengths}, rng.integers(0, N_CLASSES, n_rows)


def speed(texts: Texts, target: np.ndarray, n_turns: int) -> list[str]:
    """Tokens per second of one network, by each method."""
    rows = np.arange(len(target))
    n_tokens = int(texts["lengths"].sum())
    lines = [
        "| one network | method | tokens per second | times | tokens per core-second | times |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for cell in ("gru", "lstm"):
        methods = {
            "DataLoader": lambda c=cell: tutorial_epoch(c, texts, target, rows),
            "Foldwise": lambda c=cell: train(c, texts, target, [rows], n_seeds=1),
            "Foldwise, all cores": lambda c=cell: train(c, texts, target, [rows], n_seeds=2),
        }
        n_trained = {"DataLoader": 1, "Foldwise": 1, "Foldwise, all cores": 2}
        rates = {
            method: [n_trained[method] * n_tokens / taken for taken in seconds]
            for method, seconds in fastest(methods, n_turns).items()
        }
        wall, core = rates["DataLoader"]
        lines += [
            f"| {cell} | {method} | {rate[0]:,.0f} | {rate[0] / wall:.1f} "
            f"| {rate[1]:,.0f} | {rate[1] / core:.1f} |"
            for method, rate in rates.items()
        ]
    return lines


def together(texts: Texts, target: np.ndarray, n_turns: int) -> list[str]:
    """All folds at once, and one after the other: seconds for an epoch of each."""
    fold_of_row = np.arange(len(target)) % N_FOLDS
    folds = [np.flatnonzero(fold_of_row != fold) for fold in range(N_FOLDS)]
    lines = [f"| {N_FOLDS} folds | at once, s | one by one, s | times |", "|---|---:|---:|---:|"]
    for cell in ("gru", "lstm"):

        def one_by_one(c: str = cell) -> None:
            for rows in folds:
                train(c, texts, target, [rows], n_seeds=1)

        methods = {
            "at once": lambda c=cell: train(c, texts, target, folds, n_seeds=1),
            "one by one": one_by_one,
        }
        seconds = fastest(methods, n_turns)
        once, singly = seconds["at once"][0], seconds["one by one"][0]
        lines.append(f"| {cell} | {once:.1f} | {singly:.1f} | {singly / once:.1f} |")
    return lines


def fastest(methods: Methods, n_turns: int) -> dict[str, tuple[float, float]]:
    """Each method's fastest run: seconds, and CPU seconds; the methods alternate."""
    best = dict.fromkeys(methods, (float("inf"), float("inf")))
    for _ in range(n_turns):
        for name, method in methods.items():
            start, core = time.perf_counter(), time.process_time()
            method()
            took = time.perf_counter() - start, time.process_time() - core
            best[name] = min(best[name][0], took[0]), min(best[name][1], took[1])
    return best


def tutorial_epoch(cell: str, texts: Texts, target: np.ndarray, rows: np.ndarray) -> None:
    """One epoch of the usual loop; the texts are tensors already."""

    def collate(batch: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        tokens_of, labels = zip(*batch, strict=True)
        return pad_sequence(list(tokens_of), batch_first=True), torch.stack(labels)

    loader = DataLoader(Rows(texts, target, rows), BATCH, shuffle=True, collate_fn=collate)
    network = TutorialNet(cell)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    loss_of = nn.CrossEntropyLoss()
    for tokens, labels in loader:
        optimizer.zero_grad()
        loss_of(network(tokens), labels).backward()
        optimizer.step()


def train(
    cell: str, texts: Texts, target: np.ndarray, folds: list[np.ndarray], *, n_seeds: int
) -> None:
    """One epoch of the trainer: a replica for each fold and seed."""
    settings = RecurrentSettings(cell=cell, dropout=0.0, **SIZE)
    few = np.arange(BATCH)
    fit(
        lambda: settings.build(InputShape(n_tokens=N_TOKENS), N_CLASSES),
        [FoldData(texts, rows, few) for rows in folds],
        target,
        TrainSettings(epochs=1, batch_size=BATCH, lr=1e-3, length_pool=50),
        Objective(LOSSES["cross_entropy"], METRICS["accuracy"]),
        Replicas(range(n_seeds)),
        device="cpu",
    )


def machine(n_rows: int, n_turns: int) -> str:
    return (
        f"{torch.get_num_threads()} cores ({platform.machine()}), torch {torch.__version__}, "
        f"{n_rows:,} texts, {SIZE['embedding_size']} numbers per word, {SIZE['hidden']} per "
        f"direction, batches of {BATCH}; the fastest of {n_turns} runs."
    )


if __name__ == "__main__":
    main()
