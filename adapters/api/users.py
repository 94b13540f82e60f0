"""The users of a subscription, who are those with a licence: the groups that they are in."""

from __future__ import annotations

from uuid import UUID

from litestar import Response
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from adapters.composition import Rollcall
from adapters.http.lookups import find_subscription, licence_in
from adapters.http.paging import After, Limit, Search, decode_after, list_response
from adapters.http.problems import responses
from adapters.http.reads import read
from adapters.http.requests import AnyRequest, Injected, checked_text, email_in_path
from adapters.http.security import READERS
from adapters.http.then import At, views_at
from domain.naming import group_key
from projections.directory import read as directory
from projections.directory.read import GroupRow
from projections.reports.provenance import Provenance, provenance

ENDING = "/groups"


class UserGroupDocument(GroupRow, frozen=True, kw_only=True):
    """A group that a user is in, and how the user got into it."""

    added: Provenance


@read(  # an address may contain slashes, which only the last parameter of a path may
    "/subscriptions/{subscription_id:uuid}/users/{email:path}",
    responses=responses("not-found"),
    opt=READERS,
)
def list_user_groups(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    email: FromPath[str],
    q: Search = "",
    at: At = None,
    limit: Limit = 100,
    after: After = None,
) -> Response[list[UserGroupDocument]]:
    """List the groups of a user by name, on request those that the user was in at a time.

    `added` tells when the user was added to each and by whom. If an import did it, `source` is the cell of its file.
    """
    if not email.endswith(ENDING):
        raise NotFoundException
    find_subscription(rollcall, subscription_id)
    search, start, user = checked_text(q), decode_after(after, tuple[str, UUID]), email_in_path(request, email, ENDING)
    with views_at(rollcall, subscription_id, at) as cursor:
        licence_in(cursor, subscription_id, user)
        groups = directory.groups_of_user(cursor, subscription_id, user, search=search, after=start, limit=limit + 1)
        joined = {(group.id, user): group.since for group in groups}
        added = provenance(cursor, subscription_id, rollcall.rosters, joined)
    found = [
        UserGroupDocument(row.id, row.name, row.users, row.created_at, row.import_id, added=added[row.id, user])
        for row in groups
    ]
    return list_response(request, found, limit, lambda row: (group_key(row.name), row.id))


ROUTES = (list_user_groups,)
