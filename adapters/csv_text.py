"""CSV that Rollcall writes: in pieces, and with no cell that a spreadsheet would run as a formula."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from domain.formulas import without_formula

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

LINES_PER_PIECE = 500
BYTE_ORDER_MARK = "\ufeff"
"""Without it, Excel takes UTF-8 for the code page of the machine."""


def csv_pieces(
    header: Sequence[str], rows: Iterable[tuple[object, ...] | str], delimiter: str = ","
) -> Iterator[bytes]:
    """Yield rows as CSV in UTF-8 with a byte order mark, a few hundred at a time; no cell is a formula.

    A row that is a text is written as it is.

    The header has quotation marks: DuckDB decides by the first rows whether a file has any, and without them would take
    those further down for text. Its first cell has none, because some readers accept none behind a byte order mark.

    A row has them, too, if it begins with `#`. Without them, DuckDB and univocity-parsers would take it for a comment.
    """
    piece = io.StringIO()
    piece.write(f"{BYTE_ORDER_MARK}{header[0]}{delimiter}")
    csv.writer(piece, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerow(header[1:])
    plain = csv.writer(piece, delimiter=delimiter)
    quoted = csv.writer(piece, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    for number, row in enumerate(rows, start=1):
        if isinstance(row, str):
            piece.write(f"{row}\r\n")
        else:
            writer = quoted if str(row[0]).startswith("#") else plain
            writer.writerow([without_formula(cell) if isinstance(cell, str) else cell for cell in row])
        if number % LINES_PER_PIECE == 0:
            yield piece.getvalue().encode()
            piece.seek(0)
            piece.truncate()
    yield piece.getvalue().encode()
