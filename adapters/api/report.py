"""Files about an import: its report, with the result of each row of its file, and the rows that weren't added."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from litestar import get
from litestar.params import FromPath
from litestar.response import Stream

from adapters.api.imports import IMPORT
from adapters.composition import Rollcall
from adapters.exports import import_report, rows_to_fix
from adapters.http.downloads import note_download
from adapters.http.lookups import find_import
from adapters.http.problems import responses
from adapters.http.requests import AnyRequest, Injected
from adapters.http.security import READERS
from adapters.http.then import At, Version, find_replay
from adapters.postgres import wakeups
from domain.errors import RollcallError

if TYPE_CHECKING:
    from collections.abc import Iterator

REPORT_VIEWS = ("import_list", "review", "groups_added", "directory")


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
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    version: Version = None,
    at: At = None,
) -> Stream:
    """Download the result of every row of the file: each user of each group, group by group, then the problems.

    `line` and `column` say where it is in the file, `row` which row of a spreadsheet that is, if that is another one.
    Users whom the review added are at line 0. `group` and `user` are what the row says, whatever is wrong with it; the
    reason names a corrected address and a new name. The report shows the state at the time of the request or, with
    `version` or `at`, that of then.
    """
    _catch_up(rollcall, subscription_id, import_id)
    replay, name = find_replay(rollcall, subscription_id, import_id, version, at), f"report-{import_id}.csv"
    note_download(request, rollcall, subscription_id, "report", name, import_id=import_id)
    return _csv(import_report(rollcall, replay.row, replay.views), name)


@get(
    f"{IMPORT}/rows-not-added.csv",
    media_type="text/csv",
    sync_to_thread=True,
    responses=responses("not-found", "wrong-state", "file-erased"),
    opt=READERS,
)
def rows_not_added(
    request: AnyRequest, rollcall: Injected[Rollcall], subscription_id: FromPath[UUID], import_id: FromPath[UUID]
) -> Stream:
    """Download the rows that weren't added, as a file that you can fix and upload as it is.

    It has the columns and the delimiter of the file, and a last column `Reason`, which is passed over when you upload
    it. Of a user-based file, a row keeps only the groups that the user doesn't join; of a group-based one, only the
    users who don't join the group. Names and addresses are those of the review. Users who were removed in the review,
    and groups that were left out, aren't there. In a review, these are the rows that wouldn't be added now.
    """
    _catch_up(rollcall, subscription_id, import_id)
    row, name = find_import(rollcall, subscription_id, import_id), f"rows-not-added-{import_id}.csv"
    pieces = rows_to_fix(rollcall, row)
    note_download(request, rollcall, subscription_id, "rows-not-added", name, import_id=import_id)
    return _csv(pieces, name)


def _catch_up(rollcall: Rollcall, subscription_id: UUID, import_id: UUID) -> None:
    """Wait until all that is known of an import can be read; raises NotFound and ViewsBehind."""
    find_import(rollcall, subscription_id, import_id)
    if not rollcall.health.catch_up(*REPORT_VIEWS, seconds=wakeups.READABLE_WITHIN_SECONDS):
        raise ViewsBehind


def _csv(pieces: Iterator[bytes], name: str) -> Stream:
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Stream(pieces, media_type="text/csv", headers=disposition)


ROUTES = (report, rows_not_added)
