"""A report's charts: evidence in, inline SVG out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

import numpy as np

from pipelines.report.evidence import Band, Bin, ColumnDrift, FoldScores

ROW = 38  # height of a member's line of dots
NAME_CHARACTERS = 15


def fold_scores(members: Sequence[FoldScores], *, metric: str) -> str:
    """Each fold's score as a dot, a line per member; mean and one standard deviation under it."""
    values = np.concatenate([member.scores for member in members])
    frame = Frame(x=around(values), y=(len(members), 0), height=46 + ROW * len(members), left=110)
    parts = list(frame.grid_x(metric))
    for row, member in enumerate(members):
        parts += _dots(frame, row + 0.5, member, is_last=row == len(members) - 1)
    return frame.svg(parts, label=f"{metric} of each fold, by member")


def _dots(frame: Frame, row: float, member: FoldScores, *, is_last: bool) -> Iterator[str]:
    scores = np.array(member.scores)
    mean, std, level = scores.mean(), scores.std(), frame.at_y(row)
    kind = "b" if is_last else "a"
    name = member.name if len(member.name) <= NAME_CHARACTERS else member.name[:14] + "…"
    weight = " strong" if is_last else ""
    yield f'<text x="{frame.left - 10}" y="{level + 4:.1f}" class="end{weight}">{text(name)}</text>'
    low, high = frame.at_x(mean - std), frame.at_x(mean + std)
    yield (
        f'<rect class="band {kind}" x="{low:.1f}" y="{level - 5:.1f}" '
        f'width="{high - low:.1f}" height="10" rx="5"/>'
    )
    # Dots fan out around the line, in an order that does not follow the score.
    for number, score in enumerate(scores):
        offset = ROW * 0.42 * ((number * 0.618) % 1 - 0.5)
        yield (
            f'<circle class="dot {kind}" cx="{frame.at_x(score):.1f}" '
            f'cy="{level + offset:.1f}" r="2.6"><title>split {number + 1}: {score:.4f}</title>'
            "</circle>"
        )
    middle = frame.at_x(mean)
    yield (
        f'<line class="line {kind}" x1="{middle:.1f}" x2="{middle:.1f}" '
        f'y1="{level - 12:.1f}" y2="{level + 12:.1f}"><title>mean {mean:.4f}</title></line>'
    )


def curve(bands: Sequence[tuple[str, Band]], *, label: str) -> str:
    """Curves over epochs with their 10-90 % bands; `bands` has (kind, band)."""
    epochs = [epoch for _, band in bands for epoch in band.epochs]
    low, high = zip(*(_extent(band) for _, band in bands), strict=True)
    frame = Frame(
        x=(min(epochs), max(max(epochs), min(epochs) + 1)),
        y=around([min(low), max(high)]),
        height=210,
    )
    parts = [*frame.grid_y(), *frame.grid_x("epoch", whole=True)]
    for kind, band in bands:
        parts.append(frame.band(band.epochs, band.low, band.high, kind))
        parts.append(frame.line(band.epochs, band.median, kind))
    return frame.svg(parts, label=label)


def _extent(band: Band) -> tuple[float, float]:
    """The range of the curve, without the first epochs where they dwarf all others."""
    settled = len(band.median) // 10
    high = np.quantile(band.high[settled:], 0.99) if settled else max(band.high)
    return min(band.low), float(max(high, max(band.median[settled:])))


def calibration(bins: Sequence[Bin], *, said_of: str) -> str:
    """What was said against what came true; a dot's area is its share of the rows."""
    frame = Frame(x=(0, 1), y=(0, 1), height=300)
    n_rows = sum(one.n_rows for one in bins)
    parts = [*frame.grid_y(), *frame.grid_x(f"predicted probability of {said_of}")]
    parts.append(frame.line((0, 1), (0, 1), "quiet dashed"))
    said, observed = [one.said for one in bins], [one.observed for one in bins]
    parts.append(frame.line(said, observed, "a"))
    for one in bins:
        radius = 3 + 14 * np.sqrt(one.n_rows / n_rows)
        parts.append(
            f'<circle class="bubble a" cx="{frame.at_x(one.said):.1f}" '
            f'cy="{frame.at_y(one.observed):.1f}" r="{radius:.1f}"><title>said '
            f"{one.said:.2f}, true {one.observed:.2f}, {one.n_rows:,} rows</title></circle>"
        )
    return frame.svg(parts, label=f"calibration of the probability of {said_of}")


def side_by_side(column: ColumnDrift) -> str:
    """A column's bins, the training rows' bar beside the test rows'."""
    height, n_bins = 66, len(column.bins)
    top = max(*column.train, *column.test, 1e-9)
    slot = WIDTH / n_bins
    parts = []
    for place, (label, *shares) in enumerate(
        zip(column.bins, column.train, column.test, strict=True)
    ):
        title = f"{label}: {shares[0]:.1%} of train, {shares[1]:.1%} of test"
        bars = [
            _bar(place * slot, slot, at, share / top * height, height)
            for at, share in enumerate(shares)
        ]
        parts.append(f"<g><title>{text(title)}</title>{''.join(bars)}</g>")
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" preserveAspectRatio="none" '
        f'aria-label="{text(column.name)} in train and in test">{"".join(parts)}</svg>'
    )


def _bar(left: float, slot: float, which: int, size: float, height: int) -> str:
    width = slot * 0.36
    return (
        f'<rect class="fill {"ab"[which]}" x="{left + slot * 0.12 + which * (width + 2):.1f}" '
        f'y="{height - size:.1f}" width="{width:.1f}" height="{max(size, 0.5):.1f}" rx="2"/>'
    )


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
