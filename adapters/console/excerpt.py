"""The first rows of a refused file, so that its page can show which cells are wrong."""

from __future__ import annotations

from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from itertools import islice
from typing import TYPE_CHECKING

from msgspec import Struct

from domain.files.header import find_delimiter
from domain.files.rows import Row, Rows
from domain.files.text import PhysicalLines, Unreadable, find_encoding
from domain.naming import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.problems import Problem
    from domain.roster import Limits

BYTES = 1 << 16
ROWS = 3
COLUMNS = 24
LINE_FEEDS = {BOM_UTF16_LE: (b"\n\0", 2), BOM_UTF16_BE: (b"\0\n", 2)}
"""A line feed in UTF-16 and how many bytes it has, by the byte order mark that a file begins with."""


class Cell(Struct, frozen=True):
    """A cell. `fault` is the number of its problem, from 1, or 0 if it has none."""

    value: str
    fault: int


class Line(Struct, frozen=True):
    """A row, and the number of the physical line that it begins at."""

    number: int
    cells: list[Cell]


def excerpt(content: bytes, problems: Sequence[Problem], limits: Limits) -> list[Line]:
    """Return the header and the first rows, or nothing if no problem is in a cell. `content` may end early."""
    faults = {(problem.line, problem.column): number for number, problem in enumerate(problems, start=1)}
    if not any(line and column for line, column in faults):
        return []
    try:
        lines = PhysicalLines(find_encoding(_whole_lines(content[:BYTES])).pieces())
    except Unreadable:
        return []
    columns = min(COLUMNS, limits.columns)
    rows = Rows(lines, find_delimiter(lines, limits), columns, limits.cell_bytes)
    return [_line(row, faults) for row in islice(rows, ROWS) if isinstance(row, Row)]


def _whole_lines(content: bytes) -> bytes:
    """Cut content that may end within a line at its last line feed, so that no character is cut in two."""
    if len(content) < BYTES:
        return content
    feed, width = LINE_FEEDS.get(content[:2], (b"\n", 1))
    end = content.rfind(feed)
    while end > 0 and end % width:  # these bytes belong to two characters
        end = content.rfind(feed, 0, end + width - 1)
    return content[: end + width] if end >= 0 else content


def _line(row: Row, faults: dict[tuple[int, int], int]) -> Line:
    missing = max((column for line, column in faults if line == row.line and column <= COLUMNS), default=0)
    cells = [*row.cells, *[""] * (missing - len(row.cells))]
    return Line(
        row.line,
        [Cell(printable(cell), faults.get((row.line, column), 0)) for column, cell in enumerate(cells, start=1)],
    )
