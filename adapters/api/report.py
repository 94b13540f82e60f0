"""The report of an import as CSV: each row of the file with its line, what it asked for, the result and the reason."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING
from uuid import UUID

from litestar import get
from litestar.params import FromPath
from litestar.response import Stream
from msgspec import structs

from adapters.api.imports import IMPORT
from adapters.composition import Rollcall
from adapters.http.lookups import find_import
from adapters.http.problems import responses
from adapters.http.requests import Injected
from adapters.http.security import READERS
from domain.errors import RollcallError
from projections.reports import import_report as reporting

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HEADER = ("line", "column", "group", "user", "outcome", "reason")
LINES_PER_PIECE = 500
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
REPORT_VIEWS = ("import_list", "review", "groups_added", "audit_log")


class ViewsBehind(RollcallError):
    """The report is not up to date yet. Try again in a moment."""

    code = "busy"


@get(f"{IMPORT}/report.csv", sync_to_thread=True, media_type="text/csv", responses=responses("not-found"), opt=READERS)
def report(rollcall: Injected[Rollcall], subscription_id: FromPath[UUID], import_id: FromPath[UUID]) -> Stream:
    """Download the result of every row of the file: each user of each group, group by group, then the problems.

    `line` and `column` say where it is in the file. The report shows the state at the time of the request.
    """
    find_import(rollcall, subscription_id, import_id)
    if not rollcall.health.catch_up(*REPORT_VIEWS):
        raise ViewsBehind
    row = find_import(rollcall, subscription_id, import_id)
    return Stream(
        csv_pieces(structs.astuple(each) for each in reporting.report(rollcall.views, rollcall.blobs, row)),
        media_type="text/csv",
        headers={"Content-Disposition": f'attachment; filename="report-{import_id}.csv"'},
    )


def csv_pieces(rows: Iterable[tuple[object, ...]]) -> Iterator[bytes]:
    """Yield rows as CSV, a few hundred at a time; no cell is a formula (OWASP, CSV injection)."""
    piece = io.StringIO()
    writer = csv.writer(piece)
    writer.writerow(HEADER)
    for number, row in enumerate(rows, start=1):
        writer.writerow([without_formula(cell) for cell in row])
        if number % LINES_PER_PIECE == 0:
            yield piece.getvalue().encode()
            piece.seek(0)
            piece.truncate()
    yield piece.getvalue().encode()


def without_formula(cell: object) -> object:
    """Return a cell that spreadsheets don't read as a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell
