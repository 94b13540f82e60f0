"""CSV that Rollcall writes: in pieces, and with no cell that a spreadsheet would run as a formula."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

LINES_PER_PIECE = 500
SEPARATORS = ",;|\t\r\n\v\f\x85\u2028\u2029،؛，；"
"""What may end a cell or a line elsewhere: in much of Europe and in Persian, spreadsheets split at a semicolon."""
FORMULA_STARTS = "=+-@＝＋－＠"
_FORMULA = re.compile(rf'(?:^|(?<=[{SEPARATORS}]))(?=[\s"]*[{re.escape(FORMULA_STARTS)}])|^(?=[\t\r\n])')


def csv_pieces(header: Sequence[str], rows: Iterable[tuple[object, ...]]) -> Iterator[bytes]:
    """Yield rows as CSV, a few hundred at a time; no cell is a formula.

    The header has quotation marks: DuckDB decides by the first rows whether a file has any, and without them would take
    those further down for text. Its first cell has none, because some readers accept none behind a byte order mark.
    """
    piece = io.StringIO()
    piece.write(f"{header[0]},")
    csv.writer(piece, quoting=csv.QUOTE_ALL).writerow(header[1:])
    writer = csv.writer(piece)
    for number, row in enumerate(rows, start=1):
        writer.writerow([without_formula(cell) for cell in row])
        if number % LINES_PER_PIECE == 0:
            yield piece.getvalue().encode()
            piece.seek(0)
            piece.truncate()
    yield piece.getvalue().encode()


def without_formula(cell: object) -> object:
    """Return a cell that spreadsheets don't read as a formula (OWASP, CSV injection), wherever they split it.

    Quoting doesn't keep a cell together where another separator is in force: in `2,"x;=1+1"` the quotation mark stands
    inside the first cell, so it is not one. So each part that would be a formula gets an apostrophe.
    """
    return _FORMULA.sub("'", cell) if isinstance(cell, str) else cell
