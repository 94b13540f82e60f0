"""The groups of a subscription and their users."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from litestar import Response, delete, get, patch, post
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct, json

from adapters.api.review import NewName
from adapters.composition import Rollcall
from adapters.http.lookups import find_group, find_subscription
from adapters.http.paging import After, Limit, Search, cursor, page
from adapters.http.problems import later, responses
from adapters.http.requests import (
    AnyRequest,
    Given,
    IdempotencyKey,
    address,
    created_id,
    no_content,
    not_yet,
    once,
    origin,
    text,
)
from adapters.http.security import ADMINISTRATORS, READERS
from adapters.http.validation import MANY_BYTES
from application import grouping
from domain.naming import group_key
from projections.directory import read as directory
from projections.directory.read import GroupRow

GROUPS = "/subscriptions/{subscription_id:uuid}/groups"
GROUP = f"{GROUPS}/{{group_id:uuid}}"

Email = Annotated[
    str, Meta(min_length=1, max_length=1_000, examples=["ann@example.com"], extra_json_schema={"format": "email"})
]
Emails = Annotated[list[Email], Meta(max_length=100_000)]


class NewGroup(Struct, forbid_unknown_fields=True, frozen=True):
    """What a group is created from; `users` are addresses that hold a licence."""

    name: Annotated[str, Meta(min_length=1, max_length=255, examples=["Sales Europe"])]
    users: Emails = []


class NewUsers(Struct, forbid_unknown_fields=True, frozen=True):
    """Who is to join a group: addresses that hold a licence."""

    emails: Emails


class JoinedDocument(Struct, frozen=True):
    """Who joined a group, and who was in it already."""

    added: tuple[str, ...]
    already_there: tuple[str, ...]


class GroupDocument(Struct, frozen=True):
    """A group; `import_id` names the import that created it."""

    id: UUID
    name: str
    users: int
    created_at: datetime
    import_id: UUID | None


class MemberDocument(Struct, frozen=True):
    """A user of a group."""

    email: str


def group_document(row: GroupRow) -> GroupDocument:
    """Return a group as it is told."""
    return GroupDocument(row.id, row.name, row.users, row.created_at, row.import_id)


@get(GROUPS, sync_to_thread=True, responses=responses("not-found"), opt=READERS)
def list_groups(
    request: AnyRequest,
    rollcall: Given[Rollcall],
    subscription_id: FromPath[UUID],
    q: Search = "",
    limit: Limit = 100,
    after: After = None,
) -> Response[list[GroupDocument]]:
    """List the groups by name."""
    find_subscription(rollcall, subscription_id)
    with rollcall.views() as rows:
        found = directory.groups(
            rows, subscription_id, search=text(q), after=cursor(after, tuple[str, UUID]), limit=limit + 1
        )
    return page(request, found, limit, lambda row: (group_key(row.name), row.id), group_document)


@get(GROUP, sync_to_thread=True, responses=responses("not-found"), opt=READERS)
def show_group(rollcall: Given[Rollcall], subscription_id: FromPath[UUID], group_id: FromPath[UUID]) -> GroupDocument:
    """Show one group."""
    return group_document(find_group(rollcall, subscription_id, group_id))


@get(f"{GROUP}/users", sync_to_thread=True, responses=responses("not-found"), opt=READERS)
def list_group_users(
    request: AnyRequest,
    rollcall: Given[Rollcall],
    subscription_id: FromPath[UUID],
    group_id: FromPath[UUID],
    limit: Limit = 100,
    after: After = None,
) -> Response[list[MemberDocument]]:
    """List the users of a group by address."""
    find_group(rollcall, subscription_id, group_id)
    with rollcall.views() as rows:
        found = directory.user_emails(rows, subscription_id, group_id, after=cursor(after, str) or "", limit=limit + 1)
    return page(request, found, limit, lambda email: email, MemberDocument)


# --- by hand --------------------------------------------------------------------------------------------------------


@post(
    GROUPS,
    sync_to_thread=True,
    responses=later()
    | responses("not-found", "group-name-invalid", "email-invalid", "group-name-taken", "not-licensed", "key-reused"),
    request_max_body_size=MANY_BYTES,
    opt=ADMINISTRATORS,
)
def create_group(
    request: AnyRequest,
    rollcall: Given[Rollcall],
    subscription_id: FromPath[UUID],
    data: JSONBody[NewGroup],
    idempotency_key: IdempotencyKey = None,
) -> Response[GroupDocument | None]:
    """Create a group, with its first users: all of them or, if one cannot be added, nothing."""
    group_id = created_id(request, idempotency_key, rollcall.new_id(), subscription_id)
    whence = origin(request, subscription_id)
    where = f"/api/v1/subscriptions/{subscription_id}/groups/{group_id}"
    if not grouping.create_group(rollcall, whence, group_id, data.name, data.users).readable:
        return not_yet(where)
    return Response(group_document(find_group(rollcall, subscription_id, group_id)), headers={"Location": where})


@patch(
    GROUP,
    sync_to_thread=True,
    responses=later() | responses("not-found", "group-name-invalid", "group-name-taken"),
    opt=ADMINISTRATORS,
)
def rename_group(
    request: AnyRequest,
    rollcall: Given[Rollcall],
    subscription_id: FromPath[UUID],
    group_id: FromPath[UUID],
    data: JSONBody[NewName],
) -> Response[GroupDocument | None]:
    """Rename a group."""
    whence = origin(request, subscription_id)
    if not grouping.rename_group(rollcall, whence, group_id, data.name).readable:
        return not_yet(request.url.path)
    return Response(group_document(find_group(rollcall, subscription_id, group_id)))


@delete(
    GROUP,
    sync_to_thread=True,
    responses=responses("not-found"),
    opt=ADMINISTRATORS,
)
def delete_group(
    request: AnyRequest, rollcall: Given[Rollcall], subscription_id: FromPath[UUID], group_id: FromPath[UUID]
) -> Response[None]:
    """Delete a group, whoever is in it; its users keep their licences."""
    done = grouping.delete_group(rollcall, origin(request, subscription_id), group_id)
    return no_content(request, readable=done.readable)


@post(
    f"{GROUP}/users",
    sync_to_thread=True,
    status_code=200,
    responses=later(JoinedDocument) | responses("not-found", "email-invalid", "not-licensed", "key-reused"),
    request_max_body_size=MANY_BYTES,
    opt=ADMINISTRATORS,
)
def add_group_users(
    request: AnyRequest,
    rollcall: Given[Rollcall],
    subscription_id: FromPath[UUID],
    group_id: FromPath[UUID],
    data: JSONBody[NewUsers],
    idempotency_key: IdempotencyKey = None,
) -> Response[JoinedDocument]:
    """Add users to a group: all of them or, if one cannot be added, nobody."""
    asked = once(request, idempotency_key, subscription_id, json.encode(data))
    joined = grouping.add_users(rollcall, origin(request, subscription_id), group_id, data.emails, asked)
    status, headers = (200, {}) if joined.readable else (202, {"Location": request.url.path})
    return Response(JoinedDocument(joined.added, joined.already_there), status_code=status, headers=headers)


@delete(
    f"{GROUP}/users/{{email:path}}",
    sync_to_thread=True,
    responses=responses("not-found"),
    opt=ADMINISTRATORS,
)
def remove_group_user(
    request: AnyRequest,
    rollcall: Given[Rollcall],
    subscription_id: FromPath[UUID],
    group_id: FromPath[UUID],
    email: FromPath[str],
) -> Response[None]:
    """Remove a user from a group."""
    whence = origin(request, subscription_id)
    done = grouping.remove_users(rollcall, whence, group_id, [address(request, email)])
    return no_content(request, readable=done.readable)


ROUTES = (
    list_groups,
    show_group,
    list_group_users,
    create_group,
    rename_group,
    delete_group,
    add_group_users,
    remove_group_user,
)
