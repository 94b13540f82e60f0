"""The report: every row of the file: its line, what was asked, what became of it, and why, as CSV."""

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
from adapters.http.requests import Given
from adapters.http.security import READERS
from domain.errors import RollcallError
from projections.reports import import_report as reporting

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HEADER = ("line", "column", "group", "user", "outcome", "reason")
LINES_A_PIECE = 500
STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
TOLD_BY = ("import_list", "review", "groups_added", "audit_log")


class Behind(RollcallError):
    """What was recorded cannot be read yet. Try again in a moment."""

    code = "busy"


@get(f"{IMPORT}/report.csv", sync_to_thread=True, media_type="text/csv", responses=responses("not-found"), opt=READERS)
def report(rollcall: Given[Rollcall], subscription_id: FromPath[UUID], import_id: FromPath[UUID]) -> Stream:
    """Return what became of every row of the file: each user of each group, group by group, then what was wrong.

    `line` and `column` are where it stands in the file. It tells what is recorded when it is asked for.
    """
    find_import(rollcall, subscription_id, import_id)
    if not rollcall.health.catch_up(*TOLD_BY):
        raise Behind
    row = find_import(rollcall, subscription_id, import_id)
    return Stream(
        written(structs.astuple(each) for each in reporting.report(rollcall.views, rollcall.blobs, row)),
        media_type="text/csv",
        headers={"Content-Disposition": f'attachment; filename="report-{import_id}.csv"'},
    )


def written(rows: Iterable[tuple[object, ...]]) -> Iterator[bytes]:
    """Return rows as CSV, some hundred at a time; no cell is a formula (OWASP, CSV injection)."""
    piece = io.StringIO()
    writer = csv.writer(piece)
    writer.writerow(HEADER)
    for number, row in enumerate(rows, start=1):
        writer.writerow([harmless(cell) for cell in row])
        if number % LINES_A_PIECE == 0:
            yield piece.getvalue().encode()
            piece.seek(0)
            piece.truncate()
    yield piece.getvalue().encode()


def harmless(cell: object) -> object:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(STARTS_A_FORMULA) else cell
