"""The table: medians with their spread, as shares of what could be reached and as ratios to another commit."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from msgspec import Struct
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Unit: TypeAlias = Literal["s", "ms", "/s", "MB", "×", ""]
Side: TypeAlias = Literal["this", "base"]


class Row(NamedTuple):
    """Something that is measured under a key. `limit` is the key of what could be reached, in the same unit."""

    name: str
    key: str
    unit: Unit
    limit: str = ""
    target: str = ""


class Result(Struct, frozen=True, omit_defaults=True):
    """A row as measured: the median and the spread; greater ratios are better, whatever the unit."""

    name: str
    unit: Unit
    median: float
    least: float
    most: float
    runs: int
    limit: float | None = None
    share_of_limit: float | None = None
    base: float | None = None
    ratio_to_base: float | None = None
    target: str = ""


class Samples:
    """What was measured, by side and key."""

    def __init__(self) -> None:
        self._values: dict[tuple[Side, str], list[float]] = {}

    def add(self, side: Side, found: Mapping[str, float]) -> None:
        """Add a run's measurements."""
        for key, value in found.items():
            self._values.setdefault((side, key), []).append(value)

    def of(self, key: str, side: Side = "this") -> list[float]:
        """Return what was measured under a key, run by run."""
        return self._values.get((side, key), [])


def results(rows: Sequence[Row], samples: Samples) -> Iterator[Result]:
    """Yield a result for each row that was measured."""
    for row in rows:
        found, limit, base = samples.of(row.key), samples.of(row.limit), samples.of(row.key, "base")
        if found:
            yield Result(
                row.name,
                row.unit,
                median(found),
                min(found),
                max(found),
                len(found),
                median(limit) if limit else None,
                _ratio(row.unit, found, limit),
                median(base) if base else None,
                _ratio(row.unit, found, base),
                row.target,
            )


def _ratio(unit: Unit, found: Sequence[float], other: Sequence[float]) -> float | None:
    """Return by how much something is better than the other: the median over the runs, each measured side by side."""
    pairs = [(one, two) if unit == "/s" else (two, one) for one, two in zip(found, other, strict=False)]
    ratios = [one / two for one, two in pairs if two]
    return median(ratios) if ratios else None


def drawn(found: Sequence[Result], base: str | None) -> Table:
    """Return the table for people."""
    table = Table("row", "this build", "spread", "limit", "share of it", box=None, pad_edge=False)
    if base:
        table.add_column(base)
        table.add_column("ratio to it")
    table.add_column("target")
    for each in found:
        spread = f"{_number(each.least)}–{_number(each.most)}"
        cells = [each.name, f"{_number(each.median)} {each.unit}", spread, _number(each.limit)]
        cells.append(_number(each.share_of_limit))
        cells += [_number(each.base), _number(each.ratio_to_base)] if base else []
        table.add_row(*cells, each.target)
    return table


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
