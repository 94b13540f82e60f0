"""Imports: upload, commit, stop; what was added; what happened. Their review is in `reviewing`."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

from litestar import Response, delete, get, post
from litestar.concurrency import sync_to_thread
from litestar.params import FromPath
from litestar.response import Stream
from msgspec import Struct

from adapters.composition import Rollcall
from adapters.http.file_reader import Reading
from adapters.http.lookups import find_import, find_subscription
from adapters.http.paging import After, Limit, cursor, page
from adapters.http.problems import FileRefused, responses
from adapters.http.rate_limits import Limits
from adapters.http.requests import (
    AnyRequest,
    Given,
    IdempotencyKey,
    IfMatch,
    etag,
    not_yet,
    origin,
    version,
)
from adapters.http.security import ADMINISTRATORS, READERS
from adapters.http.uploads import FileBody, take_upload
from application.committing import start_commit, stop
from application.decisions import CommandResult
from application.importing import discard
from domain.errors import NotFound
from projections import groups_added
from projections.groups_added import GroupAddedRow
from projections.import_list import read as import_list
from projections.import_list.read import ImportDocument, document
from projections.reports import history
from projections.reports.history import HistoryRow
from projections.reports.problem_rows import problem_rows

IMPORT = "/subscriptions/{subscription_id:uuid}/imports/{import_id:uuid}"


def location(row_id: UUID, subscription_id: UUID) -> str:
    """Return where an import is."""
    return f"/api/v1/subscriptions/{subscription_id}/imports/{row_id}"


def readable_later(done: CommandResult, subscription_id: UUID) -> Response[Any]:
    """Answer that an edit is done, but cannot be read yet."""
    return not_yet(location(done.id, subscription_id), **etag(done.version))


def nothing(done: CommandResult) -> Response[None]:
    """Answer that an edit is done."""
    return Response(None, status_code=204, headers=etag(done.version))


# --- upload ---------------------------------------------------------------------------------------------------------


@post(
    "/subscriptions/{subscription_id:uuid}/imports",
    operation_class=FileBody,
    responses=responses("not-found", "file-refused", "file-too-large", "key-reused", "unsupported-media-type"),
    opt=ADMINISTRATORS,
)
async def upload(
    request: AnyRequest,
    rollcall: Given[Rollcall],
    reading: Given[Reading],
    limits: Given[Limits],
    subscription_id: FromPath[UUID],
    idempotency_key: IdempotencyKey = None,
) -> Response[ImportDocument | None]:
    """Upload a file as the multipart field `file`; it is read, and can be reviewed or is refused.

    The file goes to disk piece by piece, and is read in a process of its own: neither memory nor the other requests
    feel how large it is. The same upload under the same `Idempotency-Key` finds the import it made, and is answered
    as it was, from the import's present state.
    """
    done = await take_upload(request, rollcall, reading, limits, subscription_id, idempotency_key)
    return await sync_to_thread(_uploaded, rollcall, subscription_id, done)


def _uploaded(rollcall: Rollcall, subscription_id: UUID, done: CommandResult) -> Response[ImportDocument | None]:
    where = location(done.id, subscription_id)
    if not done.readable:
        return not_yet(where)
    try:
        row = find_import(rollcall, subscription_id, done.id)
    except NotFound:  # it was uploaded before, a moment ago
        return not_yet(where)
    if row.state == "rejected":
        raise FileRefused(where, row.file_name, problem_rows(row.file_problems))
    return Response(document(row), status_code=201, headers={"Location": where, **etag(row.version)})


# --- look -----------------------------------------------------------------------------------------------------------


@get(
    "/subscriptions/{subscription_id:uuid}/imports", sync_to_thread=True, responses=responses("not-found"), opt=READERS
)
def list_imports(
    request: AnyRequest,
    rollcall: Given[Rollcall],
    subscription_id: FromPath[UUID],
    limit: Limit = 100,
    after: After = None,
) -> Response[list[ImportDocument]]:
    """List the imports, newest first."""
    find_subscription(rollcall, subscription_id)
    with rollcall.views() as rows:
        before = cursor(after, tuple[datetime, UUID])
        found = import_list.imports(rows, subscription_id, before=before, limit=limit + 1)
    return page(request, found, limit, lambda row: (row.uploaded_at, row.id), document)


@get(IMPORT, sync_to_thread=True, responses=responses("not-found"), opt=READERS)
def show_import(
    rollcall: Given[Rollcall], subscription_id: FromPath[UUID], import_id: FromPath[UUID]
) -> Response[ImportDocument]:
    """Show an import; its `ETag` is what edits and the commit take as `If-Match`."""
    row = find_import(rollcall, subscription_id, import_id)
    return Response(document(row), headers=etag(row.version))


@get(
    f"{IMPORT}/file",
    sync_to_thread=True,
    media_type="application/octet-stream",
    responses=responses("not-found"),
    opt=READERS,
)
def show_file(rollcall: Given[Rollcall], subscription_id: FromPath[UUID], import_id: FromPath[UUID]) -> Stream:
    """Return the bytes that were uploaded."""
    row = find_import(rollcall, subscription_id, import_id)
    chunks = range(rollcall.blobs.chunk_count(subscription_id, "file", row.sha256))
    return Stream(
        (rollcall.blobs.chunk(subscription_id, "file", row.sha256, number) for number in chunks),
        media_type="application/octet-stream",
        headers={
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(row.file_name, safe='')}",
            "Content-Length": str(row.size_bytes),
            "X-Content-Type-Options": "nosniff",
        },
    )


@delete(
    IMPORT,
    sync_to_thread=True,
    responses=responses("not-found", "wrong-state", "something-added", "stale", "version-required"),
    opt=ADMINISTRATORS,
)
def discard_import(
    request: AnyRequest,
    rollcall: Given[Rollcall],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    if_match: IfMatch = None,
) -> Response[None]:
    """Discard an import that has added nothing."""
    done = discard(rollcall, origin(request, subscription_id, import_id), version(if_match))
    return readable_later(done, subscription_id) if not done.readable else nothing(done)


# --- commit ---------------------------------------------------------------------------------------------------------


@post(
    f"{IMPORT}/commit",
    sync_to_thread=True,
    status_code=202,
    responses=responses("not-found", "wrong-state", "nothing-to-add", "stale", "version-required"),
    opt=ADMINISTRATORS,
)
def commit(
    request: AnyRequest,
    rollcall: Given[Rollcall],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    if_match: IfMatch = None,
) -> Response[ImportDocument]:
    """Add the groups as they were reviewed at a version, or go on after a stop; a worker does it."""
    done = start_commit(rollcall, origin(request, subscription_id, import_id), version(if_match))
    row = find_import(rollcall, subscription_id, import_id)
    headers = {"Location": location(import_id, subscription_id), **etag(max(done.version, row.version))}
    return Response(document(row), headers=headers)


@post(
    f"{IMPORT}/stop",
    sync_to_thread=True,
    status_code=200,
    responses=responses("not-found", "wrong-state"),
    opt=ADMINISTRATORS,
)
def stop_import(
    request: AnyRequest,
    rollcall: Given[Rollcall],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
) -> Response[ImportDocument]:
    """Stop adding: when this answers, no further group can be added."""
    done = stop(rollcall, origin(request, subscription_id, import_id))
    row = find_import(rollcall, subscription_id, import_id)
    return Response(document(row), headers=etag(max(done.version, row.version)))


# --- afterwards -----------------------------------------------------------------------------------------------------


class AddedDocument(Struct, frozen=True):
    """A group that an import created, or merged into."""

    group_id: UUID
    name: str
    created: bool
    users_added: int
    users_already_there: int
    added_at: datetime


def added_document(row: GroupAddedRow) -> AddedDocument:
    """Return a group added as it is told."""
    return AddedDocument(row.group_id, row.name, row.created, row.users_added, row.users_already_there, row.added_at)


@get(f"{IMPORT}/groups-added", sync_to_thread=True, responses=responses("not-found"), opt=READERS)
def list_groups_added(
    request: AnyRequest,
    rollcall: Given[Rollcall],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    limit: Limit = 100,
    after: After = None,
) -> Response[list[AddedDocument]]:
    """List the groups that an import added, in the order of the file."""
    find_import(rollcall, subscription_id, import_id)
    with rollcall.views() as rows:
        found = groups_added.groups_added(rows, import_id, after=cursor(after, int) or 0, limit=limit + 1)
    return page(request, found, limit, lambda row: row.number, added_document)


@get(f"{IMPORT}/history", sync_to_thread=True, responses=responses("not-found"), opt=READERS)
def show_history(
    request: AnyRequest,
    rollcall: Given[Rollcall],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    limit: Limit = 100,
    after: After = None,
) -> Response[list[HistoryRow]]:
    """Tell an import event by event, in order."""
    find_import(rollcall, subscription_id, import_id)
    found = rollcall.events.history(import_id, after=cursor(after, int) or 0, limit=limit + 1)
    return page(request, found, limit, lambda record: record.originator_version, history.history_row)


ROUTES = (
    list_imports,
    show_import,
    show_file,
    discard_import,
    commit,
    stop_import,
    list_groups_added,
    show_history,
)
"""All but `upload`, which takes larger bodies."""
