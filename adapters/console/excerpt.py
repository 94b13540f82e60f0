"""The first rows of a file that was refused, so that a page can show the cell in its row."""

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
"""How lines end in UTF-16, and the bytes of its characters, by the byte order mark that a file begins with."""


class Cell(Struct, frozen=True):
    """A cell; `fault` is the number of the problem that is at it, from 1, or 0."""

    value: str
    fault: int


class Line(Struct, frozen=True):
    """A row of a file, and the physical line at which it begins."""

    number: int
    cells: list[Cell]


def excerpt(content: bytes, problems: Sequence[Problem], limits: Limits) -> list[Line]:
    """Return the header and the rows below it, if there is a problem with a cell of it; `content` may be cut short."""
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
    """Cut what is longer behind its last line, so that no character of it is cut: in UTF-16, one has two bytes."""
    if len(content) < BYTES:
        return content
    feed, width = LINE_FEEDS.get(content[:2], (b"\n", 1))
    end = content.rfind(feed)
    while end > 0 and end % width:  # the second half of one character, and the first one of the next
        end = content.rfind(feed, 0, end + width - 1)
    return content[: end + width] if end >= 0 else content


def _line(row: Row, faults: dict[tuple[int, int], int]) -> Line:
    missing = max((column for line, column in faults if line == row.line and column <= COLUMNS), default=0)
    cells = [*row.cells, *[""] * (missing - len(row.cells))]
    return Line(
        row.line,
        [Cell(printable(cell), faults.get((row.line, column), 0)) for column, cell in enumerate(cells, start=1)],
    )
