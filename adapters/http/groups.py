"""The groups of a subscription and their users."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from litestar import Response, get
from litestar.params import FromPath
from msgspec import Struct

from adapters.composition import Rollcall
from adapters.http.asking import AnyRequest, Given, text
from adapters.http.paging import After, Limit, Search, cursor, page
from adapters.http.problems import responses
from adapters.http.security import READERS
from adapters.http.subscriptions import find_subscription
from domain.errors import NotFound
from domain.naming import group_key
from projections import directory
from projections.directory import GroupRow


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


@get("/subscriptions/{subscription_id:uuid}/groups", sync_to_thread=True, responses=responses("not-found"), opt=READERS)
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
    with rollcall.reading() as rows:
        found = directory.groups(
            rows, subscription_id, search=text(q), after=cursor(after, tuple[str, UUID]), limit=limit + 1
        )
    return page(request, found, limit, lambda row: (group_key(row.name), row.id), group_document)


@get(
    "/subscriptions/{subscription_id:uuid}/groups/{group_id:uuid}",
    sync_to_thread=True,
    responses=responses("not-found"),
    opt=READERS,
)
def show_group(rollcall: Given[Rollcall], subscription_id: FromPath[UUID], group_id: FromPath[UUID]) -> GroupDocument:
    """Show one group."""
    return group_document(find_group(rollcall, subscription_id, group_id))


@get(
    "/subscriptions/{subscription_id:uuid}/groups/{group_id:uuid}/users",
    sync_to_thread=True,
    responses=responses("not-found"),
    opt=READERS,
)
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
    with rollcall.reading() as rows:
        found = directory.members(rows, subscription_id, group_id, after=cursor(after, str) or "", limit=limit + 1)
    return page(request, found, limit, lambda email: email, MemberDocument)


def find_group(rollcall: Rollcall, subscription_id: UUID, group_id: UUID) -> GroupRow:
    """Return a group; raises NotFound."""
    with rollcall.reading() as rows:
        row = directory.find_group(rows, subscription_id, group_id)
    if row is None:
        raise NotFound(what="group", id=group_id)
    return row


ROUTES = (list_groups, show_group, list_group_users)
