"""The review of an import: what it would add, the problems in the file, and the edits."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import Response, delete, patch, put
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta, Struct
from msgspec.structs import replace

from adapters.api.imports import IMPORT, location
from adapters.composition import Rollcall
from adapters.http.lookups import find_import, open_roster
from adapters.http.paging import After, Limit, Search, decode_after, document_list, list_response
from adapters.http.problems import accepted_response, responses
from adapters.http.reads import read
from adapters.http.requests import (
    AnyRequest,
    IfMatch,
    Injected,
    at_expected_version,
    changed,
    checked_text,
    email_in_path,
    etag,
    no_content,
    origin_of,
)
from adapters.http.reviews import OnlyGroups, group_filter
from adapters.http.security import ADMINISTRATORS, READERS
from adapters.http.then import At, Version, find_replay
from application.editing import leave_group_out, remove_user, rename_group, take_group_in
from application.importing import plan_at
from domain.errors import NotFound
from domain.naming import LONGEST_NAME, parse_group_name
from domain.problem_kinds import Severity
from projections.reports.problem_rows import ProblemRow, problem_codes, problem_rows
from projections.reports.review_problems import problems
from projections.reports.reviewed_users import ReviewedUser, reviewed_users
from projections.review import read as review
from projections.review.read import ReviewedGroup

ONLY = "Only groups with problems, or to which this happens if the groups are added now."
USER = "Only groups that will have a user whose address, or name in the file, has this text: as the review was edited."


@read(f"{IMPORT}/groups", responses=responses("not-found", "wrong-state"), opt=READERS)
def list_reviewed_groups(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    q: Search = "",
    only: Annotated[OnlyGroups | None, QueryParameter(description=ONLY)] = None,
    user: Annotated[str, QueryParameter(max_length=LONGEST_NAME, description=USER)] = "",
    version: Version = None,
    at: At = None,
    limit: Limit = 100,
    after: After = None,
) -> Response[list[ReviewedGroup]]:
    """Review an import: the groups as they would be added.

    With `version` or `at`, this is the review as it stood then, with the licences and groups of then.
    """
    replay = find_replay(rollcall, subscription_id, import_id, version, at)
    row, found = replay.row, list[ReviewedGroup]()
    if row.read is not None:
        search, person, start = checked_text(q), checked_text(user, "user"), decode_after(after, int) or 0
        with replay.views() as cursor:
            roster = open_roster(rollcall, cursor, row)
            wanted = group_filter(rollcall, cursor, row, roster, search=search, only=only, person=person)
            found = review.groups(cursor, subscription_id, import_id, roster, wanted, after=start, limit=limit + 1)
    return list_response(request, found, limit, lambda group: group.number, etag(row.version))


@read(f"{IMPORT}/groups/{{number:int}}/users", responses=responses("not-found"), opt=READERS)
def list_reviewed_users(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    number: FromPath[int],
    version: Version = None,
    at: At = None,
    limit: Limit = 100,
    after: After = None,
) -> Response[list[ReviewedUser]]:
    """List the users of one group of an import, in the order of the file; on request as the review stood then."""
    replay = find_replay(rollcall, subscription_id, import_id, version, at)
    row, start = replay.row, decode_after(after, int) or 0
    if row.read is None:
        raise NotFound(what="group in this import with the number", id=number)
    with replay.views() as cursor:
        roster = open_roster(rollcall, cursor, row)
        found = reviewed_users(cursor, subscription_id, import_id, roster, number, after=start, limit=limit + 1)
    return list_response(request, found, limit, lambda _: start + limit, etag(row.version))


@read(f"{IMPORT}/problems", responses=responses("not-found"), opt=READERS)
def list_problems(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    code: Annotated[str | None, QueryParameter(max_length=100, description="Only problems with this code.")] = None,
    severity: Annotated[Severity | None, QueryParameter(description="Only problems of this severity.")] = None,
    version: Version = None,
    at: At = None,
    limit: Limit = 100,
    after: After = None,
) -> Response[list[ProblemRow]]:
    """List the problems in the file, in its order; on request as the review stood then."""
    replay = find_replay(rollcall, subscription_id, import_id, version, at)
    row = replay.row
    codes = problem_codes(code, severity)
    start = decode_after(after, int) or 0
    if row.read is None:
        numbered = enumerate(row.file_problems, start=1)
        found = [(number, problem) for number, problem in numbered if problem.code in codes and number > start]
    else:
        with replay.views() as cursor:
            roster = open_roster(rollcall, cursor, row)
            where = (cursor, subscription_id, import_id, roster)
            found = problems(*where, codes=codes, after=start, limit=limit + 1)
    page = list_response(request, found, limit, lambda each: each[0], etag(row.version))
    return document_list(page, lambda each: problem_rows([each[1]])[0])


# --- edit -----------------------------------------------------------------------------------------------------------


class NewName(Struct, forbid_unknown_fields=True, frozen=True):
    """A new name for a group."""

    name: Annotated[str, Meta(min_length=1, max_length=255, examples=["Sales Europe"])]


EDIT_RESPONSES = responses("not-found", "wrong-state", "stale", "version-required", "group-name-invalid")


@patch(
    f"{IMPORT}/groups/{{number:int}}",
    sync_to_thread=True,
    responses=accepted_response(ReviewedGroup) | EDIT_RESPONSES,
    opt=ADMINISTRATORS,
)
def rename(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    number: FromPath[int],
    data: JSONBody[NewName],
    if_match: IfMatch = None,
) -> Response[ReviewedGroup]:
    """Rename a group in this import."""
    origin = origin_of(request, subscription_id, import_id)
    renamed = _renamed_group(rollcall, subscription_id, import_id, number, parse_group_name(data.name))
    done = at_expected_version(if_match, lambda version: rename_group(rollcall, origin, number, data.name, version))
    assert renamed is not None  # noqa: S101 - otherwise the command was refused
    where = f"{location(subscription_id, import_id)}/groups"
    return changed(renamed, where, readable=done.readable, headers=etag(done.version))


def _renamed_group(
    rollcall: Rollcall, subscription_id: UUID, import_id: UUID, number: int, name: str
) -> ReviewedGroup | None:
    """Return a group of the review as it is under another name; None if there is no such group.

    It is read before the group is renamed: nothing may fail afterwards. Raises NotFound if the review is behind.
    """
    row = find_import(rollcall, subscription_id, import_id)
    plan = plan_at(rollcall, import_id, row.version)
    if row.read is None or plan is None or not 1 <= number <= row.read.groups:
        return None
    renamed = review.GroupFilter(plan=replace(plan, names=plan.names | {number: name}))
    with rollcall.views() as cursor:
        roster = open_roster(rollcall, cursor, row, plan)
        found = review.groups(cursor, subscription_id, import_id, roster, renamed, after=number - 1, limit=1)
    if not found:
        raise NotFound(what="group in this import with the number", id=number)
    return found[0]


@delete(
    f"{IMPORT}/groups/{{number:int}}/users/{{email:path}}",
    sync_to_thread=True,
    responses=accepted_response() | EDIT_RESPONSES,
    opt=ADMINISTRATORS,
)
def remove(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    number: FromPath[int],
    email: FromPath[str],
    if_match: IfMatch = None,
) -> Response[None]:
    """Remove a user from a group of this import."""
    origin, user = origin_of(request, subscription_id, import_id), email_in_path(request, email)
    done = at_expected_version(if_match, lambda version: remove_user(rollcall, origin, number, user, version))
    return no_content(location(subscription_id, import_id), readable=done.readable, headers=etag(done.version))


LEFT_OUT = f"{IMPORT}/groups/{{number:int}}/left-out"
LEAVING_OUT = accepted_response() | responses("not-found", "wrong-state", "stale", "version-required")


@put(LEFT_OUT, sync_to_thread=True, status_code=204, responses=LEAVING_OUT, opt=ADMINISTRATORS)
def leave_out(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    number: FromPath[int],
    if_match: IfMatch = None,
) -> Response[None]:
    """Leave a whole group of this import out: it is not added."""
    origin = origin_of(request, subscription_id, import_id)
    done = at_expected_version(if_match, lambda version: leave_group_out(rollcall, origin, number, version))
    return no_content(location(subscription_id, import_id), readable=done.readable, headers=etag(done.version))


@delete(LEFT_OUT, sync_to_thread=True, responses=LEAVING_OUT, opt=ADMINISTRATORS)
def take_in(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    number: FromPath[int],
    if_match: IfMatch = None,
) -> Response[None]:
    """Take a group of this import in again that was left out."""
    origin = origin_of(request, subscription_id, import_id)
    done = at_expected_version(if_match, lambda version: take_group_in(rollcall, origin, number, version))
    return no_content(location(subscription_id, import_id), readable=done.readable, headers=etag(done.version))


ROUTES = (list_reviewed_groups, list_reviewed_users, list_problems, rename, remove, leave_out, take_in)
