"""Dropout whose masks come from each replica's random stream.

Torch's dropout draws all masks of a stack from one global generator, so a replica would get
different masks in a stack than alone. It is also slow on a CPU: for 25 x 256 x 256 numbers it took
9.2 ms to draw them and 4.3 ms for the matrix product. Here 64 random bits serve four numbers
(1.5 ms), and replicas with the same seed and fold length share the draw, since each would draw the
same alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import torch
from torch import Tensor, nn

from models.vectorised.dropout_masks import Call, MasksAhead, OwnRate, Rates, keep_masks, scale_of


@dataclass(frozen=True)
class Owners:
    """Which of the distinct streams each replica draws from.

    Attributes:
        streams: `(R,)` positions.
    """

    streams: tuple[int, ...]

    @cached_property
    def blocks(self) -> list[tuple[slice, slice, int]]:
        """Consecutive replicas that can be masked in one operation.

        Each block is (replicas, streams, n): runs of n replicas share a stream, and the streams
        of consecutive runs are consecutive.
        """
        runs = [(stream, len(list(run))) for stream, run in groupby(self.streams)]
        blocks: list[tuple[slice, slice, int]] = []
        first = 0
        for stream, length in runs:
            last = first + length
            replicas, streams, n = blocks[-1] if blocks else (slice(0, 0), slice(0, 0), 0)
            if n == length and streams.stop == stream:
                blocks[-1] = slice(replicas.start, last), slice(streams.start, stream + 1), n
            else:
                blocks.append((slice(first, last), slice(stream, stream + 1), length))
            first = last
        return blocks


class MaskSource:
    """Provides the masks for the dropout calls of the current step.

    A module is prepared once (`with_replica_dropout`) and then set to one of three modes:
    recording (shapes are noted, nothing is dropped), drawing, or replaying masks drawn earlier.
    """

    def __init__(self) -> None:
        self.recorded: list[tuple[tuple[int, ...], float]] | None = None
        self.replayed: list[Tensor] | None = None
        self.generators: Sequence[torch.Generator] = ()
        self.owners: Owners | None = None
        self.rates: tuple[float, ...] | None = None
        self._calls = 0
        self._seen: list[Call] = []  # the calls of the last step of a single replica
        self._ahead: MasksAhead | None = None
        self._varies = False

    def draw_from(
        self,
        generators: Sequence[torch.Generator],
        owners: Owners | None,
        *,
        rates: tuple[float, ...] | None = None,
        n_alike: int = 1,
    ) -> None:
        """Draw from these distinct streams from now on.

        Args:
            generators: The distinct streams of the replicas in the pass.
            owners: Which of them each replica draws from; None for a single replica without a
                leading dimension.
            rates: The rate of each stream, which replaces an `OwnRate`.
            n_alike: How many steps, this one included, are likely to need masks of the same
                shapes. For a single replica on a CPU they are drawn in one operation.
        """
        if generators is not self.generators:
            self._seen, self._ahead = [], None
        self.generators, self.owners, self.rates = generators, owners, rates
        self.recorded, self.replayed = None, None
        if self._ahead is None or not self._ahead.n_left:
            self._ahead = self._drawn_ahead(n_alike)
        if self._ahead is not None:
            self._ahead.next_step()
        self._seen = []

    def _drawn_ahead(self, n_alike: int) -> MasksAhead | None:
        if not self._seen or self._varies or n_alike == 1:
            return None
        return MasksAhead(self._seen, self.generators[0], n_alike, dtype=self._dtype)

    def record(self) -> list[tuple[tuple[int, ...], float]]:
        """Note (shape, p) of each call in the list that this returns."""
        self.recorded, self.replayed = [], None
        return self.recorded

    def replay(self, masks: Sequence[Tensor]) -> None:
        """Return these masks, in order."""
        self.replayed, self.recorded = list(masks), None
        self._calls = 0

    def mask(self, x: Tensor, shape: tuple[int, ...], p: float) -> Tensor | None:
        """A mask that broadcasts to `x`, scaled by 1 / (1 - p); None drops nothing."""
        # `p` is recorded unresolved, since the recorded calls are drawn for replicas of many rates.
        if self.recorded is not None:
            self.recorded.append((shape, p))
            return None
        if self.replayed is not None:
            self._calls += 1
            return self.replayed[self._calls - 1]
        if self.owners is None and x.device.type == "cpu":
            return self._alone(x, shape, p)
        return self.drawn(shape, p, dtype=x.dtype, device=x.device)

    def _rates_for(self, p: float) -> Rates:
        """The rate, or the streams' rates if they replace it."""
        if self.rates is None or not isinstance(p, OwnRate):
            return p
        return self.rates[0] if self.owners is None else self.rates

    def _alone(self, x: Tensor, shape: tuple[int, ...], given: float) -> Tensor:
        p = self._rates_for(given)
        self._seen.append((shape, p))
        self._dtype = x.dtype
        if self._ahead is not None:
            mask = self._ahead.take(shape, p)
            if mask is not None:
                return mask
            self._ahead.go_back()
            self._ahead, self._varies = None, True
        return self.drawn(shape, given, dtype=x.dtype, device=x.device)

    def drawn(
        self, shape: tuple[int, ...], p: float, *, dtype: torch.dtype, device: torch.device
    ) -> Tensor:
        """A mask of `shape`, which starts with R if there are owners."""
        one = shape if self.owners is None else shape[1:]
        masks = keep_masks(one, self._rates_for(p), self.generators, dtype=dtype, device=device)
        if self.owners is None:
            return masks[0]
        if len(self.generators) == 1:
            return masks  # (1, B, D) broadcasts over the replicas
        return masks[torch.tensor(self.owners.streams, device=device)]  # (S, B, D) -> (R, B, D)

    def drop_(self, x: Tensor, given: float) -> float | Tensor:
        """Drop in place from `(R, B, D)`, without a mask for each replica.

        Returns:
            The scale of kept numbers: one number, or `(R, 1, 1)` if replicas differ in it.
        """
        if self.recorded is not None or self.replayed is not None or self.owners is None:
            raise RuntimeError("drop_ works only while drawing for a stack; call draw_from first")
        p = self._rates_for(given)
        masks = keep_masks(x.shape[1:], p, self.generators, dtype=x.dtype, device=x.device)
        for replicas, streams, n in self.owners.blocks:
            # (S * n, B, D) -> (S, n, B, D), each mask for n neighbours
            x[replicas].view(-1, n, *x.shape[1:]).mul_(masks[streams].unsqueeze(1))
        if not isinstance(p, tuple):
            return scale_of(p)
        scales = [scale_of(p[stream]) for stream in self.owners.streams]
        return x.new_tensor(scales).view(-1, *(1 for _ in x.shape[1:]))


class ReplicaDropout(nn.Module):
    """Replaces `nn.Dropout`, `nn.Dropout1d` and `nn.Dropout2d` during training."""

    def __init__(self, p: float, *, n_spatial: int, source: MaskSource) -> None:
        super().__init__()
        self.p, self.n_spatial = p, n_spatial
        self.source = source

    def forward(self, x: Tensor) -> Tensor:
        """`x` with a share p of its numbers (or channels) set to zero in training mode."""
        if not self.training:
            return x
        channels = x.ndim - self.n_spatial
        shape = (*x.shape[:channels], *(1 for _ in range(self.n_spatial)))
        mask = self.source.mask(x, shape, self.p)
        return x if mask is None else x * mask


_Dropout = nn.Dropout | nn.Dropout1d | nn.Dropout2d
_SPATIAL: dict[type[nn.Module], int] = {nn.Dropout: 0, nn.Dropout1d: 1, nn.Dropout2d: 2}


def takes_own_rates(module: nn.Module) -> bool:
    """Whether a dropout inside `module` allows each replica its own rate."""
    dropouts = [child for child in module.modules() if isinstance(child, _Dropout)]
    return any(isinstance(dropout.p, OwnRate) and dropout.p > 0 for dropout in dropouts)


def with_replica_dropout(module: nn.Module) -> MaskSource:
    """Replace the dropouts inside `module`, in place, by ones that draw from replicas' streams."""
    source = MaskSource()
    for parent in list(module.modules()):
        for name, child in list(parent._modules.items()):
            if isinstance(child, _Dropout) and type(child) in _SPATIAL and 0 < child.p < 1:
                swapped = ReplicaDropout(child.p, n_spatial=_SPATIAL[type(child)], source=source)
                setattr(parent, name, swapped.train(child.training))
    return source
