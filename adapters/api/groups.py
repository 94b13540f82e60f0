"""The groups of a subscription and their users."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import Response, delete, patch, post
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta, Struct, convert, json

from adapters.api.review import NewName
from adapters.composition import Rollcall
from adapters.http.lookups import find_subscription, group_in, group_records
from adapters.http.paging import After, Limit, Search, Since, Until, decode_after, list_response
from adapters.http.problems import accepted_response, responses
from adapters.http.reads import read
from adapters.http.requests import (
    AnyRequest,
    IdempotencyKey,
    Injected,
    changed,
    checked_text,
    created_id,
    email_in_path,
    no_content,
    origin_of,
    parse_times,
    request_key,
    sent_path,
)
from adapters.http.security import ADMINISTRATORS, READERS
from adapters.http.then import At, views_at
from adapters.http.validation import MANY_BYTES
from application import grouping
from application.grouping import GroupResult
from projections.directory import read as directory
from projections.directory.read import GroupRow
from projections.reports.group_list import GroupFilter, GroupSort, default_sort, group_list, kind_of_place, place
from projections.reports.history import GroupHistoryRow, group_history_row
from projections.reports.provenance import Provenance, provenance

GROUPS = "/subscriptions/{subscription_id:uuid}/groups"
GROUP = f"{GROUPS}/{{group_id:uuid}}"

MOST_USERS = 2**31 - 1  # PostgreSQL's integer
SORT = "By name, by number of users, or by when they were created; with a minus sign the other way round."

# A format of our own: JSON Schema's `email` excludes internationalised addresses, and zod takes it for less than that.
Email = Annotated[
    str, Meta(min_length=1, max_length=1_000, examples=["ann@example.com"], extra_json_schema={"format": "address"})
]
Emails = Annotated[list[Email], Meta(max_length=100_000)]


class NewGroup(Struct, forbid_unknown_fields=True, frozen=True):
    """A group to create; `users` are the addresses of users with a licence."""

    name: Annotated[str, Meta(min_length=1, max_length=255, examples=["Sales Europe"])]
    users: Emails = []


class NewUsers(Struct, forbid_unknown_fields=True, frozen=True):
    """Users to add to a group: addresses with a licence."""

    emails: Emails


class JoinedDocument(Struct, frozen=True):
    """The users who joined a group, and those who were already in it."""

    added: tuple[str, ...]
    already_there: tuple[str, ...]


class MemberDocument(Struct, frozen=True):
    """A user of a group, and how they got into it."""

    email: str
    added: Provenance


@read(GROUPS, responses=responses("not-found"), opt=READERS)
def list_groups(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    q: Search = "",
    import_id: Annotated[UUID | None, QueryParameter(description="Only groups that this import created.")] = None,
    min_users: Annotated[int | None, QueryParameter(ge=0, le=MOST_USERS, description="At least so many users.")] = None,
    max_users: Annotated[int | None, QueryParameter(ge=0, le=MOST_USERS, description="At most so many users.")] = None,
    since: Since = None,
    until: Until = None,
    sort: Annotated[GroupSort | None, QueryParameter(description=SORT)] = None,
    at: At = None,
    limit: Limit = 100,
    after: After = None,
) -> Response[list[GroupRow]]:
    """List the groups: by name, or in another order, or only some of them.

    If you don't say how to sort them, groups of certain sizes are sorted by size, and those of certain times are the
    newest first. With `at`, these are the groups that there were then, with the names and users that they had.
    """
    find_subscription(rollcall, subscription_id)
    times = parse_times(since, until)
    wanted = GroupFilter(checked_text(q), import_id, min_users, max_users, *times)
    order = sort or default_sort(wanted)
    start = decode_after(after, kind_of_place(order))
    with views_at(rollcall, subscription_id, at) as cursor:
        found = group_list(cursor, subscription_id, wanted, order, after=start, limit=limit + 1)
    return list_response(request, found, limit, lambda row: place(row, order))


@read(GROUP, responses=responses("not-found"), opt=READERS)
def show_group(
    rollcall: Injected[Rollcall], subscription_id: FromPath[UUID], group_id: FromPath[UUID], at: At = None
) -> GroupRow:
    """Show one group, on request as it was at a time, also if it was deleted later."""
    with views_at(rollcall, subscription_id, at) as cursor:
        return group_in(cursor, subscription_id, group_id)


@read(f"{GROUP}/users", responses=responses("not-found"), opt=READERS)
def list_group_users(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    group_id: FromPath[UUID],
    at: At = None,
    limit: Limit = 100,
    after: After = None,
) -> Response[list[MemberDocument]]:
    """List the users of a group by address, on request those who were in it at a time.

    `added` tells when each was added and by whom. If an import did it, `source` is the cell of its file.
    """
    start = decode_after(after, str) or ""
    with views_at(rollcall, subscription_id, at) as cursor:
        group_in(cursor, subscription_id, group_id)
        rows = directory.users_of_group(cursor, subscription_id, group_id, after=start, limit=limit + 1)
        joined = {(group_id, row.email): row.since for row in rows}
        added = provenance(cursor, subscription_id, rollcall.rosters, joined)
    found = [MemberDocument(row.email, added[group_id, row.email]) for row in rows]
    return list_response(request, found, limit, lambda member: member.email)


@read(f"{GROUP}/history", responses=responses("not-found"), opt=READERS)
def show_group_history(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    group_id: FromPath[UUID],
    limit: Limit = 100,
    after: After = None,
) -> Response[list[GroupHistoryRow]]:
    """List what happened to a group, oldest first, also if it was deleted. `data` has the users, and names."""
    found = group_records(rollcall, subscription_id, group_id, after=decode_after(after, int) or 0, limit=limit + 1)
    return list_response(request, list(map(group_history_row, found)), limit, lambda row: row.version)


# --- by hand --------------------------------------------------------------------------------------------------------


@post(
    GROUPS,
    sync_to_thread=True,
    responses=accepted_response(GroupRow)
    | responses("not-found", "group-name-invalid", "email-invalid", "group-name-taken", "not-licensed", "key-reused"),
    request_max_body_size=MANY_BYTES,
    opt=ADMINISTRATORS,
)
def create_group(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    data: JSONBody[NewGroup],
    idempotency_key: IdempotencyKey = None,
) -> Response[GroupRow]:
    """Create a group with its first users. If one of them can't be added, nothing is created."""
    group_id = created_id(request, idempotency_key, rollcall.new_id(), subscription_id)
    origin = origin_of(request, subscription_id)
    location = f"/api/v1/subscriptions/{subscription_id}/groups/{group_id}"
    done = grouping.create_group(rollcall, origin, group_id, data.name, data.users)
    return changed(_group(done), location, readable=done.readable, status=201)


def _group(done: GroupResult) -> GroupRow:
    return convert(done, GroupRow, from_attributes=True)


@patch(
    GROUP,
    sync_to_thread=True,
    responses=accepted_response(GroupRow) | responses("not-found", "group-name-invalid", "group-name-taken"),
    opt=ADMINISTRATORS,
)
def rename_group(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    group_id: FromPath[UUID],
    data: JSONBody[NewName],
) -> Response[GroupRow]:
    """Rename a group."""
    origin = origin_of(request, subscription_id)
    done = grouping.rename_group(rollcall, origin, group_id, data.name)
    return changed(_group(done), sent_path(request), readable=done.readable)


@delete(
    GROUP,
    sync_to_thread=True,
    responses=accepted_response() | responses("not-found"),
    opt=ADMINISTRATORS,
)
def delete_group(
    request: AnyRequest, rollcall: Injected[Rollcall], subscription_id: FromPath[UUID], group_id: FromPath[UUID]
) -> Response[None]:
    """Delete a group, even if it has users; they keep their licences. One that is deleted already is answered alike."""
    done = grouping.delete_group(rollcall, origin_of(request, subscription_id), group_id)
    return no_content(sent_path(request), readable=done.readable)


@post(
    f"{GROUP}/users",
    sync_to_thread=True,
    status_code=200,
    responses=accepted_response(JoinedDocument) | responses("not-found", "email-invalid", "not-licensed", "key-reused"),
    request_max_body_size=MANY_BYTES,
    opt=ADMINISTRATORS,
)
def add_group_users(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    group_id: FromPath[UUID],
    data: JSONBody[NewUsers],
    idempotency_key: IdempotencyKey = None,
) -> Response[JoinedDocument]:
    """Add users to a group. If one of them can't be added, none are."""
    key = request_key(request, idempotency_key, subscription_id, json.encode(data))
    joined = grouping.add_users(rollcall, origin_of(request, subscription_id), group_id, data.emails, key)
    document = JoinedDocument(joined.added, joined.already_there)
    return changed(document, sent_path(request), readable=joined.readable)


@delete(
    f"{GROUP}/users/{{email:path}}",
    sync_to_thread=True,
    responses=accepted_response() | responses("not-found"),
    opt=ADMINISTRATORS,
)
def remove_group_user(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    group_id: FromPath[UUID],
    email: FromPath[str],
) -> Response[None]:
    """Remove a user from a group."""
    origin = origin_of(request, subscription_id)
    done = grouping.remove_users(rollcall, origin, group_id, [email_in_path(request, email)])
    return no_content(sent_path(request), readable=done.readable)


ROUTES = (
    list_groups,
    show_group,
    list_group_users,
    create_group,
    show_group_history,
    rename_group,
    delete_group,
    add_group_users,
    remove_group_user,
)
