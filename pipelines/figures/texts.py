"""Figures of texts: accuracy by length, the largest losses, the effect of each word."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipelines.figures.style import BLUE, INK, MIST, ORANGE, QUIET, WIDTH, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pipelines.figures.word_effects import Explained

EDGES = (0, 1, 2, 3, 4, 6, 9, 13, 19, 29)  # upper ends of the groups of lengths
N_SHOWN = 14
LINE = 0.30  # inches from one line of text to the next
CHARACTER = 0.083  # inches of a character of the words


@styled
def accuracy_by_length(
    target: np.ndarray, probabilities: np.ndarray, n_words: np.ndarray, *, note: str | None = None
) -> Figure:
    """The share of texts that are classified correctly, by their number of words.

    Args:
        target: `(n_rows,) int64` class index.
        probabilities: `(n_rows, n_classes)`, out of fold.
        n_words: `(n_rows,)`.
        note: A line for the foot of the figure.
    """
    is_correct = probabilities.argmax(axis=1) == target
    group_of = np.searchsorted(EDGES, n_words, side="left")
    groups = np.unique(group_of)
    shares = np.array([is_correct[group_of == group].mean() for group in groups])
    counts = [int((group_of == group).sum()) for group in groups]
    low, high = int(shares.argmin()), int(shares.argmax())
    names = [_span(n_words[group_of == group]) for group in groups]
    title = (
        f"Accuracy is {shares[high]:.0%} for texts of {names[high]} words, "
        f"{shares[low]:.0%} for those of {names[low]}"
    )
    figure = new_figure(4.4, title=title, note=note)
    axes = figure.subplots()
    bars = axes.bar(names, shares, color=BLUE, width=0.72)
    labels = [f"{share:.0%}\n{n:,}" for share, n in zip(shares, counts, strict=True)]
    axes.bar_label(bars, labels, padding=3, fontsize=8.5)
    axes.axhline(is_correct.mean(), color=ORANGE, linewidth=1.2, linestyle=(0, (3, 3)))
    axes.set_ylim(0, min(1.18, float(shares.max()) + 0.2))
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.set_xlabel(
        "words per text; above each bar its accuracy and number of rows, dashed: all rows"
    )
    axes.set_ylabel("accuracy")
    axes.grid(visible=False, axis="x")
    return figure


def _span(n_words: np.ndarray) -> str:
    low, high = int(n_words.min()), int(n_words.max())
    return str(low) if low == high else f"{low}-{high}"


@styled
def largest_losses(
    texts: Sequence[str],
    target: np.ndarray,
    probabilities: np.ndarray,
    class_names: Sequence[str],
    *,
    note: str | None = None,
) -> Figure:
    """The held-out texts whose true class was given the lowest probability.

    Args:
        texts: `(n_rows,)`.
        target: `(n_rows,) int64` class index.
        probabilities: `(n_rows, n_classes)`, out of fold.
        class_names: In the order of the columns.
        note: A line for the foot of the figure.
    """
    of_true = probabilities[np.arange(len(target)), target]
    rows = np.argsort(of_true, kind="stable")[:N_SHOWN]
    share = float((of_true < 0.05).mean())
    title = f"The true class of {share:.1%} of held-out texts was given less than 5%; the lowest"
    figure = new_figure(1.5 + LINE * len(rows), title=title, note=note)
    axes = _page(figure, len(rows) + 1)
    heads = ((0, "text"), (0.62, "true class"), (0.79, "predicted class"))
    for x, head in heads:
        axes.text(x, 0, head, color=QUIET, fontsize=9, va="center")
    for line, row in enumerate(rows, start=1):
        guess = int(probabilities[row].argmax())
        text = textwrap.shorten(texts[row].strip() or "(empty)", 62, placeholder=" …")
        axes.text(0, line, text, va="center", fontsize=9)
        true = f"{class_names[target[row]]} {of_true[row]:.1%}"
        axes.text(0.62, line, true, color=ORANGE, va="center", fontsize=9)
        predicted = f"{class_names[guess]} {probabilities[row, guess]:.0%}"
        axes.text(0.79, line, predicted, color=BLUE, va="center", fontsize=9)
    return figure


@styled
def word_effects(texts: Sequence[Explained], *, member: str, note: str | None = None) -> Figure:
    """What each word does to the expected rating: blue raises it, orange lowers it.

    Args:
        texts: A few held-out texts.
        member: The network whose ratings they are.
        note: A line for the foot of the figure.
    """
    strongest = max(
        ((abs(e), w, e) for text in texts for w, e in zip(text.words, text.effects, strict=True)),
        default=(0.0, "", 0.0),
    )
    title = (
        f"{member}: “{strongest[1]}” moves a rating most, by {strongest[2]:+.1f} steps; "
        "blue words raise it, orange ones lower it"
    )
    n_columns = int((WIDTH - 0.4) / CHARACTER)
    laid_out = [list(_lines(text.words, n_columns)) for text in texts]
    n_lines = sum(len(lines) + 1.4 for lines in laid_out)
    figure = new_figure(1.2 + LINE * n_lines, title=title, note=note)
    axes = _page(figure, n_lines)
    at = 0.0
    for text, lines in zip(texts, laid_out, strict=True):
        axes.text(0, at, text.caption, color=QUIET, fontsize=9, va="center")
        for number, words in enumerate(lines, start=1):
            for column, word in words:
                _write_word(axes, text, word, x=column / n_columns, y=at + number)
        at += len(lines) + 1.4
    return figure


def _lines(words: Sequence[str], n_columns: int) -> list[list[tuple[int, int]]]:
    """(column, number of the word) for each word, line by line."""
    lines: list[list[tuple[int, int]]] = [[]]
    column = 0
    for number, word in enumerate(words):
        if column and column + len(word) > n_columns:
            lines.append([])
            column = 0
        lines[-1].append((column, number))
        column += len(word) + 2
    return lines


def _write_word(axes: Axes, text: Explained, word: int, *, x: float, y: float) -> None:
    effect = float(text.effects[word])
    colour = BLUE if effect > 0 else ORANGE
    strength = min(abs(effect), 1.0)
    axes.text(
        x,
        y,
        text.words[word],
        va="center",
        fontsize=9.5,
        family="DejaVu Sans Mono",
        color="white" if strength > 0.6 else INK,
        bbox={
            "boxstyle": "round,pad=0.22",
            "facecolor": colour if strength > 0.02 else MIST,
            "alpha": max(strength, 0.06),
            "linewidth": 0,
        },
    )


def _page(figure: Figure, n_lines: float) -> Axes:
    """Axes to write lines of text on, numbered from the top."""
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set(xlim=(0, 1), ylim=(n_lines - 0.4, -0.6))
    return axes
