"""Charts as the pages draw them: in SVG, whose coordinates go from 0 to 100 in both directions.

A chart says nothing to a screen reader; the page has a table of the same figures beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence

GAP = 0.2
"""Which part of a bar's place is left free."""


class Bar(Struct, frozen=True):
    """A rectangle, and the name of what it stands for."""

    name: str
    x: float
    y: float
    width: float
    height: float


def steps(values: Sequence[float], most: float) -> str:
    """Return the path of a line that keeps each value for as long as the others; `most` is at its top."""
    width = 100 / max(1, len(values))
    heights = [_rounded(100 - 100 * value / max(most, 1)) for value in values]
    return " ".join(
        f"{'L' if at else 'M'}{_rounded(at * width)} {height}H{_rounded((at + 1) * width)}"
        for at, height in enumerate(heights)
    )


def stacks(places: Sequence[Sequence[tuple[str, float]]]) -> list[Bar]:
    """Return the bars of a chart that has a stack of named values in each place; the highest stack reaches the top."""
    most = max((sum(value for _, value in stack) for stack in places), default=0) or 1
    width = 100 / max(1, len(places))
    found: list[Bar] = []
    for at, stack in enumerate(places):
        below = 0.0
        for name, value in stack:
            height = 100 * value / most
            below += height
            left = _rounded((at + GAP / 2) * width)
            found.append(Bar(name, left, _rounded(100 - below), _rounded(width * (1 - GAP)), _rounded(height)))
    return found


def _rounded(number: float) -> float:
    """Return a coordinate that is short and exact enough for every screen."""
    return round(number, 2)
