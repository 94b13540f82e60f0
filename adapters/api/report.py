"""The report of an import as CSV: each row of the file with its line, what it asked for, the result and the reason."""

from __future__ import annotations

from uuid import UUID

from litestar import get
from litestar.params import FromPath
from litestar.response import Stream

from adapters.api.imports import IMPORT
from adapters.composition import Rollcall
from adapters.exports import import_report
from adapters.http.downloads import note_download
from adapters.http.lookups import find_import
from adapters.http.problems import responses
from adapters.http.requests import AnyRequest, Injected
from adapters.http.security import READERS
from adapters.postgres import wakeups
from domain.errors import RollcallError

REPORT_VIEWS = ("import_list", "review", "groups_added", "audit_log")


class ViewsBehind(RollcallError):
    """The report is not up to date yet. Try again in a moment."""

    code = "busy"


@get(  # it may wait, so it isn't a `read`, of which only a few run at once
    f"{IMPORT}/report.csv",
    media_type="text/csv",
    sync_to_thread=True,
    responses=responses("not-found"),
    opt=READERS,
)
def report(
    request: AnyRequest, rollcall: Injected[Rollcall], subscription_id: FromPath[UUID], import_id: FromPath[UUID]
) -> Stream:
    """Download the result of every row of the file: each user of each group, group by group, then the problems.

    `line` and `column` say where it is in the file, `row` which row of a spreadsheet that is, if that is another one.
    Users whom the review added are at line 0. `user` is what the file says; the reason names a corrected address.
    The report shows the state at the time of the request.
    """
    find_import(rollcall, subscription_id, import_id)
    if not rollcall.health.catch_up(*REPORT_VIEWS, seconds=wakeups.READABLE_WITHIN_SECONDS):
        raise ViewsBehind
    row, name = find_import(rollcall, subscription_id, import_id), f"report-{import_id}.csv"
    note_download(request, rollcall, subscription_id, "report", name, import_id=import_id)
    return Stream(
        import_report(rollcall, row),
        media_type="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
