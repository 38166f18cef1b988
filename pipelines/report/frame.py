"""The frame of a chart as inline SVG: scales, ticks and axes; colours come from the page's CSS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

import numpy as np

WIDTH = 420  # units of the view box; text of 12 stays readable where a phone shows 330 pixels


@dataclass(frozen=True)
class Frame:
    """A plotting area within margins, and the numbers that its edges stand for."""

    x: tuple[float, float]
    y: tuple[float, float]
    height: int
    left: int = 50
    right: int = 12
    top: int = 10
    bottom: int = 34

    def at_x(self, value: float) -> float:
        """Where a number lies from left to right."""
        return _place(value, self.x, self.left, WIDTH - self.right)

    def at_y(self, value: float) -> float:
        """Where a number lies from the top down."""
        return _place(value, self.y, self.height - self.bottom, self.top)

    def svg(self, parts: Sequence[str], *, label: str) -> str:
        """The whole picture; `label` is what a screen reader says."""
        return (
            f'<svg viewBox="0 0 {WIDTH} {self.height}" role="img" aria-label="{text(label)}">'
            f"{''.join(parts)}</svg>"
        )

    def grid_x(self, label: str, *, whole: bool = False) -> Iterator[str]:
        """Upright lines with their numbers below, and what they are."""
        base = self.height - self.bottom
        for value in ticks(*self.x, n=5, whole=whole):
            place = self.at_x(value)
            yield (
                f'<line class="grid" x1="{place:.1f}" x2="{place:.1f}" '
                f'y1="{self.top}" y2="{base}"/>'
            )
            yield f'<text x="{place:.1f}" y="{base + 15}" class="mid">{value:g}</text>'
        middle = (self.left + WIDTH - self.right) / 2
        yield f'<text x="{middle}" y="{self.height - 4}" class="mid">{text(label)}</text>'

    def grid_y(self) -> Iterator[str]:
        """Level lines with their numbers on the left."""
        for value in ticks(*self.y, n=4):
            place = self.at_y(value)
            yield (
                f'<line class="grid" x1="{self.left}" x2="{WIDTH - self.right}" '
                f'y1="{place:.1f}" y2="{place:.1f}"/>'
            )
            yield f'<text x="{self.left - 7}" y="{place + 4:.1f}" class="end">{value:g}</text>'

    def line(self, x: Sequence[float], y: Sequence[float], kind: str) -> str:
        """A line through the points."""
        return f'<polyline class="line {kind}" points="{self._points(x, y)}"/>'

    def band(
        self, x: Sequence[float], low: Sequence[float], high: Sequence[float], kind: str
    ) -> str:
        """The area between two lines."""
        there, back = self._points(x, high), self._points(x[::-1], low[::-1])
        return f'<polygon class="band {kind}" points="{there} {back}"/>'

    def _points(self, x: Sequence[float], y: Sequence[float]) -> str:
        pairs = zip(x, y, strict=True)
        return " ".join(f"{self.at_x(a):.1f},{self.at_y(b):.1f}" for a, b in pairs)


def ticks(low: float, high: float, *, n: int, whole: bool = False) -> list[float]:
    """Round numbers between two others, `n` of them or so."""
    step = 10.0 ** np.floor(np.log10(max(high - low, 1e-12) / n))
    step *= min((1, 2, 5, 10), key=lambda factor: abs((high - low) / (step * factor) - n))
    if whole:
        step = max(1.0, np.round(step))
    first = np.ceil(low / step - 1e-9)
    last = np.floor(high / step + 1e-9)
    return [float(f"{k * step:.10g}") + 0.0 for k in np.arange(first, last + 1)]  # no -0


def around(values: Sequence[float] | np.ndarray, *, room: float = 0.06) -> tuple[float, float]:
    """The range of the numbers, with some room at both ends."""
    known = np.asarray(values, dtype=np.float64)
    low, high = float(known.min()), float(known.max())
    span = (high - low) or max(abs(high), 1.0) * 0.1
    return low - room * span, high + room * span


def text(value: object) -> str:
    """A text for SVG, its special characters escaped."""
    return escape(str(value), {'"': "&quot;"})


def _place(value: float, edges: tuple[float, float], start: float, end: float) -> float:
    share = (value - edges[0]) / ((edges[1] - edges[0]) or 1.0)
    return float(start + np.clip(share, 0, 1) * (end - start))
