"""Dropout masks from a replica's stream of random bits.

On a CPU, 64 random bits serve four numbers, where torch's dropout uses one draw per number.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

LEVELS = 1 << 16  # masks are compared in 16 bits: p is exact to 1/65536
MOST_WORDS_AHEAD = 1 << 15  # 256 KB: masks that stay in a core's cache until they are used


class OwnRate(float):
    """A dropout rate that each replica may replace by its own."""


Rates = float | tuple[float, ...]  # one for all streams, or one per stream
Call = tuple[tuple[int, ...], Rates]


def scale_of(p: float) -> float:
    """The factor of kept numbers."""
    return LEVELS / (LEVELS - round(p * LEVELS))


def keep_masks(
    shape: tuple[int, ...],
    p: Rates,
    generators: Sequence[torch.Generator],
    *,
    dtype: torch.dtype,
    device: torch.device,
) -> Tensor:
    """A mask from each stream: `(S, *shape)`, 0 with probability p, else 1 / (1 - p)."""
    n = torch.Size(shape).numel()
    words = torch.empty(len(generators), n_words(shape), dtype=torch.int64, device=device)
    for of_stream, generator in zip(words.unbind(), generators, strict=True):
        _draw(of_stream, generator)
    return _mask_of(words.view(torch.int16)[:, :n].reshape(-1, *shape), p, dtype)


def n_words(shape: tuple[int, ...]) -> int:
    """How many 64-bit words a mask of this shape takes from its stream."""
    return (torch.Size(shape).numel() + 3) // 4


def _draw(words: Tensor, generator: torch.Generator) -> None:
    words.random_(-(1 << 63), None, generator=generator)


def _mask_of(bits: Tensor, p: Rates, dtype: torch.dtype) -> Tensor:
    mask = torch.empty(bits.shape, dtype=dtype, device=bits.device)
    if isinstance(p, tuple):
        of_stream = (len(p), *(1 for _ in bits.shape[1:]))  # (S,) -> (S, 1, ...)
        levels = bits.new_tensor([_level(rate) for rate in p]).view(of_stream)
        torch.ge(bits, levels, out=mask)
        return mask.mul_(mask.new_tensor([scale_of(rate) for rate in p]).view(of_stream))
    torch.ge(bits, _level(p), out=mask)
    return mask.mul_(scale_of(p))


def _level(p: float) -> int:
    return round(p * LEVELS) - LEVELS // 2


class MasksAhead:
    """The masks of a single replica's next steps, drawn in one operation.

    They equal those drawn step by step, since a CPU stream gives the same words in one draw as in
    several. In a small network, separate draws cost as much as its matrix products.

    Attributes:
        n_left: Steps whose masks are still to be taken.
    """

    def __init__(
        self,
        calls: Sequence[Call],
        generator: torch.Generator,
        n_steps: int,
        *,
        dtype: torch.dtype,
    ) -> None:
        """Draw for at most `n_steps` steps, each of which makes the same calls."""
        self.calls, self.generator, self.dtype = calls, generator, dtype
        self.words_per_step = sum(n_words(shape) for shape, _ in calls)
        self.n_left = max(1, min(n_steps, MOST_WORDS_AHEAD // max(self.words_per_step, 1)))
        self._before = generator.get_state()
        self._masks = self._drawn()
        self._step, self._call = -1, 0

    def _drawn(self) -> list[tuple[Tensor, ...]]:
        """For each call the masks of all steps."""
        words = torch.empty(self.n_left, self.words_per_step, dtype=torch.int64)
        _draw(words, self.generator)
        bits, first, masks = words.view(torch.int16), 0, []
        for shape, p in self.calls:
            of_call = bits[:, first : first + torch.Size(shape).numel()]
            masks.append(_mask_of(of_call.reshape(-1, *shape), p, self.dtype).unbind())
            first += 4 * n_words(shape)
        return masks

    def next_step(self) -> None:
        """Continue with the masks of the next step."""
        self._step, self._call, self.n_left = self._step + 1, 0, self.n_left - 1

    def take(self, shape: tuple[int, ...], p: Rates) -> Tensor | None:
        """The mask of the step's next call; None if the call differs from the recorded one."""
        if self._call >= len(self.calls) or self.calls[self._call] != (shape, p):
            return None
        mask = self._masks[self._call][self._step]
        self._call += 1
        return mask

    def go_back(self) -> None:
        """Reset the stream to its state after the masks that were taken."""
        of_step = sum(n_words(shape) for shape, _ in self.calls[: self._call])
        used = self._step * self.words_per_step + of_step
        self.generator.set_state(self._before)
        _draw(torch.empty(used, dtype=torch.int64), self.generator)
