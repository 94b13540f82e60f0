"""Imports: upload, commit, stop, close; the groups added; the history. The review is in `review`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

from litestar import Response, delete, post
from litestar.params import FromPath, QueryParameter
from litestar.response import Stream
from msgspec import Struct, convert

from adapters.composition import Rollcall
from adapters.http.downloads import attachment, note_download
from adapters.http.file_reader import FileReader
from adapters.http.lookups import find_import, find_subscription
from adapters.http.paging import After, Limit, Since, Until, decode_after, document_list, list_response
from adapters.http.plans import find_plan
from adapters.http.problems import FileRefused, accepted_response, responses
from adapters.http.rate_limits import RateLimits
from adapters.http.reads import read
from adapters.http.requests import (
    AnyRequest,
    IdempotencyKey,
    IfMatch,
    Injected,
    at_expected_version,
    changed,
    checked_text,
    etag,
    no_content,
    origin_of,
    parse_times,
)
from adapters.http.security import ADMINISTRATORS, READERS
from adapters.http.then import At, Version, find_replay
from adapters.http.uploads import FileBody, take_upload
from application.committing import start_commit, stop
from application.erased_files import file_erased
from application.importing import ImportResult, close, discard
from domain.addition import GroupOutcome, SkipReason
from domain.naming import LONGEST_NAME
from projections.groups_added import read as groups_added
from projections.groups_added.read import GroupAddedRow, GroupSkippedRow, GroupUndo
from projections.import_list import read as import_list
from projections.import_list.read import ImportDocument, ImportState, document, imported
from projections.reports import history
from projections.reports.history import HistoryRow
from projections.reports.import_plan import PlanDocument, plan_document
from projections.reports.problem_rows import problem_rows

PLAN = "The `digest` of the plan that you have seen."
IMPORT = "/subscriptions/{subscription_id:uuid}/imports/{import_id:uuid}"


def location(subscription_id: UUID, import_id: UUID) -> str:
    """Return the path of an import."""
    return f"/api/v1/subscriptions/{subscription_id}/imports/{import_id}"


# --- upload ---------------------------------------------------------------------------------------------------------


@post(
    "/subscriptions/{subscription_id:uuid}/imports",
    operation_class=FileBody,
    responses=accepted_response(ImportDocument)
    | responses("not-found", "file-refused", "file-too-large", "key-reused", "unsupported-media-type", "storage-full"),
    opt=ADMINISTRATORS,
)
async def upload(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    file_reader: Injected[FileReader],
    rate_limits: Injected[RateLimits],
    subscription_id: FromPath[UUID],
    idempotency_key: IdempotencyKey = None,
) -> Response[ImportDocument]:
    """Upload a file as the multipart field `file`. Rollcall reads it and then either lets you review it or refuses it.

    If you repeat an upload with the same `Idempotency-Key`, the response shows the current state of the import that
    the first upload created. An empty file doesn't use up a key.
    """
    done = await take_upload(request, rollcall, file_reader, rate_limits, subscription_id, idempotency_key)
    if (row := imported(done)).state == "rejected":
        raise FileRefused(location(subscription_id, done.id), row.file_name, problem_rows(row.file_problems))
    return shown_import(done, status=201)


def shown_import(done: ImportResult, *, status: int, readable: bool | None = None) -> Response[ImportDocument]:
    """Answer with an import as a command left it. The ETag is that of the content."""
    row = imported(done)
    where, shown = location(row.subscription_id, row.id), done.readable if readable is None else readable
    return changed(document(row), where, readable=shown, status=status, headers=etag(row.version))


InState: TypeAlias = Annotated[
    ImportState | None, QueryParameter(name="state", description="Only imports in this state.")
]


# --- look -----------------------------------------------------------------------------------------------------------


@read("/subscriptions/{subscription_id:uuid}/imports", responses=responses("not-found"), opt=READERS)
def list_imports(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    q: Annotated[str, QueryParameter(description="Part of the file's name.", max_length=LONGEST_NAME)] = "",
    in_state: InState = None,
    actor: Annotated[str | None, QueryParameter(max_length=255, description="Only uploaded by this actor.")] = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
    after: After = None,
) -> Response[list[ImportDocument]]:
    """List the imports, newest first."""
    find_subscription(rollcall, subscription_id)
    start, uploaded_by = decode_after(after, tuple[datetime, UUID]), checked_text(actor or "", "actor")
    times = parse_times(since, until)
    wanted = import_list.ImportFilter(checked_text(q), in_state, uploaded_by, *times)
    with rollcall.views() as cursor:
        found = import_list.imports(cursor, subscription_id, wanted, before=start, limit=limit + 1)
    return document_list(list_response(request, found, limit, lambda row: (row.uploaded_at, row.id)), document)


@read(IMPORT, responses=responses("not-found"), opt=READERS)
def show_import(
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    version: Version = None,
    at: At = None,
) -> Response[ImportDocument]:
    """Show an import. Send its `ETag` as `If-Match` when you edit, discard, commit or close it.

    With `version` or `at`, this is how it stood then.
    """
    row = find_replay(rollcall, subscription_id, import_id, version, at).row
    return Response(document(row), headers=etag(row.version))


@read(
    f"{IMPORT}/file",
    media_type="application/octet-stream",
    responses=responses("not-found", "file-erased"),
    opt=READERS,
)
def show_file(
    request: AnyRequest, rollcall: Injected[Rollcall], subscription_id: FromPath[UUID], import_id: FromPath[UUID]
) -> Stream:
    """Download the file exactly as it was uploaded.

    The answer is 410 if it was erased: after its retention, or because it named a person who was forgotten.
    """
    row = find_import(rollcall, subscription_id, import_id)
    if erased := file_erased(rollcall, subscription_id, import_id, row.sha256):
        raise erased
    chunks = range(rollcall.blobs.chunk_count(subscription_id, "file", row.sha256))
    note_download(request, rollcall, subscription_id, "file", row.file_name, import_id=import_id)
    return Stream(
        (rollcall.blobs.chunk(subscription_id, "file", row.sha256, number) for number in chunks),
        media_type="application/octet-stream",
        headers={
            "Content-Disposition": attachment(row.file_name),
            "Content-Length": str(row.size_bytes),
            "X-Content-Type-Options": "nosniff",
        },
    )


@delete(
    IMPORT,
    sync_to_thread=True,
    responses=accepted_response()
    | responses("not-found", "wrong-state", "something-added", "stale", "version-required"),
    opt=ADMINISTRATORS,
)
def discard_import(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    if_match: IfMatch = None,
) -> Response[None]:
    """Discard an import that has added nothing."""
    origin = origin_of(request, subscription_id, import_id)
    done = at_expected_version(if_match, lambda version: discard(rollcall, origin, version))
    return no_content(location(subscription_id, import_id), readable=done.readable, headers=etag(done.version))


@read(f"{IMPORT}/plan", responses=responses("not-found", "wrong-state"), opt=READERS)
def show_plan(
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    version: Version = None,
    at: At = None,
) -> Response[PlanDocument]:
    """Show what adding the groups of an import would do now, in total. The review says it for each group.

    After a stop, it is about the groups that remain. Send the `digest` when you commit, so that exactly this happens.
    With `version` or `at`, this is the plan of then, with the licences and groups of then.
    """
    replay = find_replay(rollcall, subscription_id, import_id, version, at)
    with replay.views() as cursor:
        planned = find_plan(rollcall, cursor, replay.row)
        rows_not_read = replay.row.counts.rows_not_read
        found = plan_document(planned.version, planned.planned, rows_not_read, replay.same_file(cursor))
    return Response(found, headers=etag(found.version))


# --- commit ---------------------------------------------------------------------------------------------------------


@post(
    f"{IMPORT}/commit",
    sync_to_thread=True,
    status_code=202,
    responses=responses("not-found", "wrong-state", "nothing-to-add", "plan-changed", "stale", "version-required"),
    opt=ADMINISTRATORS,
)
def commit(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    if_match: IfMatch = None,
    plan: Annotated[str | None, QueryParameter(max_length=64, description=PLAN)] = None,
) -> Response[ImportDocument]:
    """Add the groups as reviewed at a version, or continue after a stop. A worker adds them in the background.

    With the digest of a plan, they are added only if that is still what happens.
    """
    origin = origin_of(request, subscription_id, import_id)
    done = at_expected_version(if_match, lambda version: start_commit(rollcall, origin, version, plan))
    return shown_import(done, status=202, readable=False)


@post(
    f"{IMPORT}/stop",
    sync_to_thread=True,
    status_code=200,
    responses=accepted_response(ImportDocument) | responses("not-found", "wrong-state"),
    opt=ADMINISTRATORS,
)
def stop_import(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
) -> Response[ImportDocument]:
    """Stop adding groups, or undoing the import. Once this responds, no further group is changed."""
    return shown_import(stop(rollcall, origin_of(request, subscription_id, import_id)), status=200)


@post(
    f"{IMPORT}/close",
    sync_to_thread=True,
    status_code=200,
    responses=accepted_response(ImportDocument) | responses("not-found", "wrong-state", "stale", "version-required"),
    opt=ADMINISTRATORS,
)
def close_import(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    if_match: IfMatch = None,
) -> Response[ImportDocument]:
    """Finish a stopped import. What it added stays, and the groups that remain are not added any more."""
    origin = origin_of(request, subscription_id, import_id)
    return shown_import(at_expected_version(if_match, lambda version: close(rollcall, origin, version)), status=200)


# --- afterwards -----------------------------------------------------------------------------------------------------


class AddedDocument(Struct, frozen=True):
    """What an import did with a group of the file, in other words and numbers than its row.

    `left_out` counts users without a licence. `undo` is None unless an undo of the import has dealt with the group. Of
    a group that was skipped, `group_id` and `added_at` are None, and there is a `reason`; its name is empty in early
    imports.
    """

    number: int
    group_id: UUID | None
    name: str
    outcome: GroupOutcome
    created: bool
    joins: bool
    users_added: int
    users_already_there: int
    left_out: int
    added_at: datetime | None
    undo: GroupUndo | None
    reason: SkipReason | None = None


OfOutcome: TypeAlias = Annotated[
    GroupOutcome | None,
    QueryParameter(description="Only groups of which this became. By default all but `skipped`."),
]
OnlyGroups: TypeAlias = Annotated[
    Literal["users_added", "already_there", "left_out", "deleted", "users_removed", "kept", "not_undone"] | None,
    QueryParameter(
        description="Only groups with users who were added, were in the group already, or were left out for want of a "
        "licence (skipped groups, too); or which an undo has deleted, from which it has removed users (deleted ones, "
        "too), in which it has kept something, or to which it has not come."
    ),
]


def _added_document(row: GroupAddedRow | GroupSkippedRow) -> AddedDocument:
    if isinstance(row, GroupAddedRow):
        return convert(row, AddedDocument, from_attributes=True)
    skipped: GroupOutcome = "skipped"
    return AddedDocument(row.number, None, row.name, skipped, False, False, 0, 0, row.left_out, None, None, row.reason)


@read(f"{IMPORT}/groups-added", responses=responses("not-found"), opt=READERS)
def list_groups_added(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    outcome: OfOutcome = None,
    only: OnlyGroups = None,
    limit: Limit = 100,
    after: After = None,
    version: Version = None,
    at: At = None,
) -> Response[list[AddedDocument]]:
    """List the groups that an import added, in the order of the file, and what an undo did to them.

    Each count of the import's `progress` has its list: `?outcome=created` has `groups_created`, and so on;
    `?only=users_added`, `already_there` and `left_out` have the groups whose users add up to it, and `?only=deleted`,
    `users_removed` and `kept` those of the counts of an undo. The users are in `memberships`.
    With `version` or `at`, it is the result of then.
    """
    replay = find_replay(rollcall, subscription_id, import_id, version, at)
    start = decode_after(after, int) or 0
    with replay.views() as cursor:
        wanted = groups_added.wanted(outcome, only)
        where = (cursor, subscription_id, import_id)
        found = groups_added.groups_done(*where, *wanted, after=start, limit=limit + 1)
    return document_list(list_response(request, found, limit, lambda row: row.number), _added_document)


@read(f"{IMPORT}/history", responses=responses("not-found"), opt=READERS)
def show_history(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    since_version: Annotated[int, QueryParameter(ge=1, description="Only from this version on.")] = 1,
    limit: Limit = 100,
    after: After = None,
) -> Response[list[HistoryRow]]:
    """List the events of an import in order, each with the version that it made and with what it changed.

    `?since_version=7&limit=1` has what version 7 changed against version 6; `?version=7` of other routes shows the
    import as it stood then. Where a group was added, `data` has `users`: the addresses added.
    """
    row = find_import(rollcall, subscription_id, import_id)
    start = max(decode_after(after, int) or 0, min(since_version, row.version + 1) - 1)
    found = rollcall.events.history(import_id, after=start, limit=limit + 1)
    with rollcall.views() as cursor:
        rows = history.import_history(cursor, row, found)
    return list_response(request, rows, limit, lambda row: row.version)


ROUTES = (
    list_imports,
    show_import,
    show_plan,
    show_file,
    discard_import,
    commit,
    stop_import,
    close_import,
    list_groups_added,
    show_history,
)
"""All but `upload`, which accepts larger bodies."""
