"""A report's charts: evidence in, inline SVG out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from pipelines.report.evidence import Band, Bin, ColumnDrift, FoldScores
from pipelines.report.frame import WIDTH, Frame, around, text

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
