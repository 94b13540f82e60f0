"""A plot of how the time of a commit grows, drawn as SVG with logarithmic axes."""

from __future__ import annotations

from math import log10
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTH, HEIGHT, MARGIN = 640, 400, 60


def slope(points: Mapping[int, float]) -> float:
    """Return the slope of a line through the logarithms: 1 is linear growth."""
    xs, ys = [log10(x) for x in points], [log10(y) for y in points.values()]
    x_mean, y_mean = fmean(xs), fmean(ys)
    covered = sum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True))
    return covered / sum((x - x_mean) ** 2 for x in xs)


def plot(points: Mapping[int, float]) -> str:
    """Draw seconds by memberships, beside a line of linear growth that ends where the last point is."""
    xs, ys = [log10(x) for x in points], [log10(y) for y in points.values()]
    linear = [ys[-1] + x - xs[-1] for x in xs]
    lowest, highest = min(*ys, *linear), max(*ys, *linear)

    def place(x: float, y: float) -> str:
        across = MARGIN + (x - xs[0]) / (xs[-1] - xs[0]) * (WIDTH - 2 * MARGIN)
        down = HEIGHT - MARGIN - (y - lowest) / (highest - lowest) * (HEIGHT - 2 * MARGIN)
        return f"{across:.1f},{down:.1f}"

    def line(values: Sequence[float], style: str) -> str:
        return f'<polyline points="{" ".join(map(place, xs, values))}" fill="none" {style}/>'

    marks = []
    for (memberships, seconds), x, y in zip(points.items(), xs, ys, strict=True):
        across, down = place(x, y).split(",")
        marks += [
            f'<circle cx="{across}" cy="{down}" r="4" fill="#0b57d0"/>',
            f'<text x="{across}" y="{float(down) - 10:.1f}" text-anchor="middle">{seconds:.3g} s</text>',
            f'<text x="{across}" y="{HEIGHT - 30}" text-anchor="middle">{memberships:,}</text>',
        ]
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" style="font: 13px sans-serif">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
            f'<text x="{WIDTH / 2}" y="24" text-anchor="middle">From Add Groups until every view shows it</text>',
            f'<text x="{WIDTH / 2}" y="44" text-anchor="middle">slope {slope(points):.2f} (dashed: 1)</text>',
            line(linear, 'stroke="#999" stroke-dasharray="5 5"'),
            line(ys, 'stroke="#0b57d0" stroke-width="2"'),
            *marks,
            f'<text x="{WIDTH / 2}" y="{HEIGHT - 8}" text-anchor="middle">memberships</text>',
            "</svg>\n",
        )
    )
